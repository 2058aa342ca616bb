//! Tells of rules that failed: `rule.failed`, once a minute for each rule at most.
//!
//! Routing counts them in the transaction that records the failure; whichever host comes first raises the event, in the
//! transaction that takes them off. So a crash loses no failure and tells none twice. A rule that fails on `rule.failed`
//! itself is not counted.

use std::time::Duration;

use super::emit::{SystemEvent, new_events, rule_failed};
use crate::store::{RuleFailure, Store, StoreError};

/// The failures of one rule are one event in so long.
const PAUSE: Duration = Duration::from_secs(60);

/// Tells of rules that failed; whether there was something to tell.
pub(super) async fn tell_rule_failures(store: &Store) -> Result<bool, StoreError> {
    store.tell_rule_failures(PAUSE, events, |events| new_events(events)).await
}

fn events(failures: &[RuleFailure]) -> Vec<SystemEvent> {
    failures.iter().filter_map(rule_failed).collect()
}
