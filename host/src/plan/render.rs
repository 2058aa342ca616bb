//! A template and a context → what a person reads.

use std::{borrow::Cow, collections::BTreeMap};

use minijinja::{Error, ErrorKind, Value as Rendered, context, value::Serde};
use serde_json::Value;

use super::template::{Template, Templates, place};
use crate::domain::{Decision, Message};

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
    /// The text, where it does not depend on the recipient.
    shared: Option<Message>,
}

impl<'a> Renderer<'a> {
    /// For one decision.
    pub fn new(templates: &'a Templates, template: &'a Template, decision: &'a Decision) -> Renderer<'a> {
        let context = Rendered::from(Serde(&decision.context));
        Renderer { templates, template, decision, context, shared: None }
    }

    /// What this person reads.
    ///
    /// # Errors
    /// What is wrong, with the template's file and line.
    pub fn render(&mut self, name: Option<&str>, username: Option<&str>) -> Result<Message, String> {
        if let Some(message) = &self.shared {
            return Ok(message.clone());
        }
        let message = self.message(name, username)?;
        if !self.template.uses_recipient {
            self.shared = Some(message.clone());
        }
        Ok(message)
    }

    fn message(&self, name: Option<&str>, username: Option<&str>) -> Result<Message, String> {
        let Template { name: template, file, .. } = self.template;
        let compiled = self
            .templates
            .environment
            .get_template(template)
            .map_err(|error| format!("render the template {template}: {error}"))?;
        let recipient =
            context! { name => name.unwrap_or_default(), username => username.unwrap_or_default() };
        let text = if self.template.uses_recipient {
            compiled.render(context! { recipient, ..self.context.clone() })
        } else {
            compiled.render(self.context.clone())
        };
        let text = text.map_err(|error| self.explain(&error, compiled.source()))?;
        let body = tidy(&text);
        let limit = if self.template.buttons.is_empty() { BODY_LIMIT } else { BODY_LIMIT_WITH_BUTTONS };
        let length = body.chars().count();
        if length == 0 || length > limit {
            return Err(format!(
                "render the template {template} ({file}): the text has {length} characters; 1 to {limit} can be sent"
            ));
        }
        Ok(Message {
            mode: self.decision.mode.unwrap_or(self.template.mode),
            body,
            footer: self.template.footer.clone(),
            buttons: self.template.buttons.clone(),
            template: self.template.meta_name.clone(),
            language: self.template.language.clone(),
            parameters: self
                .template
                .meta
                .slots
                .iter()
                .map(|slot| match slot.as_str() {
                    "recipient" => name.unwrap_or_default().to_owned(),
                    variable => parameter(&self.decision.context, variable),
                })
                .collect(),
        })
    }

    /// What is undefined: the expression that the error points at, but where that is a filter, its variable.
    fn undefined<'b>(&'b self, error: &Error, body: &'b str) -> &'b str {
        let expression = error.range().and_then(|range| body.get(range)).unwrap_or("a variable");
        let line = error.line().and_then(|line| body.lines().nth(line.checked_sub(1)?)).unwrap_or_default();
        let variables = self.template.variables.iter().map(String::as_str);
        let missing: Vec<&str> = variables
            .filter(|name| !self.decision.context.contains_key(*name) && line.contains(name))
            .collect();
        match missing.as_slice() {
            [first, ..] if !missing.iter().any(|name| expression.starts_with(name)) => first,
            _ => expression,
        }
    }

    fn explain(&self, error: &Error, body: &str) -> String {
        let (line, column) = place(error, body, self.template.lines_before);
        let Template { name, file, .. } = self.template;
        let what = match error.kind() {
            ErrorKind::UndefinedError => {
                let expression = self.undefined(error, body);
                let known: Vec<&str> = self.decision.context.keys().map(String::as_str).collect();
                let has = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                format!("`{expression}` is not in the context, which has {has}{}", near(expression, &known))
            }
            ErrorKind::OutOfFuel => {
                "it takes too many steps or makes too much text; is there a loop without an end?".to_owned()
            }
            _ => error.detail().map_or_else(|| error.to_string(), str::to_owned),
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

fn parameter(context: &BTreeMap<String, Value>, name: &str) -> String {
    match context.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => {
            let texts = values
                .iter()
                .map(|value| value.as_str().map_or_else(|| Cow::from(value.to_string()), Cow::from));
            texts.collect::<Vec<_>>().join(", ")
        }
        Some(value) => value.to_string(),
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
