//! A case for the rules folder from an event that was decided, or tried.

use hookswitch_core::{
    domain::{Asked, DecisionOutcome, Event, Message, Status},
    recorded::{Recorded, RecordedDecision, RecordedRecipient, Returned},
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

use super::trial::{Trial, Tried, TriedDecision, TriedNotification};
use crate::store::{DecisionHistory, EventHistory, NotificationHistory};

/// The case of a stored event, with invented people.
///
/// # Errors
/// In words, if it is not decided yet.
pub fn case_of_event(history: &EventHistory) -> Result<String, String> {
    let decisions = history.decisions.iter().map(decision).collect();
    Recorded { event: history.event.clone(), decisions, has_more: history.next.is_some() }.case()
}

/// The case of an event that was tried, with invented people.
///
/// # Errors
/// In words, if nothing was decided.
pub fn case_of_trial(event: &Event, trial: &Trial, now: Timestamp) -> Result<String, String> {
    let decision = |tried: &TriedDecision| RecordedDecision {
        outcome: outcome(&tried.outcome),
        reason: tried.reason.clone(),
        decided_at: now,
        release: trial.release.clone(),
        returned: tried.decision.clone().map(|tried| match tried {
            Tried::Decision(decision) => Returned::Decision(decision),
            Tried::Cancel(cancel) => Returned::Cancel(cancel),
        }),
        asked: tried.asked.clone(),
        recipients: tried.notifications.iter().map(tried_recipient).collect(),
    };
    let decisions = trial.decisions.iter().map(decision).collect();
    Recorded { event: event.clone(), decisions, has_more: false }.case()
}

fn tried_recipient(of: &TriedNotification) -> RecordedRecipient {
    RecordedRecipient {
        username: of.username.clone(),
        name: of.name.clone(),
        address: of.recipient.clone(),
        reason: of.reason.clone(),
        is_skipped: of.skipped.is_some(),
        message: of.message.clone(),
    }
}

fn decision(decided: &DecisionHistory) -> RecordedDecision {
    let returned = decided.decision.as_deref();
    let returned = read(returned).map(Returned::Decision).or_else(|| read(returned).map(Returned::Cancel));
    // What was sent once more is no message more.
    let first = decided.notifications.iter().filter(|notification| notification.redrive_of.is_none());
    RecordedDecision {
        outcome: outcome(&decided.outcome),
        reason: decided.reason.clone(),
        decided_at: decided.decided_at,
        release: decided.release.clone(),
        returned,
        asked: read::<Vec<Asked>>(decided.asked.as_deref()).unwrap_or_default(),
        recipients: first.map(recipient).collect(),
    }
}

fn recipient(of: &NotificationHistory) -> RecordedRecipient {
    // What was skipped before any attempt was so when it was planned. A case knows no earlier messages, so nobody has had
    // enough of them there.
    let is_skipped = of.deliveries.iter().any(|delivery| {
        let why = delivery.detail.as_deref().unwrap_or_default();
        delivery.attempt == 0 && delivery.status == Status::Skipped && !why.starts_with("at_most: ")
    });
    RecordedRecipient {
        username: of.username.clone(),
        name: of.name.clone(),
        address: of.recipient.clone(),
        reason: of.reason.clone(),
        is_skipped,
        message: read::<Message>(of.message.as_deref()),
    }
}

fn outcome(name: &str) -> DecisionOutcome {
    serde_json::from_value(Value::from(name)).unwrap_or(DecisionOutcome::Failed)
}

fn read<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}
