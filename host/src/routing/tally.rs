//! Counts the events of which no message came, and tells of them in the log: once a minute for each rule and reason, so
//! that a rule that fails on every event is heard and does not drown the rest.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hookswitch_core::domain::{DecisionOutcome, EventKey};
use tokio::time::Instant;

/// How often the same is told.
const PAUSE: Duration = Duration::from_secs(60);
/// Different things that are counted at a time; what comes beyond is counted together.
const KEPT: usize = 1_000;

/// A decision of which no message came.
#[derive(Clone, Debug)]
pub struct Unsent {
    pub outcome: DecisionOutcome,
    /// `file:line`; empty where no rule decided.
    pub rule: String,
    pub reason: String,
    /// The event's type.
    pub kind: String,
    pub event: EventKey,
    /// Where it is recorded in traces, if it is.
    pub trace_id: Option<String>,
}

impl Unsent {
    /// What is told once a minute: no rule is the same for all events of a type.
    fn cause(&self) -> Cause {
        match self.outcome {
            DecisionOutcome::NoRoute => (self.outcome.as_str(), self.kind.clone(), String::new()),
            _ => (self.outcome.as_str(), self.rule.clone(), self.reason.clone()),
        }
    }
}

type Cause = (&'static str, String, String);

/// Counts them by what is to blame.
#[derive(Default)]
pub struct Tally(Mutex<HashMap<Cause, Count>>);

struct Count {
    /// Since it was told.
    count: u64,
    told: Option<Instant>,
    last: Unsent,
}

impl Tally {
    /// Counts decisions, and tells of what was not told lately.
    pub(super) fn add(&self, unsent: Vec<Unsent>, now: Instant) {
        if unsent.is_empty() {
            return;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for one in unsent {
            let cause = one.cause();
            let cause = match counts.len() >= KEPT && !counts.contains_key(&cause) {
                true => (cause.0, String::new(), String::new()),
                false => cause,
            };
            let count =
                counts.entry(cause).or_insert_with(|| Count { count: 0, told: None, last: one.clone() });
            count.count += 1;
            count.last = one;
        }
        drop(counts);
        self.tell(now);
    }

    /// Tells of what was counted and not told lately, and forgets what has not come again.
    pub(super) fn tell(&self, now: Instant) {
        for (count, last) in self.due(now) {
            let Unsent { outcome, rule, reason, kind, event: EventKey { id, source }, trace_id: trace } =
                last;
            match outcome {
                DecisionOutcome::NoRoute => {
                    tracing::warn!(
                        count,
                        r#type = kind,
                        id,
                        source,
                        trace,
                        "no rule is for events of this type"
                    );
                }
                DecisionOutcome::Nobody => {
                    tracing::warn!(
                        count,
                        rule,
                        reason,
                        r#type = kind,
                        id,
                        source,
                        trace,
                        "a rule reached nobody"
                    );
                }
                _ => tracing::warn!(count, rule, reason, r#type = kind, id, source, trace, "a rule failed"),
            }
        }
    }

    fn due(&self, now: Instant) -> Vec<(u64, Unsent)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        counts.retain(|_, count| {
            if count.told.is_some_and(|told| now.duration_since(told) < PAUSE) {
                return true;
            }
            if count.count == 0 {
                return false;
            }
            due.push((count.count, count.last.clone()));
            (count.count, count.told) = (0, Some(now));
            true
        });
        due
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn unsent(outcome: DecisionOutcome, rule: &str, reason: &str) -> Unsent {
        let event = EventKey { id: "1".to_owned(), source: "/shop".to_owned() };
        let [rule, reason, kind] = [rule, reason, "a"].map(str::to_owned);
        Unsent { outcome, rule, reason, kind, event, trace_id: None }
    }

    fn counts(tally: &Tally, now: Instant) -> Vec<u64> {
        let mut counts: Vec<u64> = tally.due(now).into_iter().map(|(count, _)| count).collect();
        counts.sort_unstable();
        counts
    }

    #[test]
    fn each_rule_and_reason_is_told_at_once_and_then_once_a_minute_with_a_count() {
        let (tally, began) = (Tally::default(), Instant::now());
        let failed = || unsent(DecisionOutcome::Failed, "r.yaml:1", "x is missing");
        tally.add(vec![failed()], began);
        assert_eq!(counts(&tally, began), [0; 0], "it is told");
        tally.add(vec![failed(); 3], began + PAUSE / 2);
        tally.add(vec![unsent(DecisionOutcome::Failed, "r.yaml:1", "y is missing")], began + PAUSE / 2);
        assert_eq!(counts(&tally, began + PAUSE / 2), [0; 0], "of one it is too early, the other is told");
        assert_eq!(counts(&tally, began + PAUSE), [3]);
        assert_eq!(counts(&tally, began + PAUSE * 3), [0; 0]);
        assert!(tally.0.lock().unwrap().is_empty(), "what does not come again is forgotten");
    }

    #[test]
    fn however_many_reasons_there_are_few_are_kept() {
        let (tally, now) = (Tally::default(), Instant::now());
        let many = (0..KEPT * 2).map(|n| unsent(DecisionOutcome::Failed, "r", &n.to_string()));
        tally.add(many.collect(), now);
        assert!(tally.0.lock().unwrap().len() <= KEPT + 1);
    }
}
