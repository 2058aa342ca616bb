//! Counts of decisions.

use std::{collections::HashMap, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use super::{
    bounded::{Bounded, OTHER},
    totals::Totals,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Decided {
    outcome: &'static str,
    engine: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Rule {
    rule: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Planned {
    template: String,
    priority: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// From an expression to a plugin whose service is slow.
const DECISIONS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByEngine {
    engine: &'static str,
}

/// What a batch was decided as, to be counted when it is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingCounts {
    decisions: HashMap<(&'static str, &'static str), u64>,
    notifications: HashMap<(String, &'static str), u64>,
    unreachable: u64,
}

impl RoutingCounts {
    /// Adds a decision.
    pub fn decision(&mut self, outcome: &'static str, engine: Option<&'static str>) {
        *self.decisions.entry((outcome, engine.unwrap_or("none"))).or_default() += 1;
    }

    /// Adds a notification that is to be sent.
    pub fn notification(&mut self, template: &str, priority: &'static str) {
        *self.notifications.entry((template.to_owned(), priority)).or_default() += 1;
    }

    /// Adds a notification that was planned and will never be sent.
    pub fn unreachable(&mut self) {
        self.unreachable += 1;
    }
}

/// Counts of decisions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RoutingMetrics {
    decisions: Family<Decided, Counter>,
    duration: Family<ByEngine, Histogram, fn() -> Histogram>,
    failures: Bounded<Rule>,
    planned: Bounded<Planned>,
    /// Shared with dispatch, which finds out about the others.
    not_sent: NotSent,
    totals: Totals,
}

impl Default for RoutingMetrics {
    fn default() -> RoutingMetrics {
        RoutingMetrics {
            decisions: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DECISIONS)),
            failures: Bounded::default(),
            planned: Bounded::default(),
            not_sent: NotSent::default(),
            totals: Totals::default(),
        }
    }
}

/// Counts of notifications that are never sent.
#[derive(Clone, Debug, Default)]
pub(super) struct NotSent(Family<Reason, Counter>);

impl NotSent {
    pub(super) fn add(&self, reason: &'static str, n: u64) {
        self.0.get_or_create(&Reason { reason }).inc_by(n);
    }
}

impl RoutingMetrics {
    pub(super) fn with(totals: Totals) -> RoutingMetrics {
        RoutingMetrics { totals, ..RoutingMetrics::default() }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        for reason in ["unreachable", "skipped", "expired"] {
            self.not_sent.add(reason, 0);
        }
        registry.register(
            "decisions",
            "Decisions by outcome and by the engine of the rule",
            self.decisions.clone(),
        );
        registry.register(
            "decision_duration_seconds",
            "How long a rule took to decide about an event, by its engine; of plugins, the whole call",
            self.duration.clone(),
        );
        registry.register("rule_failures", "Decisions that failed, by rule", self.failures.family.clone());
        registry.register(
            "notifications_planned",
            "Notifications to be sent, by template and priority",
            self.planned.family.clone(),
        );
        registry.register(
            "notifications_not_sent",
            "Notifications that are never sent, by reason",
            self.not_sent.0.clone(),
        );
    }

    pub(super) fn not_sent(&self) -> NotSent {
        self.not_sent.clone()
    }

    /// Sets the rules that are live, each `file:line`: an increase can only be seen from zero.
    pub fn set_rules<'a>(&self, rules: impl IntoIterator<Item = &'a str>) {
        for rule in rules {
            self.failures_of(rule);
        }
    }

    fn failures_of(&self, rule: &str) -> Counter {
        let label = |rule: &str| Rule { rule: rule.to_owned() };
        self.failures.counter(label(rule), |_| label(OTHER))
    }

    /// Counts a batch that was committed.
    pub fn committed(&self, counts: RoutingCounts) {
        for ((outcome, engine), n) in counts.decisions {
            self.totals.add("decision", outcome, n);
            self.decisions.get_or_create(&Decided { outcome, engine }).inc_by(n);
        }
        for ((template, priority), n) in counts.notifications {
            let other = |_| Planned { template: OTHER.to_owned(), priority };
            self.planned.counter(Planned { template, priority }, other).inc_by(n);
        }
        if counts.unreachable > 0 {
            self.not_sent.add("unreachable", counts.unreachable);
        }
    }

    /// Records how long a rule took to decide about an event.
    pub fn decided_in(&self, engine: &'static str, took: Duration) {
        self.duration.get_or_create(&ByEngine { engine }).observe(took.as_secs_f64());
    }

    /// Counts a decision that failed; `rule` is `file:line`.
    pub fn rule_failed(&self, rule: &str) {
        self.failures_of(if rule.is_empty() { "none" } else { rule }).inc();
    }
}
