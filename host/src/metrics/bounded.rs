//! Counters by a label that authors choose. However often they change it, the number of series is bounded.

use std::{
    fmt::Debug,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

/// Maximum number of series: what is gone from the rules keeps its own until the host restarts.
pub(super) const SERIES: usize = 1_000;
/// What stands for all that has no series of its own.
pub(super) const OTHER: &str = "other";

/// Counters whose number is bounded. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bounded<L: Clone + Debug + Hash + Eq> {
    pub(super) family: Family<L, Counter>,
    pub(super) series: Arc<AtomicUsize>,
}

impl<L: Clone + Debug + Hash + Eq> Default for Bounded<L> {
    fn default() -> Bounded<L> {
        Bounded { family: Family::default(), series: Arc::default() }
    }
}

impl<L: Clone + Debug + Hash + Eq + EncodeLabelSet> Bounded<L> {
    /// The counter of a label; that of `other` where there are too many.
    pub(super) fn counter(&self, label: L, other: impl FnOnce(L) -> L) -> Counter {
        if let Some(counter) = self.family.get(&label) {
            return counter.clone();
        }
        let has_place = self.series.fetch_add(1, Ordering::Relaxed) < SERIES;
        self.family.get_or_create_owned(&if has_place { label } else { other(label) })
    }
}
