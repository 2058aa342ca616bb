//! A message in Meta's JSON: the body of `POST /{phone-number-id}/messages`.

use std::borrow::Cow;

use hookswitch_core::{
    domain::{Message, is_user_id},
    plan::{one_line, parameter},
};
use serde::Serialize;

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
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interactive: Option<Interactive<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Template<'a>>,
    biz_opaque_callback_data: &'a str,
}

#[derive(Serialize)]
struct Text<'a> {
    body: Cow<'a, str>,
    preview_url: bool,
}

#[derive(Serialize)]
struct Interactive<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    body: InteractiveText<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<InteractiveText<'a>>,
    action: Action<'a>,
}

#[derive(Serialize)]
struct InteractiveText<'a> {
    text: Cow<'a, str>,
}

#[derive(Serialize)]
struct Action<'a> {
    buttons: Vec<ReplyButton<'a>>,
}

#[derive(Serialize)]
struct ReplyButton<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    reply: Reply<'a>,
}

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a str,
    title: &'a str,
}

#[derive(Serialize)]
struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    components: Option<[Component<'a>; 1]>,
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
}

#[derive(Serialize)]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    parameters: Vec<Parameter<'a>>,
}

#[derive(Serialize)]
struct Parameter<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_name: Option<&'a str>,
    text: Cow<'a, str>,
}

/// The body of the request. Texts beyond Meta's limits are cut: a shortened notification is better than a rejected one.
pub(super) fn request(to: &str, form: Form, message: &Message, callback_data: &str) -> Vec<u8> {
    let by_user_id = is_user_id(to);
    let mut request = Request {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        // Without the plus, Meta adds the country code of the sender.
        to: (!by_user_id).then(|| if to.starts_with('+') { to.into() } else { format!("+{to}").into() }),
        recipient: by_user_id.then_some(to),
        kind: "text",
        text: None,
        interactive: None,
        template: None,
        biz_opaque_callback_data: callback_data,
    };
    match form {
        Form::Template => {
            request.kind = "template";
            request.template = Some(template(message));
        }
        Form::Text if message.buttons.is_empty() => request.text = Some(text(message)),
        Form::Text => {
            request.kind = "interactive";
            request.interactive = Some(interactive(message));
        }
    }
    let mut body = Vec::with_capacity(512 + message.body.len());
    // Serialising strings and structs to memory cannot fail.
    let _ = serde_json::to_writer(&mut body, &request);
    body
}

/// Appends the footer as an italic last line: plain text has no footer at Meta.
fn text(message: &Message) -> Text<'_> {
    let body = match message.footer.as_deref().map(str::trim).filter(|footer| !footer.is_empty()) {
        None => cut(&message.body, TEXT_BODY),
        Some(footer) => {
            // WhatsApp's formatting ends at the end of a line.
            let footer = one_line(footer, " ");
            let room = TEXT_BODY.saturating_sub(footer.chars().count() + "\n\n__".len());
            format!("{}\n\n_{footer}_", cut(&message.body, room)).into()
        }
    };
    Text { body, preview_url: false }
}

fn interactive(message: &Message) -> Interactive<'_> {
    let buttons = message
        .buttons
        .iter()
        .map(|button| ReplyButton { kind: "reply", reply: Reply { id: &button.id, title: &button.title } })
        .collect();
    Interactive {
        kind: "button",
        body: InteractiveText { text: cut(&message.body, INTERACTIVE_BODY) },
        footer: message.footer.as_deref().map(|footer| InteractiveText { text: cut(footer, FOOTER) }),
        action: Action { buttons },
    }
}

/// The payloads of a template's buttons: without them, Meta returns the text of a button.
fn template(message: &Message) -> Template<'_> {
    let names = message.parameter_names.iter().map(|name| Some(name.as_str()));
    let parameters: Vec<_> = (message.parameters.iter().zip(names.chain(std::iter::repeat(None))))
        .map(|(value, parameter_name)| Parameter { kind: "text", parameter_name, text: parameter(value) })
        .collect();
    Template {
        name: &message.template,
        language: Language { code: &message.language },
        components: (!parameters.is_empty()).then_some([Component { kind: "body", parameters }]),
    }
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
