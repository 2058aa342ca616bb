//! Compares what two releases send about an event: who no longer gets a message, who gets it newly, and what differs for
//! those who get one either way.
//!
//! Messages are paired in three steps: the same template to the same recipient, then another template to the same
//! recipient, then the same template to somebody else. What is left is new or gone. Each step treats both sides alike, so
//! that the comparison of B with A is the mirror of that of A with B.

mod pairs;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::pairs::pairs;
use crate::domain::{Face, Notification, Priority};

/// A message that a release sends about an event, as far as people notice it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComparedMessage {
    /// `file:line` of the rule; null if no rule decided.
    pub rule: Option<String>,
    /// The template.
    pub template: String,
    /// The username; null if the recipient is not a person.
    pub username: Option<String>,
    /// The name, if known.
    pub name: Option<String>,
    /// The number or user id.
    pub recipient: String,
    /// Why they get it.
    pub reason: String,
    /// When it goes out.
    pub timing: Timing,
    /// The name of the sending number in the rules; null if it is the default one.
    pub from: Option<String>,
    /// How it reads in an open 24-hour window; null if it is never sent there as free-form text.
    pub in_window: Option<Face>,
    /// How it reads outside the window, as the Meta template; null if it is never sent as one.
    pub as_template: Option<Face>,
}

/// When a message goes out, as the rules say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timing {
    /// The earliest time to send it; null if that is at once.
    pub send_at: Option<Timestamp>,
    /// The latest time to send it.
    pub expires_at: Option<Timestamp>,
    /// The hours in which recipients without quiet hours of their own get it.
    pub hours: Option<String>,
    /// `urgent`, `normal` or `bulk`: urgent messages do not wait for quiet hours.
    pub priority: String,
    /// Whether it is collected with others into a digest.
    pub in_digest: bool,
}

impl ComparedMessage {
    /// A planned message of a rule; `None` if it has no recipient. `from` is the name of the sending number.
    pub fn new(
        of: Notification,
        rule: Option<String>,
        from: Option<String>,
        in_digest: bool,
    ) -> Option<ComparedMessage> {
        let Notification { message, priority, .. } = &of;
        Some(ComparedMessage {
            rule,
            timing: Timing {
                send_at: of.send_at,
                expires_at: of.expires_at,
                // Urgent ones wait for no hours.
                hours: message.hours.clone().filter(|_| *priority != Priority::Urgent),
                priority: priority.as_str().to_owned(),
                in_digest,
            },
            in_window: Face::in_window(message),
            as_template: Face::as_template(message),
            template: of.template,
            username: of.username,
            name: of.name,
            recipient: of.recipient?,
            reason: of.reason,
            from,
        })
    }

    /// Whether both read the same, in and outside the window, from the same number.
    pub fn reads_as(&self, other: &ComparedMessage) -> bool {
        (&self.in_window, &self.as_template, &self.from)
            == (&other.in_window, &other.as_template, &other.from)
    }
}

/// What changes for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was sent, and is not sent now.
    Gone,
    /// It was not sent, and is sent now.
    New,
    /// It goes to somebody else.
    People,
    /// It goes out at another time.
    Time,
    /// It reads differently.
    Words,
}

impl ChangeKind {
    /// All kinds, those first that need attention most.
    pub const ALL: [ChangeKind; 5] =
        [ChangeKind::Gone, ChangeKind::New, ChangeKind::People, ChangeKind::Time, ChangeKind::Words];

    /// The kind of the same change seen from the other side.
    #[must_use]
    pub fn mirrored(self) -> ChangeKind {
        match self {
            ChangeKind::Gone => ChangeKind::New,
            ChangeKind::New => ChangeKind::Gone,
            same => same,
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChangeKind::Gone => "no longer sent",
            ChangeKind::New => "newly sent",
            ChangeKind::People => "to other people",
            ChangeKind::Time => "at another time",
            ChangeKind::Words => "with other words",
        })
    }
}

/// A change, with the messages that it is about: one of them for [`ChangeKind::Gone`] and [`ChangeKind::New`], otherwise both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// What changes.
    pub kind: ChangeKind,
    /// The message of then.
    pub then: Option<&'a ComparedMessage>,
    /// The message of now.
    pub now: Option<&'a ComparedMessage>,
}

/// Compares the messages that are sent about an event. A message that differs in both time and words is two changes.
pub fn compare<'a>(then: &'a [ComparedMessage], now: &'a [ComparedMessage]) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for (then, now) in pairs(then, now) {
        let mut add = |kind| changes.push(Change { kind, then, now });
        match (then, now) {
            (Some(_), None) => add(ChangeKind::Gone),
            (None, Some(_)) => add(ChangeKind::New),
            (Some(then), Some(now)) if then.recipient != now.recipient => add(ChangeKind::People),
            (Some(then), Some(now)) => {
                if then.timing != now.timing {
                    add(ChangeKind::Time);
                }
                if !then.reads_as(now) {
                    add(ChangeKind::Words);
                }
            }
            (None, None) => {}
        }
    }
    changes
}
