//! The parts of a message beside its text: header and buttons.

use serde::{Deserialize, Serialize};

/// What WhatsApp writes on a button that copies a code. It cannot be changed.
pub const COPY_CODE: &str = "Copy offer code";
/// What WhatsApp writes on a button that asks for a place. It cannot be changed.
pub const SEND_LOCATION: &str = "Send location";

/// A button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// Title; at most 20 characters.
    pub title: String,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
    /// The end of the link that the Meta template takes as a value; absent for a fixed link and for other buttons.
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
    /// Opens a list, of which one row can be chosen; at most 10 rows.
    List(Vec<Section>),
    /// Opens the map, to send a place.
    AskLocation,
}

impl Action {
    /// Whether a Meta template can have it.
    pub fn is_at_meta(&self) -> bool {
        !matches!(self, Action::List(_) | Action::AskLocation)
    }
}

/// A section of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Title, at most 24 characters; absent in a list of one section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What is returned if it is chosen; at most 200 characters.
    pub id: String,
    /// Title; at most 24 characters.
    pub title: String,
    /// A line below the title; at most 72 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
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
            Action::List(_) => "≡",
            Action::AskLocation => "📍",
        }
    }

    /// What it opens, calls or copies, where that is one text.
    pub fn target(&self) -> Option<&str> {
        match &self.action {
            Action::Url(value) | Action::Phone(value) | Action::Code(value) => Some(value),
            Action::Id(_) | Action::List(_) | Action::AskLocation => None,
        }
    }

    /// The rows of a list, each as a line: `Morning · 8 to 12`.
    pub fn rows(&self) -> Vec<String> {
        let Action::List(sections) = &self.action else { return Vec::new() };
        let rows = sections.iter().flat_map(|section| {
            let line = |row: &Row| match &row.description {
                Some(description) => format!("{} · {description}", row.title),
                None => row.title.clone(),
            };
            let title = section.title.iter().map(|title| format!("{title}:"));
            title.chain(section.rows.iter().map(line)).collect::<Vec<_>>()
        });
        rows.collect()
    }

    /// The button as a line of text, where it cannot be sent as a button: `Track it: https://example.com/7`.
    pub fn line(&self) -> String {
        match &self.action {
            Action::Id(_) => self.title.clone(),
            Action::Url(value) | Action::Phone(value) => format!("{}: {value}", self.title),
            Action::Code(code) => format!("Code: {code}"),
            Action::List(sections) => {
                let titles = sections.iter().flat_map(|section| &section.rows).map(|row| row.title.as_str());
                format!("{}: {}", self.title, titles.collect::<Vec<_>>().join(", "))
            }
            Action::AskLocation => self.title.clone(),
        }
    }
}

/// Which of these buttons a free-form message can have: quick replies, a list, a request for a place, or one link. The
/// others become lines of text.
pub fn carried(buttons: &[Button]) -> impl Fn(&Button) -> bool + use<> {
    let is_answer = |action: &Action| matches!(action, Action::Id(_) | Action::List(_) | Action::AskLocation);
    let answers = buttons.iter().any(|button| is_answer(&button.action));
    let links = buttons.iter().filter(|button| matches!(button.action, Action::Url(_))).count();
    move |button| match button.action {
        Action::Id(_) | Action::List(_) | Action::AskLocation => true,
        Action::Url(_) => !answers && links == 1,
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

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it comes from.
    #[serde(flatten)]
    pub source: FileSource,
    /// The name of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// Where a file comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSource {
    /// Meta fetches it from this link.
    Link(String),
    /// A file of the rules, by its path in their folder, for example `shop/files/menu.pdf`. It is uploaded to Meta.
    Rules(String),
}

impl File {
    /// Its link, or its path in the rules folder.
    pub fn place(&self) -> &str {
        match &self.source {
            FileSource::Link(place) | FileSource::Rules(place) => place,
        }
    }

    /// Its path in the rules folder, if that is where it comes from.
    pub fn in_rules(&self) -> Option<&str> {
        match &self.source {
            FileSource::Rules(path) => Some(path),
            FileSource::Link(_) => None,
        }
    }
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
            Header::Image(file) | Header::Video(file) | Header::Document(file) => file.place().to_owned(),
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
            Header::Image(file) => format!("🖼 {}", file.place()),
            Header::Video(file) => format!("🎬 {}", file.place()),
            Header::Document(file) => match &file.filename {
                Some(filename) => format!("📄 {filename} ({})", file.place()),
                None => format!("📄 {}", file.place()),
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
