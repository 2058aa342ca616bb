//! A template's components: checked as Meta does at creation, and read into what a send must fit.

use serde_json::Value;

use super::{
    buttons::{ButtonPart, buttons},
    variables::{Variable, check_names, variables},
};
use crate::error::GraphError;

/// The longest body, in characters.
const BODY: usize = 1024;
/// The longest header and footer, in characters.
const LINE: usize = 60;

/// What a send must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// The header.
    pub header: HeaderPart,
    /// The body's text.
    pub text: String,
    /// The body's variables.
    pub body: Vec<Variable>,
    /// The buttons.
    pub buttons: Vec<ButtonPart>,
}

/// What the header takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum HeaderPart {
    /// Nothing: there is none, or a fixed text.
    #[default]
    Fixed,
    /// One text.
    Text(Variable),
    /// `image`, `video`, `document` or `location`.
    Media(String),
}

/// Checks a template's components.
///
/// # Errors
/// The error that Meta would answer.
pub fn parts(components: &[Value], category: &str, named: bool) -> Result<Parts, GraphError> {
    let mut parts = Parts::default();
    let mut seen = Vec::new();
    for component in components {
        let kind = component["type"].as_str().unwrap_or_default().to_uppercase();
        if seen.contains(&kind) {
            return Err(GraphError::parameter(format!("Param components has more than one {kind}.")));
        }
        match kind.as_str() {
            "HEADER" if category == "AUTHENTICATION" => {
                return Err(header_error("a template of the category AUTHENTICATION has no header"));
            }
            "HEADER" => parts.header = header(component, named)?,
            "BODY" => (parts.text, parts.body) = body(component, category, named)?,
            "FOOTER" => footer(component, category)?,
            "BUTTONS" => parts.buttons = buttons(component, category)?,
            other => {
                return Err(GraphError::parameter(format!(
                    "Param components[…]['type'] must be one of {{HEADER, BODY, FOOTER, BUTTONS}} - got \"{other}\"."
                )));
            }
        }
        seen.push(kind);
    }
    if !seen.iter().any(|kind| kind == "BODY") {
        return Err(body_error("a template needs a component of type BODY"));
    }
    if category == "AUTHENTICATION" && parts.buttons.is_empty() {
        return Err(GraphError::parameter("Param buttons must have one button of type OTP.".to_owned()));
    }
    Ok(parts)
}

fn body_error(text: impl Into<String>) -> GraphError {
    GraphError::template(2_388_072, "Message body format is incorrect", text)
}

fn header_error(text: impl Into<String>) -> GraphError {
    GraphError::template(2_388_047, "Message header format is incorrect", text)
}

fn footer_error(text: impl Into<String>) -> GraphError {
    GraphError::template(2_388_073, "Message footer format is incorrect", text)
}

/// 2388040: a field over its length.
pub fn too_long(field: &str, limit: usize) -> GraphError {
    GraphError::template(
        2_388_040,
        "Character Limit Exceeded",
        format!("The field {field} has more than the {limit} characters that are allowed."),
    )
}

/// 2388043: variables without an example.
pub fn no_example(kind: &str) -> GraphError {
    GraphError::template(
        2_388_043,
        "Message template \"components\" param is missing expected field(s)",
        format!("component of type {kind} is missing expected field(s) (example)"),
    )
}

fn header(component: &Value, named: bool) -> Result<HeaderPart, GraphError> {
    match component["format"].as_str().unwrap_or("TEXT").to_uppercase().as_str() {
        "TEXT" => {
            let text = component["text"].as_str().filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| header_error("a header of format TEXT needs a text"))?;
            if text.chars().count() > LINE {
                return Err(too_long("HEADER", LINE));
            }
            if text.contains(['\n', '*', '_', '~', '`']) && !text.contains("{{") {
                return Err(header_error("a header has no line breaks and no formatting"));
            }
            let mut found = variables(text).map_err(header_error)?;
            check_names(&found, named).map_err(header_error)?;
            match found.len() {
                0 => Ok(HeaderPart::Fixed),
                1 => {
                    let key = if named { "header_text_named_params" } else { "header_text" };
                    if component["example"][key].as_array().is_none_or(|examples| examples.len() != 1) {
                        return Err(no_example("HEADER"));
                    }
                    Ok(HeaderPart::Text(found.remove(0)))
                }
                _ => Err(header_error("a header has at most one variable")),
            }
        }
        format @ ("IMAGE" | "VIDEO" | "DOCUMENT") => {
            if component["example"]["header_handle"].as_array().is_none_or(Vec::is_empty) {
                return Err(no_example("HEADER"));
            }
            Ok(HeaderPart::Media(format.to_lowercase()))
        }
        "LOCATION" => Ok(HeaderPart::Media("location".into())),
        other => {
            Err(header_error(format!("format must be TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION, got {other}")))
        }
    }
}

fn body(component: &Value, category: &str, named: bool) -> Result<(String, Vec<Variable>), GraphError> {
    if category == "AUTHENTICATION" {
        if component.get("text").is_some() {
            return Err(body_error("the text of a template of the category AUTHENTICATION is Meta's own"));
        }
        // With the code as its one variable.
        let text = "{{1}} is your verification code.";
        return Ok((text.into(), variables(text).map_err(body_error)?));
    }
    let text = component["text"].as_str().filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| body_error("a body needs a text"))?;
    if text.chars().count() > BODY {
        return Err(too_long("BODY", BODY));
    }
    let found = variables(text).map_err(body_error)?;
    check_names(&found, named).map_err(body_error)?;
    if found.is_empty() {
        return Ok((text.into(), found));
    }
    let trimmed = text.trim();
    if trimmed.starts_with("{{") || trimmed.ends_with("}}") {
        return Err(GraphError::template(
            2_388_299,
            "Leading or trailing params are not allowed",
            "Variables can't be at the start or end of the template.",
        ));
    }
    // Meta does not publish the ratio; this one is what people have found by trying.
    if words(text, &found) < 2 * found.len() + 1 {
        return Err(GraphError::template(
            2_388_293,
            "Message template has too many variables for its length",
            "This template has too many variables for its length. Reduce the number of variables or increase the \
             message length.",
        ));
    }
    let examples = if named {
        component["example"]["body_text_named_params"].as_array().map(Vec::len)
    } else {
        component["example"]["body_text"].as_array().and_then(|rows| rows.first()?.as_array()).map(Vec::len)
    };
    if examples != Some(found.len()) {
        return Err(no_example("BODY"));
    }
    Ok((text.into(), found))
}

/// The words beside the variables.
fn words(text: &str, variables: &[Variable]) -> usize {
    let blanks = vec![" "; variables.len()];
    let fixed = super::variables::fill(text, variables, &blanks);
    fixed.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

fn footer(component: &Value, category: &str) -> Result<(), GraphError> {
    if category == "AUTHENTICATION" {
        return match component["code_expiration_minutes"].as_u64() {
            Some(1..=90) => Ok(()),
            _ => Err(footer_error("code_expiration_minutes must be from 1 to 90")),
        };
    }
    let text = component["text"].as_str().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| footer_error("a footer needs a text"))?;
    if text.chars().count() > LINE {
        return Err(too_long("FOOTER", LINE));
    }
    if text.contains("{{") {
        return Err(footer_error("a footer has no variables"));
    }
    Ok(())
}
