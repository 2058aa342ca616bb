//! Events in routing, and how many of them fit into one transaction.

use std::sync::Arc;

use hookswitch_core::{
    catalog::Catalog,
    domain::{Lane, Outcome, Verdict},
};
use serde_json::Value;

use crate::store::{LoggedEvent, ParkedRow};

/// Number of notifications after which a transaction is full; events are not split.
pub(super) const MOST_NOTIFICATIONS: usize = 5_000;
/// Size of rendered messages after which a transaction is full, in bytes.
pub(super) const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Number of people above which an event is spread page by page, so that smaller ones do not wait for it.
pub(super) const LARGE: usize = 200;
/// Maximum number of groups read for one transaction, with a few hundred members each.
pub(super) const MOST_GROUPS: usize = 256;

/// A decided event.
#[derive(Clone)]
pub(super) struct Work {
    pub logged: LoggedEvent,
    pub verdicts: Vec<Verdict>,
    /// Rules that decided.
    pub catalog: Arc<Catalog>,
    pub origin: Origin,
    /// The `traceparent` that its messages continue.
    pub trace: Option<String>,
    /// Whether it is spread page by page.
    pub large: bool,
}

/// Where an event comes from, which determines what its transaction removes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the log: the cursor moves past it.
    Log,
    /// From the list of events set aside.
    Aside,
    /// From the parked events: it is re-run.
    Parked(ParkedRow),
}

impl Origin {
    /// The ordinal of the decision that is made again, if it is.
    pub(super) fn again(&self) -> Option<i16> {
        match self {
            Origin::Parked(row) => Some(row.ordinal),
            Origin::Log | Origin::Aside => None,
        }
    }
}

/// The approximate size of verdicts, in bytes.
pub(super) fn weight(verdicts: &[Verdict]) -> usize {
    let of_verdict = |verdict: &Verdict| match &verdict.outcome {
        Outcome::Notify(decision) => {
            let names = decision.all_groups().chain(decision.all_users()).chain(decision.all_contacts());
            let names: usize = names.map(String::len).sum();
            names + decision.context.iter().map(|(name, value)| name.len() + bytes(value)).sum::<usize>()
        }
        Outcome::Skip(why) | Outcome::Failed(why) | Outcome::Parked { why, .. } => why.len(),
        Outcome::Cancel(cancel) => cancel.cancel.iter().map(String::len).sum(),
        Outcome::NoRoute => 0,
    };
    verdicts.iter().map(of_verdict).sum()
}

fn bytes(value: &Value) -> usize {
    /// Size of a value without its contents, in bytes.
    const EACH: usize = size_of::<Value>();
    EACH + match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(bytes).sum(),
        Value::Object(values) => values.iter().map(|(name, value)| name.len() + bytes(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// What a transaction does about an event.
#[derive(Clone)]
pub(super) enum Entry {
    Decided(Work),
    Aside(SetAside),
}

/// An event set aside: the cursor moves past it although it is not decided.
#[derive(Clone)]
pub(super) struct SetAside {
    pub item: Item,
    /// Whether it is being decided.
    pub begun: bool,
    /// The answer, if it has arrived but an earlier event of the subject has none.
    pub answered: Option<Work>,
}

/// A waiting event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub lane: Lane,
    pub seq: i64,
    /// Subject: its events are written in order.
    pub subject: Option<String>,
    /// Ids of the plugins called for it, see [`asked_by`](super::calls::asked_by); empty if none is called.
    pub asks: String,
    /// The parked decision, if it is re-run.
    pub parked: Option<ParkedRow>,
    /// Whether it is decided alone, because a host died while deciding it.
    pub suspect: bool,
}

/// Position in the log, which orders waiting events.
pub(super) type Key = (i64, Lane, i16);

impl Item {
    pub(super) fn key(&self) -> Key {
        (self.seq, self.lane, self.parked.as_ref().map_or(-1, |row| row.ordinal))
    }
}

impl Entry {
    pub(super) fn place(&self) -> (Lane, i64) {
        match self {
            Entry::Decided(work) => work.place(),
            Entry::Aside(aside) => (aside.item.lane, aside.item.seq),
        }
    }
}

impl Work {
    pub(super) fn place(&self) -> (Lane, i64) {
        (self.logged.lane, self.logged.seq)
    }

    /// Whether it was routed before, and is routed again as a whole.
    pub(super) fn is_rerun(&self) -> bool {
        matches!(&self.origin, Origin::Parked(row) if row.is_rerun())
    }

    /// The groups that it names, with repetitions.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.decisions().flat_map(|decision| decision.all_groups().map(String::as_str))
    }

    /// The decisions with recipients.
    pub(super) fn decisions(&self) -> impl Iterator<Item = &hookswitch_core::domain::Decision> {
        self.verdicts.iter().filter_map(|verdict| match &verdict.outcome {
            Outcome::Notify(decision) => Some(&**decision),
            _ => None,
        })
    }
}
