//! The `template` object of a send: its shape. Whether it fits the template is told elsewhere.

use serde_json::Value;

use super::{
    GraphError,
    fields::{invalid, mandatory, text},
    media,
};

/// A send of a template.
#[derive(Debug)]
pub struct TemplateSend<'a> {
    /// The template's name.
    pub name: &'a str,
    /// `language.code`.
    pub language: &'a str,
    /// What goes into it.
    pub components: Vec<Component<'a>>,
}

/// Parameters for one part of the template.
#[derive(Debug)]
pub struct Component<'a> {
    /// `header`, `body`, `button`, …: in lower case, whatever the caller wrote.
    pub kind: String,
    /// A button's `sub_type`, in lower case.
    pub sub_type: Option<String>,
    /// A button's `index`.
    pub index: usize,
    /// In their order.
    pub parameters: Vec<Parameter<'a>>,
}

/// One parameter.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// `text`, `image`, `payload`, …: in lower case.
    pub kind: String,
    /// `parameter_name`, for named templates.
    pub name: Option<&'a str>,
    /// What stands in the message, where that is text.
    pub text: Option<&'a str>,
}

/// Checks and reads the `template` object.
pub fn check(object: &Value) -> Result<TemplateSend<'_>, GraphError> {
    let name = text(object, "name", "template", 512)?;
    let language = object.get("language").ok_or_else(|| mandatory("language", "template"))?;
    let language = text(language, "code", "template", 64)?;
    let components = match object.get("components") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(components)) => components.iter().map(component).collect::<Result<_, _>>()?,
        Some(_) => return Err(GraphError::parameter("Param template['components'] must be an array.")),
    };
    Ok(TemplateSend { name, language, components })
}

fn component(object: &Value) -> Result<Component<'_>, GraphError> {
    let kind = text(object, "type", "component", 32)?.to_lowercase();
    if !matches!(kind.as_str(), "header" | "body" | "button" | "footer" | "carousel" | "limited_time_offer") {
        return Err(GraphError::parameter(format!(
            "Param template['components'][…]['type'] must be one of {{HEADER, BODY, BUTTON, …}} - got \"{kind}\"."
        )));
    }
    let (mut sub_type, mut index) = (None, 0);
    if kind == "button" {
        sub_type = Some(text(object, "sub_type", "button", 32)?.to_lowercase());
        index = match object.get("index") {
            Some(Value::Number(n)) => n.as_u64(),
            Some(Value::String(s)) => s.parse().ok(),
            _ => return Err(mandatory("index", "button")),
        }
        .and_then(|index| usize::try_from(index).ok())
        .filter(|index| *index < 10)
        .ok_or_else(|| invalid("button['index'] must be from 0 to 9"))?;
    }
    let parameters = match object.get("parameters") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(parameters)) => parameters.iter().map(parameter).collect::<Result<_, _>>()?,
        Some(_) => return Err(GraphError::parameter("Param component['parameters'] must be an array.")),
    };
    Ok(Component { kind, sub_type, index, parameters })
}

fn parameter(object: &Value) -> Result<Parameter<'_>, GraphError> {
    let kind = text(object, "type", "parameter", 32)?.to_lowercase();
    let content = match kind.as_str() {
        "text" => match object.get("text") {
            // Meta's own example sends a boolean to a quick reply.
            Some(Value::Bool(_)) => None,
            _ => {
                let value = object.get("text").ok_or_else(|| missing_text(&kind))?;
                let value =
                    value.as_str().filter(|value| !value.is_empty()).ok_or_else(|| missing_text(&kind))?;
                clean(value)?;
                Some(value)
            }
        },
        "currency" | "date_time" => {
            let value = object.get(&kind).ok_or_else(|| mandatory(&kind, "parameter"))?;
            Some(text(value, "fallback_value", "parameter", 1024)?)
        }
        "image" | "video" | "document" => {
            media::source(object.get(&kind).ok_or_else(|| mandatory(&kind, "parameter"))?, "parameter")?;
            None
        }
        "location" => {
            media::location(object.get(&kind).ok_or_else(|| mandatory(&kind, "parameter"))?)?;
            None
        }
        "payload" => Some(text(object, "payload", "parameter", 256)?),
        "coupon_code" => Some(text(object, "coupon_code", "parameter", 15)?),
        "action" => {
            object.get("action").ok_or_else(|| mandatory("action", "parameter"))?;
            None
        }
        _ => return Err(GraphError::new(132_012, format!("Parameter of type {kind} is not known"))),
    };
    let name = object.get("parameter_name").and_then(Value::as_str).filter(|name| !name.is_empty());
    Ok(Parameter { kind, name, text: content })
}

fn missing_text(kind: &str) -> GraphError {
    GraphError::new(131_008, format!("Parameter of type {kind} is missing text value"))
}

/// Meta takes no line breaks, tabs or runs of more than four spaces in a parameter.
fn clean(value: &str) -> Result<(), GraphError> {
    if value.contains(['\n', '\r', '\t']) || value.contains("     ") {
        return Err(GraphError::new(
            132_018,
            "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
        ));
    }
    Ok(())
}
