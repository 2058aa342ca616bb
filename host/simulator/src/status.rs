//! What happens to a message, in the words of Meta's webhooks.

use serde::{Deserialize, Serialize};

/// A status that webhooks tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// On its way to the phone.
    Sent,
    /// On the phone.
    Delivered,
    /// Read.
    Read,
    /// It will not arrive.
    Failed,
}

impl Status {
    /// As in the webhook's `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Sent => "sent",
            Status::Delivered => "delivered",
            Status::Read => "read",
            Status::Failed => "failed",
        }
    }
}
