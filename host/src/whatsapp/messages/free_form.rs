//! A free-form message in Meta's JSON: text, a file with a caption, or an interactive message.

use std::borrow::Cow;

use hookswitch_core::{
    domain::{Action, Button, File, FileSource, Header, HeaderText, Message, Section},
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

/// A file, by its link or by Meta's id.
#[derive(Serialize)]
pub(super) struct Media<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
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
    List { button: &'a str, sections: &'a [Section] },
    Ask { name: &'static str },
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
    /// A file without a caption; `id` is that of an upload.
    pub(super) fn new(file: &'a File, id: Option<&'a str>) -> Media<'a> {
        let (id, link) = match &file.source {
            FileSource::Link(link) => (None, Some(link.as_str())),
            FileSource::Rules(_) => (id, None),
        };
        Media { id, link, filename: file.filename.as_deref(), caption: None }
    }
}

/// The free-form message for a message as it is sent in an open window.
pub(super) fn free_form<'a>(message: &'a Message, media_id: Option<&'a str>) -> FreeForm<'a> {
    if !message.buttons.is_empty() {
        return FreeForm::Interactive(Box::new(interactive(message, media_id)));
    }
    let captioned =
        |file| Media { caption: Some(with_footer(message, INTERACTIVE_BODY)), ..Media::new(file, media_id) };
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

fn interactive<'a>(message: &'a Message, media_id: Option<&'a str>) -> Interactive<'a> {
    let only = message.buttons.iter().find_map(|button| match &button.action {
        Action::Url(url) => {
            let parameters = Link { display_text: &button.title, url };
            Some(("cta_url", ActionJson::Link { name: "cta_url", parameters }))
        }
        Action::List(sections) => Some(("list", ActionJson::List { button: &button.title, sections })),
        Action::AskLocation => Some(("location_request_message", ActionJson::Ask { name: "send_location" })),
        Action::Id(_) | Action::Phone(_) | Action::Code(_) => None,
    });
    let replies = || message.buttons.iter().filter_map(reply).collect();
    let (kind, action) = only.unwrap_or_else(|| ("button", ActionJson::Replies { buttons: replies() }));
    // Meta describes no footer of a request for a place.
    let has_footer = !matches!(action, ActionJson::Ask { .. });
    let header = message.header.as_ref().and_then(|header| match header {
        Header::Text(HeaderText { text, .. }) => Some(HeaderJson::Text { text }),
        Header::Image(file) => Some(HeaderJson::Image { image: Media::new(file, media_id) }),
        Header::Video(file) => Some(HeaderJson::Video { video: Media::new(file, media_id) }),
        Header::Document(file) => Some(HeaderJson::Document { document: Media::new(file, media_id) }),
        Header::Location(_) => None,
    });
    Interactive {
        kind,
        header,
        body: TextJson {
            text: match has_footer {
                true => cut(&message.body, INTERACTIVE_BODY),
                false => with_footer(message, INTERACTIVE_BODY).into(),
            },
        },
        footer: message
            .footer
            .as_deref()
            .filter(|_| has_footer)
            .map(|footer| TextJson { text: cut(footer, FOOTER) }),
        action,
    }
}

fn reply(button: &Button) -> Option<ReplyButton<'_>> {
    match &button.action {
        Action::Id(id) => Some(ReplyButton { kind: "reply", reply: Reply { id, title: &button.title } }),
        Action::Url(_) | Action::Phone(_) | Action::Code(_) | Action::List(_) | Action::AskLocation => None,
    }
}
