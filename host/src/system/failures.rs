//! Tells of messages that failed for good: `message.failed`, once a minute for each cause at most.
//!
//! The delivery log fills the list of what is to be told, in the statement that appends the failure; whichever host
//! comes first empties it into the event log, in one transaction. So a crash loses no failure and tells none twice.

use std::{collections::BTreeMap, time::Duration};

use super::emit::{RULE_FAILED, SystemEvent, message_failed, new_events};
use crate::store::{Failure, Store, StoreError, Told};

/// A burst of failures of one cause is one event in so long.
const PAUSE: Duration = Duration::from_secs(60);
/// A failing notice of a failure raises no further one.
const NOTICES: [&str; 2] = ["message.failed", RULE_FAILED];

/// Tells of failures; whether there was something to tell.
pub(super) async fn tell_failures(store: &Store) -> Result<bool, StoreError> {
    store
        .tell_failures(PAUSE, events, |(events, causes)| Told {
            events: new_events(events),
            causes: causes.clone(),
        })
        .await
}

/// One event for each cause, and the causes. What will be tried again, has arrived after all, or tells of a failure
/// itself, is left out.
fn events(failures: &[Failure]) -> (Vec<SystemEvent>, Vec<String>) {
    let mut causes: BTreeMap<Option<i32>, Vec<&Failure>> = BTreeMap::new();
    for failure in
        failures.iter().filter(|failure| failure.is_final && !NOTICES.contains(&failure.event_kind.as_str()))
    {
        causes.entry(failure.code).or_default().push(failure);
    }
    let events = causes.values().filter_map(|failures| message_failed(failures)).collect();
    let name = |code: &Option<i32>| code.map_or("none".to_owned(), |code| code.to_string());
    (events, causes.keys().map(name).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::Timestamp;
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;
    use hookswitch_core::domain::{EventKey, NotificationId};

    fn failure(id: u128, code: Option<i32>) -> Failure {
        Failure {
            notification_id: NotificationId(Uuid::from_u128(id)),
            attempt: 1,
            code,
            at: Timestamp::UNIX_EPOCH,
            is_final: true,
            detail: Some("not on WhatsApp".to_owned()),
            username: Some("ada".to_owned()),
            name: None,
            recipient: Some("263770000205".to_owned()),
            template: "t".to_owned(),
            event_kind: "order.created".to_owned(),
            event: EventKey { id: "1".to_owned(), source: "/shop".to_owned() },
        }
    }

    #[test]
    fn a_burst_of_one_cause_is_one_event() {
        let mut failures: Vec<Failure> = (0..1_000).map(|id| failure(id, Some(131026))).collect();
        failures.push(failure(2_000, Some(131049)));
        failures.push(failure(2_001, None));
        let (events, causes) = events(&failures);
        assert_eq!(causes, ["none", "131026", "131049"]);
        let data: Value = serde_json::from_str(events[1].event.data.get()).unwrap();
        assert_eq!(data["count"], 1_000);
        assert_eq!(data["notifications"].as_array().unwrap().len(), 20);
        assert_eq!(data["contact"]["name"], "ada");
        assert_eq!(data["error"]["details"], "not on WhatsApp");
        assert_eq!(events[1].event.key.id, format!("message.failed:{}:1", Uuid::from_u128(0)));
        assert_eq!(events[1].event.subject.as_deref(), Some("contact-263770000205"));
    }

    #[test]
    fn what_is_tried_again_and_what_tells_of_a_failure_is_not_told() {
        let again = Failure { is_final: false, ..failure(1, Some(1)) };
        let notices = NOTICES.map(|kind| Failure { event_kind: kind.to_owned(), ..failure(2, Some(1)) });
        let (events, causes) = events(&[again, notices[0].clone(), notices[1].clone()]);
        assert!(events.is_empty() && causes.is_empty());
    }
}
