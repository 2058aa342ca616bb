//! Counts by event type. Anybody with a key can post types without end: only those that rules name have a series of their
//! own, all others share one.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use prometheus_client::{encoding::EncodeLabelSet, metrics::counter::Counter};

use super::bounded::{Bounded, OTHER};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct TypeLabel {
    r#type: String,
}

/// A counter for each type that a rule names. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Types {
    pub(super) counters: Bounded<TypeLabel>,
    known: Arc<ArcSwap<Known>>,
}

#[derive(Debug)]
struct Known {
    exact: HashMap<String, Counter>,
    /// `payment.` for `payment.*`, the longest first.
    prefixes: Vec<(String, Counter)>,
    other: Counter,
}

impl Default for Types {
    fn default() -> Types {
        let counters = Bounded::default();
        let other = counter(&counters, OTHER);
        let known = Known { exact: HashMap::new(), prefixes: Vec::new(), other };
        Types { counters, known: Arc::new(ArcSwap::from_pointee(known)) }
    }
}

impl Types {
    /// Sets the types that rules name: `order.created`, `payment.*`, `*`.
    pub(super) fn set<'a>(&self, types: impl IntoIterator<Item = &'a str>) {
        let other = counter(&self.counters, OTHER);
        let mut known = Known { exact: HashMap::new(), prefixes: Vec::new(), other };
        for name in types {
            let counter = || counter(&self.counters, name);
            match name.strip_suffix('*') {
                Some("") => {}
                Some(prefix) => known.prefixes.push((prefix.to_owned(), counter())),
                None => drop(known.exact.insert(name.to_owned(), counter())),
            }
        }
        known.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        known.prefixes.dedup_by(|one, other| one.0 == other.0);
        self.known.store(Arc::new(known));
    }

    /// Counts events by their types.
    pub(super) fn count<'a>(&self, types: impl IntoIterator<Item = &'a str>) {
        let known = self.known.load();
        for name in types {
            let by_prefix = || known.prefixes.iter().find(|(prefix, _)| name.starts_with(prefix.as_str()));
            let counter = known.exact.get(name).or_else(|| by_prefix().map(|(_, counter)| counter));
            counter.unwrap_or(&known.other).inc();
        }
    }
}

fn counter(counters: &Bounded<TypeLabel>, name: &str) -> Counter {
    let label = |name: &str| TypeLabel { r#type: name.to_owned() };
    counters.counter(label(name), |_| label(OTHER))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::{super::bounded::SERIES, *};

    #[test]
    fn only_types_that_rules_name_have_a_series() {
        let types = Types::default();
        types.set(["order.created", "payment.*", "payment.failed.*", "*"]);
        types.count(["order.created", "payment.made", "payment.failed.twice", "order", "x"]);
        let of = |name: &str| counter(&types.counters, name).get();
        assert_eq!([of("order.created"), of("payment.*"), of("payment.failed.*"), of("other")], [1, 1, 1, 2]);
        let series = || types.counters.series.load(Ordering::Relaxed);
        let many: Vec<String> = (0..2 * SERIES).map(|n| format!("type{n}")).collect();
        types.count(many.iter().map(String::as_str));
        assert_eq!((series(), of("other")), (4, 2 + 2 * SERIES as u64));
        // However often the rules change.
        types.set(many.iter().map(String::as_str));
        types.count([many[0].as_str(), many[2 * SERIES - 1].as_str()]);
        assert_eq!((of("type0"), of("other")), (1, 3 + 2 * SERIES as u64));
    }
}
