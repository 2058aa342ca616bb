//! A free-form message in Meta's JSON: text, a file with a caption, or an interactive message.

use std::borrow::Cow;

use hookswitch_core::{
    domain::{Action, Button, File, Header, HeaderText, Message},
    plan::one_line,
};
use serde::Serialize;

use super::{FOOTER, INTERACTIVE_BODY, TEXT_BODY, cut};

/// A free-form message. Its type at Meta is [`FreeForm::kind`].
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FreeForm<'a> {
    Text(Text),
    Image(Media<'a>),
    Video(Media<'a>),
    Document(Media<'a>),
    Interactive(Box<Interactive<'a>>),
}

#[derive(Serialize)]
pub(super) struct Text {
    body: String,
    preview_url: bool,
}

/// A file by its link.
#[derive(Serialize)]
pub(super) struct Media<'a> {
    link: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Interactive<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<HeaderJson<'a>>,
    body: TextJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    footer: Option<TextJson<'a>>,
    action: ActionJson<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum HeaderJson<'a> {
    Text { text: &'a str },
    Image { image: Media<'a> },
    Video { video: Media<'a> },
    Document { document: Media<'a> },
}

#[derive(Serialize)]
struct TextJson<'a> {
    text: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ActionJson<'a> {
    Replies { buttons: Vec<ReplyButton<'a>> },
    Link { name: &'static str, parameters: Link<'a> },
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
struct Link<'a> {
    display_text: &'a str,
    url: &'a str,
}

impl FreeForm<'_> {
    /// Meta's name of the type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            FreeForm::Text(_) => "text",
            FreeForm::Image(_) => "image",
            FreeForm::Video(_) => "video",
            FreeForm::Document(_) => "document",
            FreeForm::Interactive(_) => "interactive",
        }
    }
}

impl<'a> Media<'a> {
    /// A file without a caption.
    pub(super) fn new(file: &'a File) -> Media<'a> {
        Media { link: &file.link, filename: file.filename.as_deref(), caption: None }
    }
}

/// The free-form message for a message as it is sent in an open window.
pub(super) fn free_form(message: &Message) -> FreeForm<'_> {
    if !message.buttons.is_empty() {
        return FreeForm::Interactive(Box::new(interactive(message)));
    }
    let captioned =
        |file| Media { caption: Some(with_footer(message, INTERACTIVE_BODY)), ..Media::new(file) };
    match &message.header {
        Some(Header::Image(file)) => FreeForm::Image(captioned(file)),
        Some(Header::Video(file)) => FreeForm::Video(captioned(file)),
        Some(Header::Document(file)) => FreeForm::Document(captioned(file)),
        Some(Header::Text(_) | Header::Location(_)) | None => {
            FreeForm::Text(Text { body: with_footer(message, TEXT_BODY), preview_url: false })
        }
    }
}

/// The text with the footer as an italic last line: text and captions have no footer at Meta.
fn with_footer(message: &Message, limit: usize) -> String {
    match message.footer.as_deref().map(str::trim).filter(|footer| !footer.is_empty()) {
        None => cut(&message.body, limit).into_owned(),
        Some(footer) => {
            // WhatsApp's formatting ends at the end of a line.
            let footer = one_line(footer, " ");
            let room = limit.saturating_sub(footer.chars().count() + "\n\n__".len());
            format!("{}\n\n_{footer}_", cut(&message.body, room))
        }
    }
}

fn interactive(message: &Message) -> Interactive<'_> {
    let link = message.buttons.iter().find_map(|button| match &button.action {
        Action::Url(url) => Some(Link { display_text: &button.title, url }),
        _ => None,
    });
    let (kind, action) = match link {
        Some(parameters) => ("cta_url", ActionJson::Link { name: "cta_url", parameters }),
        None => {
            ("button", ActionJson::Replies { buttons: message.buttons.iter().filter_map(reply).collect() })
        }
    };
    let header = message.header.as_ref().and_then(|header| match header {
        Header::Text(HeaderText { text, .. }) => Some(HeaderJson::Text { text }),
        Header::Image(file) => Some(HeaderJson::Image { image: Media::new(file) }),
        Header::Video(file) => Some(HeaderJson::Video { video: Media::new(file) }),
        Header::Document(file) => Some(HeaderJson::Document { document: Media::new(file) }),
        Header::Location(_) => None,
    });
    Interactive {
        kind,
        header,
        body: TextJson { text: cut(&message.body, INTERACTIVE_BODY) },
        footer: message.footer.as_deref().map(|footer| TextJson { text: cut(footer, FOOTER) }),
        action,
    }
}

fn reply(button: &Button) -> Option<ReplyButton<'_>> {
    match &button.action {
        Action::Id(id) => Some(ReplyButton { kind: "reply", reply: Reply { id, title: &button.title } }),
        Action::Url(_) | Action::Phone(_) | Action::Code(_) => None,
    }
}
