//! A message that was taken, and what it reaches.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::status::Status;

/// A message that was taken.
#[derive(Debug)]
pub struct Sent {
    /// Counts up from 1.
    pub seq: u64,
    /// The number that sent it, by its id.
    pub phone_number_id: String,
    /// Meta's id.
    pub wamid: String,
    /// Digits of the recipient's number, where known.
    pub wa_id: Option<String>,
    /// The recipient's business-scoped user id.
    pub user_id: String,
    /// The recipient's profile name, where known.
    pub name: Option<String>,
    /// `type`.
    pub kind: &'static str,
    /// `biz_opaque_callback_data`.
    pub callback_data: Option<String>,
    /// `service`, or the template's category in lower case.
    pub category: String,
    /// Whether the user's 24-hour window was open.
    pub in_window: bool,
    /// When it came.
    pub received_at: Timestamp,
    /// The request's body.
    pub request: Arc<RawValue>,
}

/// A status that a message reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReachedStatus {
    /// `sent`, `delivered`, `read` or `failed`.
    pub status: Status,
    /// When.
    pub at: Timestamp,
    /// Meta's error code, of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
}

/// A message that the simulator took, as its control API lists it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReceivedMessage {
    /// Counts up from 1.
    pub seq: u64,
    /// The number that sent it, by its id.
    pub phone_number_id: String,
    /// Meta's id.
    pub wamid: String,
    /// When it came.
    pub received_at: Timestamp,
    /// Digits of the recipient's number; the user id where no number is known.
    pub to: String,
    /// `text`, `template`, `interactive`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The request's body, as it came.
    pub request: Arc<RawValue>,
    /// What has happened to it, in order.
    pub statuses: Vec<ReachedStatus>,
}

/// Something that will happen to a message.
pub struct Step {
    /// Whose.
    pub sent: Arc<Sent>,
    /// What it reaches.
    pub status: Status,
    /// Meta's error code, of a failure.
    pub code: Option<u32>,
}
