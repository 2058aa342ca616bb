//! Counts, cheap enough to be asked for during a benchmark.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::status::Status;

/// What has happened since the start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Messages taken.
    pub accepted: u64,
    /// Messages refused, by Meta's error code.
    pub refused: BTreeMap<u32, u64>,
    /// Sends answered with an HTTP error that is not JSON.
    pub broken: u64,
    /// Messages taken and never answered.
    pub lost_answers: u64,
    /// Mark-as-read requests.
    pub marked_read: u64,
    /// Statuses that messages have reached.
    pub statuses: BTreeMap<&'static str, u64>,
    /// Files uploaded to be sent.
    pub uploads: u64,
    /// Messages written by users.
    pub inbound: u64,
    /// When the first message was taken.
    pub first_accepted_at: Option<Timestamp>,
    /// When the last message was taken.
    pub last_accepted_at: Option<Timestamp>,
    /// The webhook.
    pub webhooks: WebhookStats,
}

/// What the webhook has done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WebhookStats {
    /// Whether the address has passed Meta's verification.
    pub verified: bool,
    /// POSTs, retries included.
    pub posts: u64,
    /// Updates that were answered with 200.
    pub delivered: u64,
    /// Answers by HTTP status.
    pub answers: BTreeMap<u16, u64>,
    /// POSTs that got no answer.
    pub unanswered: u64,
    /// Updates that wait to be told, retries included.
    pub waiting: usize,
    /// Updates never told because of a knob.
    pub lost: u64,
    /// Updates forgotten because too many waited.
    pub dropped: u64,
}

impl Stats {
    /// A message reached this status.
    pub fn reached(&mut self, status: Status) {
        *self.statuses.entry(status.as_str()).or_default() += 1;
    }

    /// A message was taken.
    pub fn took(&mut self, at: Timestamp) {
        self.accepted += 1;
        self.first_accepted_at.get_or_insert(at);
        self.last_accepted_at = Some(at);
    }
}
