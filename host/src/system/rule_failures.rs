//! Tells of rules that failed: `rule.failed`, once a minute for each rule at most.
//!
//! Routing counts them in the transaction that records the failure; whichever host comes first raises the event, in the
//! transaction that takes them off. So a crash loses no failure and tells none twice. A rule that fails on `rule.failed`
//! itself is not counted.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::emit::{SystemEvent, new_events, rule_failed};
use crate::store::{RuleFailure, Store};

const LOOK_EVERY: Duration = Duration::from_secs(3);
/// The failures of one rule are one event in so long.
const PAUSE: Duration = Duration::from_secs(60);

/// Tells of failures until `stop`. `grew` is called when the event log has grown.
pub async fn tell_rule_failures(store: Store, grew: Arc<dyn Fn() + Send + Sync>, stop: CancellationToken) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = stop.cancelled() => return,
        }
        let told = store.tell_rule_failures(PAUSE, events, |events| new_events(events)).await;
        match told {
            Ok(true) => grew(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "failed to tell of rules that failed; trying again"),
        }
    }
}

fn events(failures: &[RuleFailure]) -> Vec<SystemEvent> {
    failures.iter().filter_map(rule_failed).collect()
}
