//! What charts show: a few totals over all labels, and those of each template, which are stored every minute.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    WAITS,
    bounded::{OTHER, SERIES},
};

/// What is counted: kind and label. Of `phone`, the label is the upper bound of a wait in seconds, as in [`WAITS`].
const KEYS: [(&str, &str); 34] = [
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
    ("phone", "0.25"),
    ("phone", "0.5"),
    ("phone", "1"),
    ("phone", "10"),
    ("phone", "120"),
    ("phone", "14400"),
    ("phone", "2.5"),
    ("phone", "30"),
    ("phone", "300"),
    ("phone", "3600"),
    ("phone", "5"),
    ("phone", "60"),
    ("phone", "86400"),
    ("phone", "900"),
    ("phone", "inf"),
    ("receipt", "delivered"),
    ("receipt", "failed"),
    ("receipt", "read"),
    ("receipt", "sent"),
    ("send", "accepted"),
    ("send", "failed"),
    ("send", "retry"),
    ("send", "unknown"),
];

/// What a message reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Meta accepted it.
    Sent,
    /// It is on the phone.
    Delivered,
    /// It was read.
    Read,
    /// It failed permanently.
    Failed,
}

/// How many messages of a template reached what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TemplateCounts {
    /// Number of messages that Meta accepted.
    pub sent: u64,
    /// Number of messages that Meta reported as delivered.
    pub delivered: u64,
    /// Number of messages that Meta reported as read.
    pub read: u64,
    /// Number of messages that failed permanently.
    pub failed: u64,
}

impl TemplateCounts {
    fn of(&mut self, reached: Reached) -> &mut u64 {
        match reached {
            Reached::Sent => &mut self.sent,
            Reached::Delivered => &mut self.delivered,
            Reached::Read => &mut self.read,
            Reached::Failed => &mut self.failed,
        }
    }

    /// What was added since `before`; `None` if nothing was.
    pub fn since(&self, before: TemplateCounts) -> Option<TemplateCounts> {
        (*self != before).then(|| TemplateCounts {
            sent: self.sent.saturating_sub(before.sent),
            delivered: self.delivered.saturating_sub(before.delivered),
            read: self.read.saturating_sub(before.read),
            failed: self.failed.saturating_sub(before.failed),
        })
    }

    /// Adds others.
    pub fn add(&mut self, other: TemplateCounts) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.read += other.read;
        self.failed += other.failed;
    }
}

/// Totals since the host started. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Totals {
    keys: Arc<[AtomicU64; KEYS.len()]>,
    templates: Arc<Mutex<HashMap<String, TemplateCounts>>>,
}

impl Default for Totals {
    fn default() -> Totals {
        Totals { keys: Arc::new([const { AtomicU64::new(0) }; KEYS.len()]), templates: Arc::default() }
    }
}

impl Totals {
    /// Adds to a total; other labels are not charted.
    pub(super) fn add(&self, kind: &str, label: &str, n: u64) {
        if let Ok(index) = KEYS.binary_search(&(kind, label))
            && let Some(total) = self.keys.get(index)
        {
            total.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Adds a message that took this long from its event to its phone.
    pub(super) fn on_phone_after(&self, seconds: f64) {
        let bound = WAITS.iter().find(|bound| seconds <= **bound);
        self.add("phone", &bound.map_or("inf".to_owned(), ToString::to_string), 1);
    }

    /// Adds a message of a template that reached a state; beyond 1,000 templates they are counted together.
    pub(super) fn reached(&self, template: &str, reached: Reached) {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let name = match templates.contains_key(template) || templates.len() < SERIES {
            true => template,
            false => OTHER,
        };
        match templates.get_mut(name) {
            Some(counts) => *counts.of(reached) += 1,
            None => *templates.entry(name.to_owned()).or_default().of(reached) += 1,
        }
    }

    /// All totals, each with its kind and label.
    pub fn read(&self) -> impl Iterator<Item = ((&'static str, &'static str), u64)> + '_ {
        KEYS.into_iter().zip(self.keys.iter().map(|total| total.load(Ordering::Relaxed)))
    }

    /// What the messages of each template reached.
    pub fn of_templates(&self) -> HashMap<String, TemplateCounts> {
        self.templates.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    #[test]
    fn each_wait_has_a_bucket() {
        let totals = Totals::default();
        let sum = || totals.read().filter(|((kind, _), _)| *kind == "phone").map(|(_, n)| n).sum::<u64>();
        for (n, bound) in WAITS.into_iter().chain([f64::INFINITY]).enumerate() {
            totals.on_phone_after(bound);
            assert_eq!(sum(), n as u64 + 1, "{bound}");
        }
        totals.on_phone_after(0.0);
        let counted = totals.read().find(|(key, _)| *key == ("phone", "0.25"));
        assert_eq!(counted, Some((("phone", "0.25"), 2)));
    }

    #[test]
    fn beyond_a_thousand_templates_are_counted_together() {
        let totals = Totals::default();
        (0..SERIES + 5).for_each(|n| totals.reached(&format!("t{n}"), Reached::Read));
        totals.reached("t0", Reached::Failed);
        totals.reached("t0", Reached::Read);
        let counted = totals.of_templates();
        let of = |name: &str| counted.get(name).map(|counts| (counts.read, counts.failed, counts.sent));
        assert_eq!((of("t0"), of(OTHER)), (Some((2, 1, 0)), Some((5, 0, 0))));
    }
}
