//! A template and a context → what a person reads.

use minijinja::{ErrorKind, Value as Rendered, context, value::Serde};

use super::{
    in_use::{Addressee, Version},
    meta_body::SEPARATOR,
    meta_template::BODY_LIMIT as META_LIMIT,
    program::Failure,
    template::{Category, Template, Templates, place},
};
use crate::domain::{Decision, Message, Mode};

/// Meta's limit of a text message.
const BODY_LIMIT: usize = 4_096;
/// Meta's limit of a message with buttons.
const BODY_LIMIT_WITH_BUTTONS: usize = 1_024;

/// One decision's context, converted once for all who get it.
pub struct Renderer<'a> {
    templates: &'a Templates,
    template: &'a Template,
    decision: &'a Decision,
    context: Rendered,
    /// The version in use at Meta, where it is known.
    in_use: Option<&'a Version>,
    /// A last line of the text.
    last_line: Option<String>,
    /// The text, where it does not depend on the recipient.
    shared: Option<Message>,
}

impl<'a> Renderer<'a> {
    /// For one decision; `in_use` is the template's version that its messages go out as.
    pub fn new(
        templates: &'a Templates,
        template: &'a Template,
        decision: &'a Decision,
        in_use: Option<&'a Version>,
    ) -> Renderer<'a> {
        let context = Rendered::from(Serde(&decision.context));
        Renderer { templates, template, decision, context, in_use, last_line: None, shared: None }
    }

    /// With a last line that the template does not have.
    pub fn with_last_line(self, line: String) -> Renderer<'a> {
        Renderer { last_line: Some(line), ..self }
    }

    /// Whether the text is no longer than can be sent, and no work to render that ends too early. Other mistakes are
    /// told when it is rendered.
    pub fn fits(&self, to: Addressee<'_>) -> bool {
        let context = with_recipient(self.template, &self.context, to);
        match self.template.body.render(&self.templates.environment, &context) {
            Ok(text) => self.body(&text).chars().count() <= self.limit(),
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

    fn limit(&self) -> usize {
        if self.template.buttons.is_empty() { BODY_LIMIT } else { BODY_LIMIT_WITH_BUTTONS }
    }

    /// What this person reads.
    ///
    /// # Errors
    /// What is wrong, with the template's file and line.
    pub fn render(&mut self, name: Option<&str>, username: Option<&str>) -> Result<Message, String> {
        if let Some(message) = &self.shared {
            return Ok(message.clone());
        }
        let mut message = self.message(name, username)?;
        if let Some(version) = self.in_use {
            version.apply(&self.context, Addressee { name, username }, &mut message);
        }
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
        let (body, limit) = (self.body(&text), self.limit());
        let length = body.chars().count();
        if length == 0 || length > limit {
            return Err(format!(
                "render the template {template} ({file}): the text has {length} characters; 1 to {limit} can be sent"
            ));
        }
        let mode = self.decision.mode.unwrap_or(self.template.mode);
        let parameters = if mode == Mode::Text {
            Vec::new()
        } else {
            parameters(self.templates, self.template, &self.context, Addressee { name, username }).map_err(
                |error| format!("render the parameters of the template {template} ({file}): {error}"),
            )?
        };
        Ok(Message {
            mode,
            body,
            footer: self.template.footer.clone(),
            buttons: self.template.buttons.clone(),
            template: self.template.meta_name.clone(),
            language: self.template.language.clone(),
            wording: self.template.wording.clone(),
            parameters,
            parameter_names: Vec::new(),
            marketing: self.template.category == Category::Marketing,
            on_unknown: self.template.on_unknown,
        })
    }

    /// What is undefined: the expression that the error points at, but where that is a filter, its variable.
    fn undefined<'b>(&'b self, failure: &Failure, body: &'b str) -> &'b str {
        let expression = failure.range.clone().and_then(|range| body.get(range)).unwrap_or("a variable");
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
                let has = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                format!("`{expression}` is not in the context, which has {has}{}", near(expression, &known))
            }
            ErrorKind::OutOfFuel => {
                "it takes too many steps or makes too much text; is there a loop without an end?".to_owned()
            }
            _ => failure.to_string(),
        };
        format!("render the template {name} ({file}:{line}:{column}): {what}")
    }
}

fn near(expression: &str, known: &[&str]) -> String {
    let score = |name: &&&str| (strsim::jaro_winkler(expression, name) * 1_000.0) as u32;
    known
        .iter()
        .max_by_key(score)
        .filter(|name| score(name) > 850)
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// The values of a template's parameters at Meta, in order; empty where there is nothing to say.
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
    // After the last separator comes nothing.
    values.truncate(template.meta.parameters.len());
    let words = template.meta.words().iter().map(|words| words.chars().count()).sum();
    shorten(&mut values, META_LIMIT.saturating_sub(words));
    Ok(values)
}

fn with_recipient(template: &Template, context: &Rendered, to: Addressee<'_>) -> Rendered {
    if !template.uses_recipient {
        return context.clone();
    }
    let (name, username) = (to.name.unwrap_or_default(), to.username.unwrap_or_default());
    context! { recipient => context! { name, username }, ..context.clone() }
}

/// Meta refuses a text over its limit: the longest values are cut until all have room.
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

/// A line break becomes three characters on Meta's one line, nothing becomes `N/A`.
fn length_at_meta(value: &str) -> usize {
    match value {
        "" => "N/A".len(),
        value => value.chars().map(|c| if c == '\n' { 3 } else { 1 }).sum(),
    }
}

/// No blank lines in a row, none at the ends, nothing at the end of a line, and no NUL, which cannot be stored.
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
