//! Renders a template with a context to a message.

use jiff::Timestamp;
use minijinja::{ErrorKind, Value as Rendered, context, value::Serde};

use super::{
    in_use::{Addressee, Version},
    meta_body::SEPARATOR,
    meta_template::BODY_LIMIT as META_LIMIT,
    parameter::{LINE_BREAK, NOTHING},
    program::Failure,
    template::{Category, Template, Templates, place},
    words::{Surroundings, within},
};
use crate::domain::{Action, Button, Decision, Header, Message, MetaParts, Mode, closest};

/// Meta's limit for a text message, in characters.
const BODY_LIMIT: usize = 4_096;
/// Meta's limit for a message with buttons other than a list, in characters.
const BODY_LIMIT_WITH_BUTTONS: usize = 1_024;

/// Renders the messages of one decision; its context is converted once for all recipients.
pub struct Renderer<'a> {
    templates: &'a Templates,
    template: &'a Template,
    decision: &'a Decision,
    context: Rendered,
    /// Time of planning.
    now: Timestamp,
    /// The version in use at Meta, if known.
    in_use: Option<&'a Version>,
    /// Line appended to the text.
    last_line: Option<String>,
    /// The message, if it does not depend on the recipient.
    shared: Option<Message>,
}

impl<'a> Renderer<'a> {
    /// Renders for one decision; `in_use` is the version as which its messages are sent.
    pub fn new(
        templates: &'a Templates,
        template: &'a Template,
        decision: &'a Decision,
        now: Timestamp,
        in_use: Option<&'a Version>,
    ) -> Renderer<'a> {
        let context = Rendered::from(Serde(&decision.context));
        Renderer { templates, template, decision, context, now, in_use, last_line: None, shared: None }
    }

    /// Appends a last line to the text.
    pub fn with_last_line(self, line: String) -> Renderer<'a> {
        Renderer { last_line: Some(line), ..self }
    }

    /// Whether the text is short enough to be sent, and does not exceed the limits of rendering. Other errors are reported
    /// by `render`.
    pub fn fits(&self, to: Addressee<'_>) -> bool {
        within(&self.surroundings(), || self.is_short_enough(to))
    }

    fn surroundings(&self) -> Surroundings<'a> {
        Surroundings { now: self.now, language: &self.template.language }
    }

    fn is_short_enough(&self, to: Addressee<'_>) -> bool {
        let context = with_recipient(self.template, &self.context, to);
        match self.template.body.render(&self.templates.environment, &context) {
            Ok(text) => {
                let body = self.body(&text);
                self.parts(&context)
                    .map_or(true, |(header, buttons)| too_long(&body, header, buttons).is_none())
            }
            Err(failure) => failure.kind != ErrorKind::OutOfFuel,
        }
    }

    fn body(&self, text: &str) -> String {
        let mut body = tidy(text);
        if let Some(line) = &self.last_line {
            body.push('\n');
            body.push_str(line);
        }
        body
    }

    fn parts(&self, context: &Rendered) -> Result<(Option<Header>, Vec<Button>), String> {
        self.template.parts.render(&self.templates.environment, context, &self.template.file)
    }

    /// Renders the message for a recipient.
    ///
    /// # Errors
    /// Returns what is wrong, with the template's file and line.
    pub fn render(&mut self, name: Option<&str>, username: Option<&str>) -> Result<Message, String> {
        if let Some(message) = &self.shared {
            return Ok(message.clone());
        }
        let message = within(&self.surroundings(), || {
            let mut message = self.message(name, username)?;
            if let Some(version) = self.in_use {
                let to = Addressee { name, username };
                version.apply(&self.context, to, &self.template.file, &mut message);
            }
            Ok::<_, String>(message)
        })?;
        if !self.template.uses_recipient && !self.in_use.is_some_and(Version::uses_recipient) {
            self.shared = Some(message.clone());
        }
        Ok(message)
    }

    fn message(&self, name: Option<&str>, username: Option<&str>) -> Result<Message, String> {
        let Template { name: template, file, .. } = self.template;
        let context = with_recipient(self.template, &self.context, Addressee { name, username });
        let text = self.template.body.render(&self.templates.environment, &context);
        let text = text.map_err(|failure| self.explain(&failure, self.template.body.body()))?;
        let body = self.body(&text);
        let cannot = |why: String| format!("cannot send the template {template} ({file}): {why}");
        if body.is_empty() {
            return Err(cannot("the text is empty".to_owned()));
        }
        let (header, buttons) = self.parts(&context).map_err(cannot)?;
        if let Some((length, limit)) = too_long(&body, header.clone(), buttons.clone()) {
            return Err(cannot(format!("the text has {length} characters; the limit is {limit}")));
        }
        let mode = self.decision.mode.unwrap_or(self.template.mode);
        let parameters = if mode == Mode::Text {
            Vec::new()
        } else {
            parameters(self.templates, self.template, &self.context, Addressee { name, username }).map_err(
                |error| format!("cannot render the parameters of the template {template} ({file}): {error}"),
            )?
        };
        let meta_body = (mode != Mode::Text).then(|| self.template.meta.filled(&parameters));
        let Template { footer, meta_footer, .. } = self.template;
        let has_parts_of_meta = mode != Mode::Text && footer != meta_footer;
        let meta_parts = has_parts_of_meta.then(|| {
            let (header, buttons) = (header.clone(), buttons.clone());
            Box::new(MetaParts { header, footer: meta_footer.clone(), buttons })
        });
        Ok(Message {
            mode,
            meta_body: meta_body.filter(|text| *text != body),
            body,
            footer: footer.clone(),
            header,
            buttons,
            meta_parts,
            reply_to: self.decision.reply_to.clone(),
            template: self.template.meta_name.clone(),
            language: self.template.language.clone(),
            wording: self.template.wording.clone(),
            parameters,
            parameter_names: Vec::new(),
            hours: self.decision.hours.clone(),
            marketing: self.template.category == Category::Marketing,
            on_unknown: self.template.on_unknown,
            is_kept: false,
            cause: None,
        })
    }

    /// The undefined expression: the one that the error points at or, for a filter, its variable.
    fn undefined<'b>(&'b self, failure: &Failure, body: &'b str) -> &'b str {
        let expression = failure.range.clone().and_then(|range| whole(body, range)).unwrap_or("a variable");
        let line = failure.line.checked_sub(1).and_then(|line| body.lines().nth(line)).unwrap_or_default();
        let variables = self.template.variables.iter().map(String::as_str);
        let missing: Vec<&str> = variables
            .filter(|name| !self.decision.context.contains_key(*name) && line.contains(name))
            .collect();
        match missing.as_slice() {
            [first, ..] if !missing.iter().any(|name| expression.starts_with(name)) => first,
            _ => expression,
        }
    }

    fn explain(&self, failure: &Failure, body: &str) -> String {
        let (line, column) = place(failure, body, self.template.lines_before);
        let Template { name, file, .. } = self.template;
        let what = match failure.kind {
            ErrorKind::UndefinedError => {
                let expression = self.undefined(failure, body);
                let known: Vec<&str> = self.decision.context.keys().map(String::as_str).collect();
                let is_part =
                    expression.split_once(['.', '[']).is_some_and(|(root, _)| known.contains(&root));
                if is_part {
                    return format!(
                        "cannot render the template {name} ({file}:{line}:{column}): `{expression}` has no value"
                    );
                }
                let has = match known.as_slice() {
                    [] => "is empty".to_owned(),
                    known => format!("has {}", known.join(", ")),
                };
                format!("`{expression}` is not in the context, which {has}{}", near(expression, &known))
            }
            ErrorKind::OutOfFuel => {
                "it takes too many steps or makes too much text; look for an endless loop".to_owned()
            }
            _ => failure.to_string(),
        };
        format!("cannot render the template {name} ({file}:{line}:{column}): {what}")
    }
}

/// The length of a text that is too long for a free-form message, and the limit.
fn too_long(body: &str, header: Option<Header>, buttons: Vec<Button>) -> Option<(usize, usize)> {
    let sent = Message { body: body.to_owned(), header, buttons, ..Message::default() }.in_window();
    let is_plain = sent.header.is_none() && sent.buttons.is_empty();
    let has_list = sent.buttons.iter().any(|button| matches!(button.action, Action::List(_)));
    let limit = if is_plain || has_list { BODY_LIMIT } else { BODY_LIMIT_WITH_BUTTONS };
    let length = sent.body.chars().count();
    (length > limit).then_some((length, limit))
}

/// An expression with its beginning: the range of an attribute begins with the dot.
fn whole(body: &str, range: std::ops::Range<usize>) -> Option<&str> {
    let is_of_a_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '"' | '\'');
    let start = match body.get(range.clone())? {
        part if part.starts_with(['.', '[']) => body.get(..range.start)?.trim_end_matches(is_of_a_path).len(),
        _ => range.start,
    };
    body.get(start..range.end)
}

fn near(expression: &str, known: &[&str]) -> String {
    if expression.starts_with("event.") {
        return "; add what the template needs to the route's `context`".to_owned();
    }
    let meant = closest(expression, known.iter().copied());
    meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The values of a template's parameters at Meta, in order; empty strings for missing ones.
pub(super) fn parameters(
    templates: &Templates,
    template: &Template,
    context: &Rendered,
    to: Addressee<'_>,
) -> Result<Vec<String>, Failure> {
    if template.meta.parameters.is_empty() {
        return Ok(Vec::new());
    }
    let text = template.values.render(&templates.environment, &with_recipient(template, context, to))?;
    let mut values: Vec<String> = text.split(SEPARATOR).map(tidy).collect();
    // Nothing follows the last separator.
    values.truncate(template.meta.parameters.len());
    let words = template.meta.words().iter().map(|words| words.chars().count()).sum();
    shorten(&mut values, META_LIMIT.saturating_sub(words));
    Ok(values)
}

pub(super) fn with_recipient(template: &Template, context: &Rendered, to: Addressee<'_>) -> Rendered {
    if !template.uses_recipient {
        return context.clone();
    }
    let (name, username) = (to.name.unwrap_or_default(), to.username.unwrap_or_default());
    context! { recipient => context! { name, username }, ..context.clone() }
}

/// Cuts the longest values until all fit: Meta rejects a text over its limit.
fn shorten(values: &mut [String], room: usize) {
    let lengths: Vec<usize> = values.iter().map(|value| length_at_meta(value)).collect();
    let fits = |most: usize| lengths.iter().map(|length| (*length).min(most)).sum::<usize>() <= room;
    if fits(room) {
        return;
    }
    let most = (1..room).rev().find(|most| fits(*most)).unwrap_or(1);
    for value in values.iter_mut().filter(|value| length_at_meta(value) > most) {
        while length_at_meta(value) >= most && value.pop().is_some() {}
        value.push('…');
    }
}

/// The length of a value at Meta, where it is on one line.
fn length_at_meta(value: &str) -> usize {
    match value {
        "" => NOTHING.len(),
        value => value.chars().map(|c| if c == '\n' { LINE_BREAK.chars().count() } else { 1 }).sum(),
    }
}

/// Removes repeated blank lines, blank lines at both ends, spaces at the ends of lines, and NUL, which cannot be stored.
pub(super) fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut blank = 0;
    for line in text.trim().lines() {
        let line = line.trim_end();
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank > 1 {
            continue;
        }
        if !tidy.is_empty() {
            tidy.push('\n');
        }
        tidy.extend(line.chars().filter(|c| *c != '\0'));
    }
    tidy
}
