//! The delivery log of a notification: its rows, and their ranks.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NotificationId;

/// Status of a row of the delivery log, ordered by rank: the highest status of an attempt counts, in whatever order the
/// rows arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing has happened yet. Never stored.
    Queued,
    /// Waits, for a [`WaitReason`].
    Deferred,
    /// About to be sent: from now on Meta may have it.
    Sending,
    /// Sent without getting an answer: only a webhook can tell whether it arrived.
    Unknown,
    /// Meta rejected it for now; another attempt follows.
    Retrying,
    /// Meta accepted it.
    Accepted,
    /// Meta accepted it and holds it for a quality check.
    Held,
    /// On its way to the phone.
    Sent,
    /// Failed permanently; `code` is Meta's error code, `detail` the reason.
    Failed,
    /// Never sent, for the reason in `detail`.
    Skipped,
    /// Not sent before it expired.
    Expired,
    /// Delivered to the phone.
    Delivered,
    /// Read.
    Read,
    /// A voice message was played.
    Played,
}

impl Status {
    /// All statuses, by rank.
    pub const ALL: [Status; 14] = [
        Status::Queued,
        Status::Deferred,
        Status::Sending,
        Status::Unknown,
        Status::Retrying,
        Status::Accepted,
        Status::Held,
        Status::Sent,
        Status::Failed,
        Status::Skipped,
        Status::Expired,
        Status::Delivered,
        Status::Read,
        Status::Played,
    ];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Deferred => "deferred",
            Status::Sending => "sending",
            Status::Unknown => "unknown",
            Status::Retrying => "retrying",
            Status::Accepted => "accepted",
            Status::Held => "held",
            Status::Sent => "sent",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
            Status::Expired => "expired",
            Status::Delivered => "delivered",
            Status::Read => "read",
            Status::Played => "played",
        }
    }

    /// Whether it was delivered: then failures of other attempts do not count.
    pub fn arrived(self) -> bool {
        self >= Status::Delivered
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Status::ALL
            .into_iter()
            .find(|status| status.as_str() == s)
            .ok_or_else(|| format!("unknown delivery status {s:?}"))
    }
}

/// Why a notification in `deferred` waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// For its own time, `send_at` or `after`.
    SendAt,
    /// For the end of the recipient's quiet hours.
    Quiet,
    /// For the next attempt after a rejection.
    Retry,
    /// For Meta's limit of messages to one recipient.
    Pair,
    /// For a delivery webhook, after a send without an answer.
    Unknown,
    /// For an operator, who decides about a send without an answer.
    Hold,
    /// For the next attempt, which can only be sent as a template.
    AsTemplate,
    /// For the recipient to write in, or for Meta to approve a version of its template.
    Window,
    /// For Meta's limit of users in 24 hours.
    Daily,
    /// For an earlier message to the same recipient.
    Behind,
    /// For a host of a version that can read it.
    Unreadable,
    /// For an operator, who has stopped such messages, to resume them.
    Stopped,
    /// For its place among those that were stopped and are sent again.
    Resumed,
}

impl WaitReason {
    /// All reasons.
    pub const ALL: [WaitReason; 13] = [
        WaitReason::SendAt,
        WaitReason::Quiet,
        WaitReason::Retry,
        WaitReason::Pair,
        WaitReason::Unknown,
        WaitReason::Hold,
        WaitReason::AsTemplate,
        WaitReason::Window,
        WaitReason::Daily,
        WaitReason::Behind,
        WaitReason::Unreadable,
        WaitReason::Stopped,
        WaitReason::Resumed,
    ];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            WaitReason::SendAt => "send_at",
            WaitReason::Quiet => "quiet",
            WaitReason::Retry => "retry",
            WaitReason::Pair => "pair",
            WaitReason::Unknown => "unknown",
            WaitReason::Hold => "hold",
            WaitReason::AsTemplate => "as_template",
            WaitReason::Window => "window",
            WaitReason::Daily => "daily",
            WaitReason::Behind => "behind",
            WaitReason::Unreadable => "unreadable",
            WaitReason::Stopped => "stopped",
            WaitReason::Resumed => "resumed",
        }
    }

    /// Whether this may be nothing but that an earlier message of the recipient's waits: once that one goes on, so does
    /// what waits for this.
    pub fn follows_others(self) -> bool {
        matches!(self, WaitReason::Behind | WaitReason::AsTemplate)
    }

    /// Whether the recipient's later messages of the same priority wait too. They do not wait for something that may never
    /// happen, or that has its own time.
    pub fn blocks_others(self) -> bool {
        match self {
            WaitReason::Retry
            | WaitReason::Pair
            | WaitReason::Unknown
            | WaitReason::AsTemplate
            | WaitReason::Behind
            | WaitReason::Resumed => true,
            WaitReason::SendAt
            | WaitReason::Quiet
            | WaitReason::Hold
            | WaitReason::Window
            | WaitReason::Daily
            | WaitReason::Unreadable
            | WaitReason::Stopped => false,
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WaitReason {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let known = WaitReason::ALL.into_iter().find(|reason| reason.as_str() == s);
        known.ok_or_else(|| format!("unknown reason to wait {s:?}"))
    }
}

/// A row of the delivery log.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Delivery {
    /// Id of the notification.
    pub notification_id: NotificationId,
    /// Attempt, from 1; 0 before the first attempt.
    pub attempt: i16,
    /// Status that was reached.
    pub status: Status,
    /// Time, by Meta's clock for statuses of webhooks, otherwise by ours.
    pub at: Timestamp,
    /// Meta's id of the message.
    pub wamid: Option<String>,
    /// Meta's error code.
    pub code: Option<i32>,
    /// Human-readable detail.
    pub detail: Option<String>,
}

/// The status of a notification: that of a delivered attempt, otherwise the highest of the last attempt.
pub fn status_of(deliveries: &[Delivery]) -> Status {
    let arrived = deliveries.iter().map(|d| d.status).filter(|s| s.arrived()).max();
    arrived.unwrap_or_else(|| {
        deliveries.iter().max_by_key(|d| (d.attempt, d.status)).map_or(Status::Queued, |d| d.status)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn row(attempt: i16, status: Status) -> Delivery {
        Delivery {
            notification_id: NotificationId(Uuid::nil()),
            attempt,
            status,
            at: Timestamp::UNIX_EPOCH,
            wamid: None,
            code: None,
            detail: None,
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let mut rows = vec![
            row(1, Status::Sending),
            row(1, Status::Accepted),
            row(1, Status::Sent),
            row(1, Status::Delivered),
            row(1, Status::Read),
        ];
        assert_eq!(status_of(&rows), Status::Read);
        rows.reverse();
        assert_eq!(status_of(&rows), Status::Read);
    }

    #[test]
    fn a_late_failure_beats_sent_and_loses_to_delivered() {
        assert_eq!(status_of(&[row(1, Status::Failed), row(1, Status::Sent)]), Status::Failed);
        assert_eq!(status_of(&[row(1, Status::Delivered), row(1, Status::Failed)]), Status::Delivered);
    }

    #[test]
    fn a_later_attempt_supersedes_unless_the_earlier_arrived() {
        assert_eq!(status_of(&[row(1, Status::Failed), row(2, Status::Sending)]), Status::Sending);
        assert_eq!(status_of(&[row(1, Status::Read), row(2, Status::Failed)]), Status::Read);
    }

    #[test]
    fn names_go_both_ways() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        for reason in WaitReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
    }
}
