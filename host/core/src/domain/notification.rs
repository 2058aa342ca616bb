//! Notifications: one rendered message to one recipient.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::{NoContext, Uuid};

use super::{Action, Button, Header, Lane, MetaParts, Mode, Priority, Track, parts::carried};

/// Id of a notification: a UUID of version 7. Sent to Meta and returned as `biz_opaque_callback_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct NotificationId(pub Uuid);

impl NotificationId {
    /// Creates an id that begins with the time.
    pub fn new(now: Timestamp) -> NotificationId {
        NotificationId(uuid_at(now))
    }
}

/// Creates a UUID of version 7 that begins with the time.
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

/// A rendered message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// How it is sent.
    pub mode: Mode,
    /// Rendered text, in WhatsApp's formatting; at most 4,096 characters, 1,024 with a file or buttons other than a list.
    pub body: String,
    /// Footer: a small line below the text, at most 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// What stands above the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// Buttons, at most ten; a free-form message can have only some of them (see [`Message::in_window`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// Meta's id of the message that it answers, which is quoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Name of the Meta template, for `Mode::Template` and for `Mode::Auto` outside the window.
    pub template: String,
    /// Language of the Meta template, for example `en_US`.
    pub language: String,
    /// Fingerprint of the texts to which the parameters belong: a hash over the Meta template's body, footer and buttons.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub wording: String,
    /// Body parameters of the Meta template, in order; not yet cleaned as Meta requires.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Text as people read it outside the 24-hour window, as the Meta template with these parameters; absent if it is
    /// `body`, or if the message is never sent as a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_body: Option<String>,
    /// Header, footer and buttons of the Meta template; absent if they are those of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_parts: Option<Box<MetaParts>>,
    /// Names of the parameters at Meta; empty if they are numbered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameter_names: Vec<String>,
    /// When it may be sent to a recipient without quiet hours; see [`super::Decision::hours`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// Whether the category of the template is `marketing`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marketing: bool,
    /// What happens if its delivery cannot be confirmed.
    #[serde(default, skip_serializing_if = "OnUnknown::is_default")]
    pub on_unknown: OnUnknown,
    /// Whether this is the copy that is kept and shown of a message with values that must not stay: it cannot be sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_kept: bool,
    /// What it comes from; absent where an older host planned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What a message comes from: what its delay is counted from, and the trace that it continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// When its event was received; absent where an operator had it routed or sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// The trace context (`traceparent` of W3C) of its event, or of its routing where this installation sends traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Whether an operator had a message that failed sent again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

impl Cause {
    /// The id of the trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        trace_id(self.trace.as_deref()?)
    }
}

/// The id of the trace in a `traceparent`: 32 hexadecimal digits.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1)
}

impl Message {
    /// The message as it is sent while the recipient's window is open. What a free-form message cannot have becomes text:
    /// a text header without buttons or with a request for a place, a place, and the buttons that do not fit together.
    pub fn in_window(&self) -> Message {
        let is_carried = carried(&self.buttons);
        let (buttons, others): (Vec<Button>, Vec<Button>) =
            self.buttons.iter().cloned().partition(|button| is_carried(button));
        let asks = buttons.iter().any(|button| button.action == Action::AskLocation);
        let (header, line) = match &self.header {
            Some(Header::Text(_)) if buttons.is_empty() || asks => {
                (None, self.header.as_ref().map(Header::line))
            }
            Some(Header::Location(_)) => (None, self.header.as_ref().map(Header::line)),
            header => (header.clone(), None),
        };
        // A one-time code that the text says already is not said again.
        let is_said = |button: &&Button| match (&button.action, &button.suffix) {
            (Action::Code(code), Some(_)) => self.body.contains(code),
            _ => false,
        };
        let lines: Vec<String> = others.iter().filter(|button| !is_said(button)).map(Button::line).collect();
        let parts = line.into_iter().chain([self.body.clone()]).chain(
            // One block below the text.
            (!lines.is_empty()).then(|| lines.join("\n")),
        );
        Message { body: parts.collect::<Vec<_>>().join("\n\n"), header, buttons, ..self.clone() }
    }

    /// The message as people read it outside their window: as the Meta template with its values.
    pub fn as_template(&self) -> Message {
        let mut message = self.clone();
        if let Some(body) = &self.meta_body {
            message.body.clone_from(body);
        }
        if let Some(parts) = &self.meta_parts {
            message.header.clone_from(&parts.header);
            message.footer.clone_from(&parts.footer);
            message.buttons.clone_from(&parts.buttons);
        }
        message.buttons.retain(|button| button.action.is_at_meta());
        message
    }

    /// Whether two messages read the same.
    pub fn reads_as(&self, other: &Message) -> bool {
        (&self.header, &self.body, &self.footer, &self.buttons)
            == (&other.header, &other.body, &other.footer, &other.buttons)
    }
}

/// What happens to a message that was sent without an answer and for which no webhook arrives in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// It is sent again: it may arrive twice, but is not lost.
    #[default]
    Resend,
    /// It waits for an operator: `hookswitch unknown`.
    Hold,
    /// It is dropped: it may be lost, but never arrives twice.
    Drop,
}

impl OnUnknown {
    fn is_default(&self) -> bool {
        *self == OnUnknown::default()
    }
}

/// A message to one recipient.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notification {
    /// Id.
    pub id: NotificationId,
    /// Username, if the recipient is a person.
    pub username: Option<String>,
    /// Name of the recipient, if known.
    pub name: Option<String>,
    /// `wa_id` or Meta's user id of the recipient; `None` if the person cannot be reached.
    pub recipient: Option<String>,
    /// Sending number, by Meta's id.
    pub phone_number_id: String,
    /// Name of the template in the catalog.
    pub template: String,
    /// Priority.
    pub priority: Priority,
    /// Rendered message.
    pub message: Message,
    /// Why the recipient gets it, for people.
    pub reason: String,
    /// Earliest time to send.
    pub send_at: Option<Timestamp>,
    /// Latest time to send.
    pub expires_at: Option<Timestamp>,
    /// Key by which it is withdrawn while it waits.
    pub key: Option<String>,
}

impl Notification {
    /// The track on which it waits to be sent, determined by sending number, recipient and priority, so that one
    /// recipient's messages of a priority stay in order.
    pub fn track(&self) -> Track {
        let to = self.recipient.as_deref().or(self.username.as_deref()).unwrap_or_default();
        Track::new(Notification::lane_of(&self.phone_number_id, to), self.priority)
    }

    /// The lane of messages from this number to this recipient.
    pub fn lane_of(phone_number_id: &str, to: &str) -> Lane {
        Lane::of(&format!("{phone_number_id}/{to}"))
    }
}
