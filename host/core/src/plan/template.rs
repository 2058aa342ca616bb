//! Templates: front matter and a minijinja body, compiled.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
};

use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior, Value, escape_formatter, syntax::SyntaxConfig,
};
use serde::Deserialize;

use super::{
    meta_body::{MetaBody, SEPARATOR},
    meta_template::wording,
    program::{Failure, Program},
    weigh,
};
use crate::{
    bounds::{Bounded, on_author_stack},
    domain::{Button, Mode, OnUnknown},
};

/// Instructions that one rendering may take; a page of text takes some hundred. Text counts too, 64 bytes as
/// one, so that a rendering holds about 6 MB at most.
const FUEL: u64 = 100_000;
/// The size of the front matter, in bytes.
const FRONT_MATTER: usize = 8 * 1024;
const FOOTER_LIMIT: usize = 60;
const BUTTONS: usize = 3;
const BUTTON_TITLE_LIMIT: usize = 20;
const BUTTON_ID_LIMIT: usize = 256;

/// A template as it is written.
#[derive(Clone, Debug)]
pub struct TemplateSource {
    /// The file's stem: the name that rules use.
    pub name: String,
    /// Relative to the rules folder.
    pub file: String,
    /// Front matter and body.
    pub text: String,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Relative to the rules folder.
    pub file: String,
    /// From 1, of the whole file.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Meta's category of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// About something that the person has asked for or takes part in.
    Utility,
    /// An offer.
    Marketing,
    /// A one-time code.
    Authentication,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    description: String,
    category: Category,
    language: String,
    #[serde(default)]
    mode: Mode,
    footer: Option<String>,
    #[serde(default)]
    buttons: Vec<Button>,
    meta_name: Option<String>,
    #[serde(default)]
    on_unknown: OnUnknown,
    from: Option<String>,
}

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// The name that rules use.
    pub name: String,
    /// Relative to the rules folder.
    pub file: String,
    /// What it is for.
    pub description: String,
    /// Meta's category.
    pub category: Category,
    /// Such as `en_US`.
    pub language: String,
    /// How it is sent, unless the decision says otherwise.
    pub mode: Mode,
    /// A small line under the text.
    pub footer: Option<String>,
    /// Quick-reply buttons.
    pub buttons: Vec<Button>,
    /// The name on Meta's side.
    pub meta_name: String,
    /// What is done where nobody can tell whether a message was sent.
    pub on_unknown: OnUnknown,
    /// The name of the number that sends it, unless the decision says otherwise.
    pub from: Option<String>,
    /// The variables of the body, sorted, but for `recipient`.
    pub variables: Vec<String>,
    /// Whether the body speaks of its recipient, and so differs from one to the next.
    pub uses_recipient: bool,
    /// The file, as it was compiled.
    pub source: String,
    /// What tells its words at Meta from others'.
    pub wording: String,
    /// The body as Meta knows it.
    pub(super) meta: MetaBody,
    /// The body.
    pub(super) body: Program,
    /// What renders to the values of its parameters at Meta, in order.
    pub(super) values: Program,
    /// Lines of the file before the body.
    pub(super) lines_before: usize,
}

/// All templates, compiled.
#[derive(Debug)]
pub struct Templates {
    pub(super) environment: Environment<'static>,
    by_name: HashMap<String, Template>,
}

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // A missing value leaves a gap, as it does in a Meta template's parameters; not the word "none".
        environment.set_formatter(|out, state, value| match value.as_str() {
            _ if value.is_none() => Ok(()),
            Some(text) if text.contains(SEPARATOR) => {
                escape_formatter(out, state, &Value::from(text.replace(SEPARATOR, "")))
            }
            _ if value.as_object().is_some() => {
                let mut text = Bounded::new(weigh::SIZE);
                let written = write!(text, "{value}").ok().and_then(|()| text.whole());
                out.write_str(&written.ok_or(ErrorKind::OutOfFuel)?)?;
                Ok(())
            }
            _ => escape_formatter(out, state, value),
        });
        environment.add_filter("truncate", truncate);
        weigh::register(&mut environment);
        environment.set_fuel(Some(FUEL));
        // Errors then name the place.
        environment.set_debug(true);
        Templates { environment, by_name: HashMap::new() }
    }
}

/// A tag on a line of its own leaves no line behind.
pub(super) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().unwrap_or_default()
}

impl Templates {
    /// Compiles all; what is wrong is told of all, and what compiles is there.
    pub fn compile(sources: Vec<TemplateSource>) -> (Templates, Vec<TemplateError>) {
        let mut templates = Templates::default();
        let mut errors = Vec::new();
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for source in sources {
            let error =
                |line, column, message| TemplateError { file: source.file.clone(), line, column, message };
            if let Some(first) = files.get(&source.name) {
                errors.push(error(
                    1,
                    1,
                    format!("the template {} is in {first} already; rename one", source.name),
                ));
                continue;
            }
            files.insert(source.name.clone(), source.file.clone());
            match on_author_stack(|| templates.compile_one(&source)) {
                Ok(template) => {
                    templates.by_name.insert(source.name.clone(), template);
                }
                Err(wrong) => {
                    errors.extend(wrong.into_iter().map(|(line, column, text)| error(line, column, text)))
                }
            }
        }
        (templates, errors)
    }

    /// The template with this name.
    pub fn get(&self, name: &str) -> Option<&Template> {
        self.by_name.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    fn compile_one(&self, source: &TemplateSource) -> Result<Template, Vec<(usize, usize, String)>> {
        let (front, body, lines_before) = split(&source.text).map_err(|message| vec![(1, 1, message)])?;
        let mut wrong = Vec::new();
        let front: Option<FrontMatter> = match serde_yaml::from_str(front) {
            Ok(front) => Some(front),
            Err(error) => {
                let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
                // The front matter begins in line 2.
                wrong.push((line + 1, column, without_place(&error.to_string())));
                None
            }
        };
        if let Some(front) = &front {
            wrong.extend(
                check(front).into_iter().map(|(key, message)| (line_of(&source.text, key), 1, message)),
            );
        }
        if body.trim().is_empty() {
            wrong.push((lines_before + 1, 1, "the template has no body; write what people read".to_owned()));
        }
        let program = Program::compile(&source.name, body).map_err(|failure| {
            let (line, column) = place(&failure, body, lines_before);
            wrong.push((line, column, failure.to_string()));
        });
        let compiled = program.and_then(|program| {
            let meta = MetaBody::new(body, syntax()).map_err(Failure::from);
            let of_meta = meta.and_then(|meta| Ok((Program::of_checked(&source.name, &meta.values)?, meta)));
            let (values, meta) = of_meta.map_err(|failure| {
                wrong.push((lines_before + 1, 1, failure.to_string()));
            })?;
            Ok((program, values, meta))
        });
        let (Some(front), Ok((program, values, meta)), []) = (front, compiled, wrong.as_slice()) else {
            return Err(wrong);
        };
        let undeclared = self
            .environment
            .template_from_named_str(&source.name, body)
            .map(|template| template.undeclared_variables(false))
            .unwrap_or_default();
        let uses_recipient = undeclared.contains("recipient");
        let mut variables: Vec<String> = undeclared
            .into_iter()
            .filter(|name| {
                name != "recipient" && !self.environment.globals().any(|(global, _)| global == name)
            })
            .collect();
        variables.sort_unstable();
        let titles: Vec<String> = front.buttons.iter().map(|button| button.title.clone()).collect();
        Ok(Template {
            name: source.name.clone(),
            file: source.file.clone(),
            description: front.description,
            category: front.category,
            language: front.language,
            mode: front.mode,
            source: source.text.clone(),
            wording: wording(&meta.text, front.footer.as_deref(), &titles),
            footer: front.footer,
            buttons: front.buttons,
            meta_name: front.meta_name.unwrap_or_else(|| source.name.clone()),
            on_unknown: front.on_unknown,
            from: front.from,
            variables,
            uses_recipient,
            meta,
            body: program,
            values,
            lines_before,
        })
    }
}

/// Jinja's filter: at most so many characters, the last an ellipsis where something is left out. For what people
/// write at any length: too long a text cannot be sent at all.
fn truncate(value: &Value, length: usize) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let text = if value.is_none() { String::new() } else { value.to_string() };
    if text.chars().count() <= length {
        return Ok(text);
    }
    let kept: String = text.chars().take(length.saturating_sub(1)).collect();
    Ok(format!("{}…", kept.trim_end()))
}

/// Front matter, body, and how many lines stand before the body.
fn split(text: &str) -> Result<(&str, &str, usize), String> {
    let missing = "a template begins with front matter: a line ---, then description, category and language, then \
                   a line ---";
    let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")).ok_or(missing)?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            let front = &rest[..at];
            if front.len() > FRONT_MATTER {
                return Err(format!("the front matter is larger than {} KiB", FRONT_MATTER / 1024));
            }
            return Ok((front, &rest[at + line.len()..], front.lines().count() + 2));
        }
        at += line.len();
    }
    Err(missing.to_owned())
}

fn check(front: &FrontMatter) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let long = |text: &str, limit: usize| text.chars().count() > limit;
    if front.description.trim().is_empty() {
        wrong.push(("description", "the description is empty; say what the template is for".to_owned()));
    }
    if !front
        .language
        .split('_')
        .all(|part| (2..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        wrong.push(("language", format!("expected a language such as en_US, got {:?}", front.language)));
    }
    if front.footer.as_deref().is_some_and(|footer| long(footer, FOOTER_LIMIT)) {
        wrong.push(("footer", format!("a footer has at most {FOOTER_LIMIT} characters")));
    }
    if front.buttons.len() > BUTTONS {
        wrong.push(("buttons", format!("a message has at most {BUTTONS} buttons")));
    }
    for button in &front.buttons {
        if button.title.is_empty() || long(&button.title, BUTTON_TITLE_LIMIT) {
            wrong.push((
                "buttons",
                format!("the title {:?}: a button has 1 to {BUTTON_TITLE_LIMIT} characters", button.title),
            ));
        }
        if button.id.is_empty() || long(&button.id, BUTTON_ID_LIMIT) {
            wrong.push((
                "buttons",
                format!("the id {:?}: an id has 1 to {BUTTON_ID_LIMIT} characters", button.id),
            ));
        }
    }
    if let Some(name) = &front.meta_name
        && (name.is_empty()
            || name.len() > 512
            || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
    {
        wrong.push((
            "meta_name",
            "a name at Meta has lower-case letters, digits and underscores, at most 512".to_owned(),
        ));
    }
    wrong
}

pub(super) fn line_of(text: &str, key: &str) -> usize {
    let key = format!("{key}:");
    text.lines().position(|line| line.starts_with(&key)).map_or(1, |n| n + 1)
}

/// Line and column of a failure, counted in the whole file.
pub(super) fn place(failure: &Failure, body: &str, lines_before: usize) -> (usize, usize) {
    let column = failure.range.as_ref().map_or(1, |range| {
        let before = body.get(..range.start).unwrap_or_default();
        before.chars().rev().take_while(|c| *c != '\n').count() + 1
    });
    (lines_before + failure.line, column)
}

/// serde_yaml ends its messages with the place, which stands in line and column.
fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}
