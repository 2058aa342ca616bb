//! The parts of a message beside its text: header and buttons.

use serde::{Deserialize, Serialize};

/// What WhatsApp writes on a button that copies a code. It cannot be changed.
pub const COPY_CODE: &str = "Copy offer code";
/// What WhatsApp writes on the button of an authentication template, in the template's language.
pub const COPY_ONE_TIME_CODE: &str = "Copy code";

/// A button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Title; at most 20 characters.
    pub title: String,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
    /// The end of the link that the Meta template takes as a value; absent for a fixed link and for other buttons. The button of
    /// an authentication template is such a link at Meta, and this its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

/// What happens when somebody presses a button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A quick reply: it is returned with this id; at most 256 characters.
    Id(String),
    /// Opens a link; at most 2,000 characters.
    Url(String),
    /// Calls a number, for example `+263770000001`.
    Phone(String),
    /// Copies a code; at most 15 characters.
    Code(String),
}

impl Button {
    /// A quick reply.
    pub fn reply(id: impl Into<String>, title: impl Into<String>) -> Button {
        Button { title: title.into(), action: Action::Id(id.into()), suffix: None }
    }

    /// The mark that stands before the title where a message is shown.
    pub fn mark(&self) -> &'static str {
        match self.action {
            Action::Id(_) => "↩",
            Action::Url(_) => "↗",
            Action::Phone(_) => "☎",
            Action::Code(_) => "⧉",
        }
    }

    /// The button as a line of text, where it cannot be sent as a button: `Track it: https://example.com/7`.
    pub fn line(&self) -> String {
        match &self.action {
            Action::Id(_) => self.title.clone(),
            Action::Url(value) | Action::Phone(value) => format!("{}: {value}", self.title),
            Action::Code(code) => format!("Code: {code}"),
        }
    }
}

/// Which of these buttons a free-form message can have: quick replies, or one link. The others become lines of text.
pub fn carried(buttons: &[Button]) -> impl Fn(&Button) -> bool + use<> {
    let replies = buttons.iter().any(|button| matches!(button.action, Action::Id(_)));
    let links = buttons.iter().filter(|button| matches!(button.action, Action::Url(_))).count();
    move |button| match button.action {
        Action::Id(_) => true,
        Action::Url(_) => !replies && links == 1,
        Action::Phone(_) | Action::Code(_) => false,
    }
}

/// What stands above the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// A line of text; at most 60 characters.
    Text(HeaderText),
    /// An image.
    Image(File),
    /// A video.
    Video(File),
    /// A document.
    Document(File),
    /// A place on the map.
    Location(Location),
}

/// The text of a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderText {
    /// The whole text.
    pub text: String,
    /// The part that the Meta template takes as a value; absent for a fixed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A file that is sent by its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where Meta fetches it.
    pub link: String,
    /// The name of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// A place on the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
}

impl Header {
    /// Meta's name of its type in a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Header::Text(_) => "text",
            Header::Image(_) => "image",
            Header::Video(_) => "video",
            Header::Document(_) => "document",
            Header::Location(_) => "location",
        }
    }

    /// The file of an image, a video or a document.
    pub fn file(&self) -> Option<&File> {
        match self {
            Header::Image(file) | Header::Video(file) | Header::Document(file) => Some(file),
            Header::Text(_) | Header::Location(_) => None,
        }
    }

    /// The header as a line of text, where it cannot be sent as a header.
    pub fn line(&self) -> String {
        match self {
            Header::Text(HeaderText { text, .. }) => format!("*{text}*"),
            Header::Image(file) | Header::Video(file) | Header::Document(file) => file.link.clone(),
            Header::Location(Location { latitude, longitude, name, address }) => {
                let mut parts: Vec<&str> =
                    [name.as_str(), address.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
                let map = format!("https://maps.google.com/?q={latitude},{longitude}");
                parts.push(&map);
                parts.join(", ")
            }
        }
    }

    /// The header as it is shown in a list or a terminal: its text, or a mark and what it is.
    pub fn shown(&self) -> String {
        match self {
            Header::Text(HeaderText { text, .. }) => text.clone(),
            Header::Image(file) => format!("🖼 {}", file.link),
            Header::Video(file) => format!("🎬 {}", file.link),
            Header::Document(File { link, filename }) => match filename {
                Some(filename) => format!("📄 {filename} ({link})"),
                None => format!("📄 {link}"),
            },
            Header::Location(location) => format!("📍 {}", Header::Location(location.clone()).line()),
        }
    }
}

/// Header, footer and buttons of the Meta template, where they are not those of the message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetaParts {
    /// The header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// The footer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// The buttons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}
