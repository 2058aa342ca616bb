//! A notification: one message to one person, rendered and on its way.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::{NoContext, Uuid};

use super::{Lane, Mode, Priority, Track};

/// A notification's id: a UUID of version 7. Travels to Meta and back as `biz_opaque_callback_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct NotificationId(pub Uuid);

impl NotificationId {
    /// A new id that begins with the time.
    pub fn new(now: Timestamp) -> NotificationId {
        NotificationId(uuid_at(now))
    }
}

/// A new UUID of version 7 that begins with the time.
pub fn uuid_at(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = now.subsec_nanosecond().unsigned_abs();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds))
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the person reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// How it is sent.
    pub mode: Mode,
    /// The rendered text, in WhatsApp's formatting; at most 4,096 characters, 1,024 with buttons.
    pub body: String,
    /// A small line under the text, at most 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// Quick-reply buttons, at most three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// The Meta template's name, for `Mode::Template` and for `Mode::Auto` outside the window.
    pub template: String,
    /// The Meta template's language, such as `en_US`.
    pub language: String,
    /// Which words the parameters belong to: a hash over the Meta template's body, footer and buttons.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wording: String,
    /// The Meta template's body parameters, in order; not yet cleaned as Meta demands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// The names of these at Meta, where the Meta template has names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameter_names: Vec<String>,
    /// Whether the template's category is `marketing`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marketing: bool,
    /// What is done where nobody can tell whether it was sent.
    #[serde(default, skip_serializing_if = "OnUnknown::is_default")]
    pub on_unknown: OnUnknown,
}

/// What is done about a message that was sent without an answer, and of which no webhook tells in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// It is sent again: it may come twice, and is not lost.
    #[default]
    Resend,
    /// It waits for an operator: `hookswitch unknown`.
    Hold,
    /// It is given up: it may be lost, and never comes twice.
    Drop,
}

impl OnUnknown {
    fn is_default(&self) -> bool {
        *self == OnUnknown::default()
    }
}

/// A quick-reply button.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// Comes back when it is pressed; at most 256 characters.
    pub id: String,
    /// What it says; at most 20 characters.
    pub title: String,
}

/// One message to one person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// The person's username, where the recipient is staff.
    pub username: Option<String>,
    /// The recipient's name, as far as known.
    pub name: Option<String>,
    /// The recipient's `wa_id` or Meta user id; `None` where the person cannot be reached.
    pub recipient: Option<String>,
    /// The number that sends, by Meta's id.
    pub phone_number_id: String,
    /// The template, by its name in the catalog.
    pub template: String,
    /// Which messages overtake which.
    pub priority: Priority,
    /// What the person reads.
    pub message: Message,
    /// Why this person gets it, in words.
    pub reason: String,
    /// Not before this.
    pub send_at: Option<Timestamp>,
    /// Not after this.
    pub expires_at: Option<Timestamp>,
}

impl Notification {
    /// The track on which it waits to be sent: of the sending number and the recipient, so that one recipient's messages
    /// of a priority stay in order.
    pub fn track(&self) -> Track {
        let to = self.recipient.as_deref().or(self.username.as_deref()).unwrap_or_default();
        Track::new(Notification::lane_of(&self.phone_number_id, to), self.priority)
    }

    /// The lane in which this number's messages to this recipient wait.
    pub fn lane_of(phone_number_id: &str, to: &str) -> Lane {
        Lane::of(&format!("{phone_number_id}/{to}"))
    }
}
