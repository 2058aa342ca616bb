//! Checks a send request as Meta does, without looking at the account: fields, types and sizes.

mod carousel;
mod choices;
mod elsewhere;
mod fields;
mod interactive;
mod media;
mod references;
mod template;

use serde_json::Value;

use self::fields::{invalid, mandatory, text};
pub use self::references::media_references;
pub use self::template::{Component, Parameter, TemplateSend};
use super::error::GraphError;
use crate::ids::is_user_id;

/// The longest text message, in characters.
const TEXT: usize = 4096;
/// The longest `biz_opaque_callback_data`, in characters (Meta, changelog of January 2024).
const CALLBACK_DATA: usize = 512;

/// A request that has passed.
#[derive(Debug)]
pub struct Checked<'a> {
    /// Who it is for.
    pub recipient: Recipient,
    /// `type`.
    pub kind: &'static str,
    /// `biz_opaque_callback_data`.
    pub callback_data: Option<&'a str>,
    /// Where it is a template.
    pub template: Option<TemplateSend<'a>>,
}

/// A request at the messages endpoint.
#[derive(Debug)]
pub enum Request<'a> {
    /// A message to send.
    Message(Checked<'a>),
    /// A mark-as-read, with or without a typing indicator.
    Read,
}

/// Who a message is for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipient {
    /// As the caller wrote it.
    pub input: String,
    /// Digits of the number.
    pub wa_id: Option<String>,
    /// Business-scoped user id, where the caller used it.
    pub user_id: Option<String>,
}

impl Recipient {
    /// What the simulator knows them by: the number, or the user id where there is none.
    pub fn key(&self) -> &str {
        self.wa_id.as_deref().or(self.user_id.as_deref()).unwrap_or_default()
    }
}

/// Reads what is written as a JSON text within the body: Graph takes an object or a list as either.
pub fn unpack(body: &mut Value) {
    let Some(kind) = body.get("type").and_then(Value::as_str).map(str::to_owned) else { return };
    for name in [kind.as_str(), "context"] {
        let Some(Value::String(text)) = body.get(name) else { continue };
        if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
            body[name] = value;
        }
    }
}

/// Checks a request.
///
/// # Errors
/// The error that Meta would answer.
pub fn request(body: &Value) -> Result<Request<'_>, GraphError> {
    if !body.is_object() {
        return Err(GraphError::parameter("Invalid parameter: the body must be a JSON object."));
    }
    match body.get("messaging_product").and_then(Value::as_str) {
        Some("whatsapp") => {}
        Some(_) => return Err(GraphError::parameter("Param messaging_product must be one of {WHATSAPP}.")),
        None => return Err(GraphError::parameter("The parameter messaging_product is required.")),
    }
    if let Some(status) = body.get("status") {
        return read(body, status);
    }
    message(body).map(Request::Message)
}

fn read<'a>(body: &Value, status: &Value) -> Result<Request<'a>, GraphError> {
    if status != "read" {
        return Err(GraphError::parameter("Param status must be one of {READ}."));
    }
    text(body, "message_id", "read", 1024)?;
    match body.get("typing_indicator") {
        Some(typing) if typing["type"] != "text" => {
            Err(GraphError::parameter("Param typing_indicator['type'] must be one of {TEXT}."))
        }
        _ => Ok(Request::Read),
    }
}

fn message(body: &Value) -> Result<Checked<'_>, GraphError> {
    let recipient = recipient(body)?;
    let callback_data = match body.get("biz_opaque_callback_data") {
        None | Some(Value::Null) => None,
        Some(Value::String(data)) if data.chars().count() <= CALLBACK_DATA => Some(data.as_str()),
        Some(Value::String(_)) => {
            return Err(GraphError::parameter(format!(
                "Param biz_opaque_callback_data must be at most {CALLBACK_DATA} characters long."
            )));
        }
        Some(_) => return Err(GraphError::parameter("Param biz_opaque_callback_data must be a string.")),
    };
    if let Some(context) = body.get("context").filter(|context| !context.is_null()) {
        text(context, "message_id", "context", 1024)?;
    }
    let kind = body.get("type").map_or(Some("text"), Value::as_str).unwrap_or_default();
    let (kind, template) = content(body, kind)?;
    Ok(Checked { recipient, kind, callback_data, template })
}

/// Checks the object that is named like the message's type.
fn content<'a>(body: &'a Value, kind: &str) -> Result<(&'static str, Option<TemplateSend<'a>>), GraphError> {
    let object =
        |kind: &str| body.get(kind).filter(|object| !object.is_null()).ok_or_else(|| mandatory(kind, kind));
    let kind = match kind {
        "text" => {
            let object = object("text")?;
            let body = text(object, "body", "text", usize::MAX)?;
            if body.chars().count() > TEXT {
                return Err(GraphError::parameter(format!(
                    "Param text['body'] must be at most {TEXT} characters long."
                )));
            }
            if object.get("preview_url").is_some_and(|preview| !preview.is_boolean()) {
                return Err(GraphError::parameter("Param text['preview_url'] must be a boolean."));
            }
            "text"
        }
        "template" => return Ok(("template", Some(template::check(object("template")?)?))),
        "interactive" => {
            interactive::check(object("interactive")?)?;
            "interactive"
        }
        "image" => media::check(object("image")?, "image")?,
        "document" => media::check(object("document")?, "document")?,
        "audio" => media::check(object("audio")?, "audio")?,
        "video" => media::check(object("video")?, "video")?,
        "sticker" => media::check(object("sticker")?, "sticker")?,
        "location" => media::location(object("location")?)?,
        "contacts" => media::contacts(object("contacts")?)?,
        "reaction" => media::reaction(object("reaction")?)?,
        other => {
            return Err(GraphError::new(
                131_051,
                format!(
                    "Message type '{other}' is not supported; the simulator takes text, template, interactive, \
                         image, document, audio, video, sticker, location, contacts and reaction"
                ),
            ));
        }
    };
    Ok((kind, None))
}

fn recipient(body: &Value) -> Result<Recipient, GraphError> {
    match body.get("recipient_type").and_then(Value::as_str) {
        None | Some("individual") => {}
        Some("group") => {
            return Err(invalid(
                "recipient_type 'group' needs a WhatsApp group, which the simulator does not have",
            ));
        }
        Some(other) => {
            return Err(GraphError::parameter(format!(
                "Param recipient_type must be one of {{GROUP, INDIVIDUAL}} - got \"{other}\"."
            )));
        }
    }
    let field = |name: &str| match body.get(name) {
        Some(Value::String(s)) if !s.is_empty() => Some(s.clone()),
        Some(Value::Number(n)) => Some(n.to_string()),
        _ => None,
    };
    let user_id = field("recipient");
    if let Some(user_id) = &user_id
        && !is_user_id(user_id)
    {
        return Err(invalid("recipient must be a business-scoped user id, such as US.13491208655302741918"));
    }
    match (field("to"), user_id) {
        (Some(to), user_id) => Ok(Recipient { wa_id: Some(digits(&to)?), input: to, user_id }),
        (None, Some(user_id)) => {
            Ok(Recipient { input: user_id.clone(), wa_id: None, user_id: Some(user_id) })
        }
        (None, None) => Err(GraphError::parameter("The parameter to is required.")),
    }
}

/// A number's digits: Meta takes `+`, `-`, parentheses and spaces.
pub fn digits(number: &str) -> Result<String, GraphError> {
    let digits: String = number.chars().filter(|c| !matches!(c, '+' | '-' | '(' | ')' | ' ')).collect();
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(digits)
    } else {
        Err(invalid("to must be a phone number of 7 to 15 digits, with its country code"))
    }
}

#[cfg(test)]
mod tests;
