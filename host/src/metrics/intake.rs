//! Counts of incoming events.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use super::{totals::Totals, types::Types};

const COMMITS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const BATCHES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Counts of incoming events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct IntakeMetrics {
    accepted: Types,
    refused: Family<Reason, Counter>,
    commit: Histogram,
    batch: Histogram,
    totals: Totals,
}

impl Default for IntakeMetrics {
    fn default() -> IntakeMetrics {
        IntakeMetrics {
            accepted: Types::default(),
            refused: Family::default(),
            commit: Histogram::new(COMMITS),
            batch: Histogram::new(BATCHES),
            totals: Totals::default(),
        }
    }
}

impl IntakeMetrics {
    pub(super) fn with(totals: Totals) -> IntakeMetrics {
        IntakeMetrics { totals, ..IntakeMetrics::default() }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "events_accepted",
            "Events answered with 202, by type; types that no rule names are `other`",
            self.accepted.counters.family.clone(),
        );
        registry.register(
            "events_refused",
            "Requests with events that were not accepted, by the problem's code",
            self.refused.clone(),
        );
        registry.register(
            "intake_commit_duration_seconds",
            "How long a commit of events took",
            self.commit.clone(),
        );
        registry.register("intake_batch_events", "Number of events in a commit", self.batch.clone());
    }

    /// Sets the event types that rules name; all others are counted together.
    pub fn set_types<'a>(&self, types: impl IntoIterator<Item = &'a str>) {
        self.accepted.set(types);
    }

    /// Counts events that were accepted.
    pub fn accepted<'a>(&self, types: impl ExactSizeIterator<Item = &'a str>) {
        self.totals.add("event", "accepted", types.len() as u64);
        self.accepted.count(types);
    }

    /// Counts a refused request; `code` is that of the problem.
    pub fn refused(&self, code: &'static str) {
        self.totals.add("event", "refused", 1);
        self.refused.get_or_create(&Reason { reason: code }).inc();
    }

    /// Counts a commit of events.
    pub fn committed(&self, events: usize, took: Duration) {
        self.batch.observe(events as f64);
        self.commit.observe(took.as_secs_f64());
    }
}
