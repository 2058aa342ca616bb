//! A message in Meta's JSON: the body of `POST /{phone-number-id}/messages`.

mod free_form;
mod template;

use std::borrow::Cow;

use hookswitch_core::domain::{Message, is_user_id};
use serde::Serialize;

use self::{
    free_form::{FreeForm, free_form},
    template::{Template, template},
};

/// The form in which a message is sent, chosen by its mode and the recipient's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Free-form; only while the recipient's window is open.
    Text,
    /// As the Meta template of the message.
    Template,
}

/// Meta's limits, in characters ("Text messages", "Interactive reply buttons", "Templates").
const TEXT_BODY: usize = 4096;
const INTERACTIVE_BODY: usize = 1024;
const FOOTER: usize = 60;

#[derive(Serialize)]
struct Request<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context<'a>>,
    #[serde(flatten)]
    free_form: Option<FreeForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Template<'a>>,
    biz_opaque_callback_data: &'a str,
}

/// The message that is quoted.
#[derive(Serialize)]
struct Context<'a> {
    message_id: &'a str,
}

/// The body of the request. Texts beyond Meta's limits are cut: a shortened notification is better than a rejected one.
/// `media_id` is Meta's id of the file that [`file_in`] names.
pub(super) fn request(
    to: &str,
    form: Form,
    message: &Message,
    media_id: Option<&str>,
    callback_data: &str,
) -> Vec<u8> {
    let by_user_id = is_user_id(to);
    let in_window = message.in_window();
    let mut request = Request {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        // Without the plus, Meta adds the country code of the sender.
        to: (!by_user_id).then(|| if to.starts_with('+') { to.into() } else { format!("+{to}").into() }),
        recipient: by_user_id.then_some(to),
        kind: "text",
        context: message.reply_to.as_deref().map(|message_id| Context { message_id }),
        free_form: None,
        template: None,
        biz_opaque_callback_data: callback_data,
    };
    match form {
        Form::Template => {
            request.kind = "template";
            request.template = Some(template(message, media_id));
        }
        Form::Text => {
            let free_form = free_form(&in_window, media_id);
            request.kind = free_form.kind();
            request.free_form = Some(free_form);
        }
    }
    let mut body = Vec::with_capacity(512 + message.body.len());
    // Serialising strings and structs to memory cannot fail.
    let _ = serde_json::to_writer(&mut body, &request);
    body
}

/// The file of the rules that a message has in this form, by its path: it must be uploaded first.
pub fn file_in(message: &Message, form: Form) -> Option<&str> {
    let header = match form {
        Form::Text => message.header.as_ref(),
        Form::Template => template::parts(message).0,
    };
    header?.file()?.in_rules()
}

/// Cuts a text to `limit` characters, ending in an ellipsis.
fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    // A character is at least a byte.
    if text.len() <= limit || text.chars().count() <= limit {
        return text.into();
    }
    let end = text.char_indices().nth(limit.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    format!("{}…", text.get(..end).unwrap_or(text)).into()
}

#[cfg(test)]
mod tests;
