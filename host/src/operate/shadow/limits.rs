//! When a shadow is stopped, and when it is clean. Pure.

use std::time::Duration;

use serde::Serialize;

use super::report::ShadowReport;
use crate::{operate::replay::Cost, releases::short, store::ShadowEnd};

/// Events of which the rules that are tried may fail, at most, if those that are live do not.
const FAILURES: u64 = 100;
/// So many events are compared before a part of them counts.
const EVENTS: u64 = 200;
/// One of so many may fail.
const ONE_OF: u64 = 10;
/// How many times as long as the rules that are live those that are tried may take, unless that is short.
const TIMES: u32 = 10;
/// What an event may cost in any case.
const SHORT: Duration = Duration::from_millis(5);
/// What all events together may cost before it is judged how many they are.
const MUCH: Duration = Duration::from_secs(10);
/// How much more an event may cost before a percentage counts: less is within what measuring varies by.
const NOTICED: f64 = 0.1;

/// What a shadow has found, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Events that were compared.
    pub compared: u64,
    /// Those of them for which only the rules that are tried fail.
    pub failures: u64,
    /// What they cost.
    pub cost: Cost,
}

/// Why a shadow is to be stopped; `None` if it may go on.
pub(super) fn stops(of: &Counts) -> Option<(ShadowEnd, String)> {
    let Counts { compared, failures, cost } = *of;
    let is_many = compared >= EVENTS && failures.saturating_mul(ONE_OF) > compared;
    if failures > FAILURES || is_many {
        let why = format!(
            "its rules failed for {failures} of {compared} events, and those of the live release did not"
        );
        return Some((ShadowEnd::Failures, why));
    }
    let events = u32::try_from(compared).unwrap_or(u32::MAX).max(1);
    let is_slow = cost.tried > cost.live * TIMES && cost.tried / events > SHORT;
    if is_slow && (compared >= EVENTS || cost.tried > MUCH) {
        let [tried, live] =
            [cost.tried, cost.live].map(|time| time.as_secs_f64() * 1_000.0 / f64::from(events));
        let why = format!(
            "its rules took {tried:.2} ms of CPU time for an event, and those of the live release {live:.2} ms ({compared} events)"
        );
        return Some((ShadowEnd::Slow, why));
    }
    None
}

/// What a shadow may have found for its release to be activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CleanLimits {
    /// Maximum number of events for which something else is decided.
    pub differences: u64,
    /// Maximum number of events for which only the rules that are tried fail.
    pub failures: u64,
    /// How much more CPU time the rules may take, at most, in percent.
    pub slower: u32,
    /// Minimum number of events that were compared.
    pub events: u64,
}

impl Default for CleanLimits {
    fn default() -> Self {
        CleanLimits { differences: 0, failures: 0, slower: 50, events: 100 }
    }
}

impl CleanLimits {
    /// What speaks against a release, given its last shadow and the id of the active release; nothing if the shadow was clean.
    pub(in crate::operate) fn exceeded(
        &self,
        shadow: Option<&ShadowReport>,
        active: Option<&str>,
    ) -> Vec<String> {
        let Some(shadow) = shadow else {
            return vec!["it has not been a shadow of the active release".to_owned()];
        };
        let active = active.map(short).unwrap_or_default();
        if shadow.live != active {
            return vec![format!(
                "its last shadow was compared with {}, and {active} is active now",
                shadow.live
            )];
        }
        let mut wrong = Vec::new();
        if let Some(ended) = shadow.ended.as_ref().filter(|ended| ended.by != ShadowEnd::Time.as_str()) {
            wrong.push(format!("its shadow ended early: {}", ended.words()));
        }
        if shadow.compared < self.events {
            wrong.push(format!("{} of at least {} events were compared", shadow.compared, self.events));
        }
        let limits = [
            (shadow.differences, self.differences, "events are decided differently"),
            (shadow.failures, self.failures, "events fail that do not fail now"),
        ];
        for (found, most, what) in limits {
            if found > most {
                wrong.push(format!("{found} {what}; at most {most} may be"));
            }
        }
        if let (Some(live), Some(own)) = (shadow.live_ms, shadow.own_ms) {
            let most = live * (1.0 + f64::from(self.slower) / 100.0);
            if own > most && own - live > NOTICED {
                wrong.push(format!(
                    "its rules take {own:.2} ms for an event, and those of the active release {live:.2} ms; at most {} % more \
                     is allowed",
                    self.slower
                ));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::Timestamp;

    use super::*;
    use crate::operate::{ReplayTotals, shadow::report::ShadowEnded};

    fn stopped(compared: u64, failures: u64, live_ms: u64, tried_ms: u64) -> Option<ShadowEnd> {
        let [live, tried] = [live_ms, tried_ms].map(Duration::from_millis);
        let counts = Counts { compared, failures, cost: Cost { live, tried } };
        stops(&counts).map(|(end, _)| end)
    }

    #[test]
    fn it_is_stopped_where_too_much_fails() {
        assert_eq!(stopped(199, 100, 1, 1), None);
        assert_eq!(stopped(101, 101, 1, 1), Some(ShadowEnd::Failures));
        assert_eq!(stopped(200, 20, 1, 1), None);
        assert_eq!(stopped(200, 21, 1, 1), Some(ShadowEnd::Failures));
        assert_eq!(stopped(1_000_000, 101, 1, 1), Some(ShadowEnd::Failures));
        assert_eq!(stopped(0, 0, 0, 0), None);
    }

    #[test]
    fn it_is_stopped_where_it_is_slow_by_itself_and_beside_the_live_one() {
        assert_eq!(stopped(200, 0, 100, 1_200), Some(ShadowEnd::Slow));
        // Ten times as slow, and still short; long, and so is the live one; too few, or too few that took much.
        assert_eq!(stopped(200, 0, 10, 900), None);
        assert_eq!(stopped(200, 0, 200, 1_200), None);
        assert_eq!(stopped(199, 0, 100, 1_200), None);
        assert_eq!(stopped(12, 0, 100, 10_001), Some(ShadowEnd::Slow));
    }

    fn shadow() -> ShadowReport {
        ShadowReport {
            id: 1,
            started_at: Timestamp::UNIX_EPOCH,
            who: "ops".to_owned(),
            note: None,
            release: "new".to_owned(),
            live: "old".to_owned(),
            lanes: 64,
            until: Timestamp::UNIX_EPOCH,
            stalled: false,
            trouble: None,
            compared: 100,
            differences: 0,
            failures: 0,
            live_ms: Some(1.0),
            own_ms: Some(1.5),
            totals: ReplayTotals::default(),
            ended: None,
        }
    }

    fn ended(by: ShadowEnd) -> Option<ShadowEnded> {
        Some(ShadowEnded { by: by.as_str().to_owned(), why: None, at: Timestamp::UNIX_EPOCH })
    }

    #[test]
    fn it_is_clean_under_way_or_at_its_end_within_its_limits() {
        let usual = CleanLimits::default();
        assert!(usual.exceeded(Some(&shadow()), Some("old")).is_empty());
        let at_end = ShadowReport { ended: ended(ShadowEnd::Time), ..shadow() };
        assert!(usual.exceeded(Some(&at_end), Some("old")).is_empty());
        let found = ShadowReport { compared: 99, differences: 1, failures: 1, own_ms: Some(1.7), ..shadow() };
        assert_eq!(usual.exceeded(Some(&found), Some("old")).len(), 4);
        let wide = CleanLimits { differences: 1, failures: 1, slower: 70, events: 99 };
        assert!(wide.exceeded(Some(&found), Some("old")).is_empty());
        // What is fast in any case varies.
        let fast = ShadowReport { live_ms: Some(0.01), own_ms: Some(0.09), ..shadow() };
        assert!(usual.exceeded(Some(&fast), Some("old")).is_empty());
    }

    #[test]
    fn it_is_not_clean_beside_another_release_or_if_it_was_stopped() {
        let usual = CleanLimits::default();
        assert_eq!(usual.exceeded(None, Some("old")).len(), 1);
        let other = usual.exceeded(Some(&shadow()), Some("older"));
        assert_eq!(other, ["its last shadow was compared with old, and older is active now"]);
        for end in [
            ShadowEnd::Stopped,
            ShadowEnd::Failures,
            ShadowEnd::Slow,
            ShadowEnd::Activation,
            ShadowEnd::Error,
        ] {
            let early = ShadowReport { ended: ended(end), ..shadow() };
            assert!(usual.exceeded(Some(&early), Some("old")).first().unwrap().contains("ended early"));
        }
    }
}
