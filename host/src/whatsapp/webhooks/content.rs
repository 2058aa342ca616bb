//! What a user's message holds, in the words of events. What Meta adds to a message's type is left out until it is named here.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::loose::{clean, loose, text};

/// Longest text of a message, in characters: what WhatsApp takes at most.
const LONGEST: usize = 4_096;

/// What a message holds beside its type.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Content {
    /// What they wrote: a text, a caption, or the title of what they pressed or chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The button that they pressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button: Option<Choice>,
    /// The row of a list that they chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<Choice>,
    /// An image, video, voice message, document or sticker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// A place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// A reaction to a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaction: Option<Reaction>,
}

/// What somebody pressed or chose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// The id that the sender gave it; of a template's button its payload, or its title where it has none.
    pub id: String,
    /// Its title.
    pub title: String,
}

/// A file, by Meta's id.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Media {
    /// Meta's id of the file.
    pub id: String,
    /// Its type, such as `image/jpeg`.
    pub mime_type: Option<String>,
    /// Its SHA-256, as Meta writes it (Base64).
    pub sha256: Option<String>,
    /// The name of a document.
    pub filename: Option<String>,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Location {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// Its name.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
}

/// A reaction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reaction {
    /// The emoji; `None` where a reaction was taken back.
    pub emoji: Option<String>,
    /// Meta's id of the message.
    pub message_id: String,
}

#[derive(Deserialize)]
struct Text {
    body: String,
}

#[derive(Deserialize)]
struct TemplateButton {
    text: String,
    #[serde(default, deserialize_with = "loose")]
    payload: Option<String>,
}

#[derive(Deserialize)]
struct Interactive {
    button_reply: Option<Reply>,
    list_reply: Option<Reply>,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default, deserialize_with = "loose")]
    id: Option<String>,
    title: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(deserialize_with = "loose")]
    id: Option<String>,
    mime_type: Option<String>,
    sha256: Option<String>,
    filename: Option<String>,
    caption: Option<String>,
}

#[derive(Deserialize)]
struct Place {
    latitude: f64,
    longitude: f64,
    name: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
struct Reacted {
    message_id: String,
    emoji: Option<String>,
}

fn short(value: Option<String>) -> Option<String> {
    value.map(|value| text(&value)).filter(|value| !value.is_empty())
}

fn said(value: &str) -> Option<String> {
    Some(clean(value, LONGEST)).filter(|value| !value.is_empty())
}

fn choice(id: Option<String>, title: &str) -> Choice {
    let title = text(title);
    Choice { id: short(id).unwrap_or_else(|| title.clone()), title }
}

impl Content {
    /// Reads the member that a message of this type has. One that cannot be read is left out: it must not cost the message.
    pub(super) fn read(kind: &str, member: Option<&RawValue>) -> Content {
        let Some(json) = member.map(RawValue::get) else { return Content::default() };
        let read = match kind {
            "text" => serde_json::from_str::<Text>(json)
                .map(|body| Content { text: said(&body.body), ..Content::default() }),
            "button" => serde_json::from_str::<TemplateButton>(json).map(|button| Content {
                text: said(&button.text),
                button: Some(choice(button.payload, &button.text)),
                ..Content::default()
            }),
            "interactive" => serde_json::from_str::<Interactive>(json).map(Content::chosen),
            "image" | "video" | "audio" | "voice" | "document" | "sticker" => {
                serde_json::from_str::<File>(json).map(Content::file)
            }
            "location" => serde_json::from_str::<Place>(json).map(|place| Content {
                location: Some(Location {
                    latitude: place.latitude,
                    longitude: place.longitude,
                    name: short(place.name),
                    address: short(place.address),
                }),
                ..Content::default()
            }),
            "reaction" => serde_json::from_str::<Reacted>(json).map(|reacted| Content {
                reaction: Some(Reaction {
                    emoji: short(reacted.emoji),
                    message_id: text(&reacted.message_id),
                }),
                ..Content::default()
            }),
            _ => return Content::default(),
        };
        read.unwrap_or_default()
    }

    fn chosen(Interactive { button_reply, list_reply }: Interactive) -> Content {
        let title = button_reply.as_ref().or(list_reply.as_ref()).and_then(|reply| said(&reply.title));
        let chosen = |reply: Option<Reply>| reply.map(|reply| choice(reply.id, &reply.title));
        Content { text: title, button: chosen(button_reply), list: chosen(list_reply), ..Content::default() }
    }

    fn file(file: File) -> Content {
        let media = short(file.id).map(|id| Media {
            id,
            mime_type: short(file.mime_type),
            sha256: short(file.sha256),
            filename: short(file.filename),
        });
        Content { text: file.caption.and_then(|caption| said(&caption)), media, ..Content::default() }
    }
}
