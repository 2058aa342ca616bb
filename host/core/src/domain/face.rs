//! A message as the phone shows it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Header, Message, Mode};

/// A message as the phone shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Face {
    /// What stands above the text, on a line.
    pub header: Option<String>,
    /// The text, in WhatsApp's formatting.
    pub body: String,
    /// The small line below the text.
    pub footer: Option<String>,
    /// The titles of the buttons.
    pub buttons: Vec<String>,
}

impl From<Message> for Face {
    fn from(message: Message) -> Self {
        Face {
            header: message.header.as_ref().map(Header::shown),
            body: message.body,
            footer: message.footer,
            buttons: message.buttons.into_iter().map(|button| button.title).collect(),
        }
    }
}

impl Face {
    /// How a message reads in an open 24-hour window; `None` if it is never sent there as free-form text.
    pub fn in_window(message: &Message) -> Option<Face> {
        (message.mode != Mode::Template).then(|| message.in_window().into())
    }

    /// How a message reads outside the window, as the Meta template; `None` if it is never sent as one.
    pub fn as_template(message: &Message) -> Option<Face> {
        (message.mode != Mode::Text).then(|| message.as_template().into())
    }
}
