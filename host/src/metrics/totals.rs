//! What charts show: a few totals over all labels, which are stored every minute.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What is counted: kind and label.
const KEYS: [(&str, &str); 19] = [
    ("decision", "cancel"),
    ("decision", "collected"),
    ("decision", "duplicate"),
    ("decision", "failed"),
    ("decision", "no_route"),
    ("decision", "nobody"),
    ("decision", "notify"),
    ("decision", "parked"),
    ("decision", "skip"),
    ("event", "accepted"),
    ("event", "refused"),
    ("receipt", "delivered"),
    ("receipt", "failed"),
    ("receipt", "read"),
    ("receipt", "sent"),
    ("send", "accepted"),
    ("send", "failed"),
    ("send", "retry"),
    ("send", "unknown"),
];

/// Totals since the host started. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Totals(Arc<[AtomicU64; KEYS.len()]>);

impl Totals {
    /// Adds to a total; other labels are not charted.
    pub(super) fn add(&self, kind: &str, label: &str, n: u64) {
        if let Ok(index) = KEYS.binary_search(&(kind, label))
            && let Some(total) = self.0.get(index)
        {
            total.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// All totals, each with its kind and label.
    pub fn read(&self) -> impl Iterator<Item = ((&'static str, &'static str), u64)> + '_ {
        KEYS.into_iter().zip(self.0.iter().map(|total| total.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charted_is_added_up() {
        assert!(KEYS.is_sorted());
        let totals = Totals::default();
        totals.add("send", "accepted", 2);
        totals.add("send", "accepted", 1);
        totals.add("receipt", "played", 1);
        let counted: Vec<_> = totals.read().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counted, [(("send", "accepted"), 3)]);
    }
}
