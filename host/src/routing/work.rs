//! Events on their way through routing, and how much of them goes into one transaction.

use std::sync::Arc;

use hookswitch_core::{
    catalog::Catalog,
    domain::{Lane, Outcome, Verdict},
};
use serde_json::Value;

use crate::store::{LoggedEvent, ParkedRow};

/// Notifications that one transaction appends, and a little more: an event is not divided.
pub(super) const MOST_NOTIFICATIONS: usize = 5_000;
/// Bytes of rendered messages that one transaction appends, and a little more.
pub(super) const MOST_BYTES: usize = 16 * 1024 * 1024;
/// An event that tells more people than this is told page by page, so that small ones need not wait for it.
pub(super) const LARGE: usize = 200;
/// Groups whose members are read for one transaction: a few hundred of each.
pub(super) const MOST_GROUPS: usize = 256;

/// A decided event.
#[derive(Clone)]
pub(super) struct Work {
    pub logged: LoggedEvent,
    pub verdicts: Vec<Verdict>,
    /// The rules that decided.
    pub catalog: Arc<Catalog>,
    pub origin: Origin,
    /// Whether it is told page by page.
    pub large: bool,
}

/// Where an event comes from, which decides what its transaction takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the log: the cursor passes it.
    Log,
    /// From the list of what was set aside.
    Aside,
    /// A plugin failed on it, and it is decided again; or it is routed again as a whole.
    Parked(ParkedRow),
}

/// About how many bytes verdicts hold.
pub(super) fn weight(verdicts: &[Verdict]) -> usize {
    let of_verdict = |verdict: &Verdict| match &verdict.outcome {
        Outcome::Notify(decision) => {
            let names = decision.groups.iter().chain(&decision.users).chain(&decision.contacts);
            let names: usize = names.map(String::len).sum();
            names + decision.context.iter().map(|(name, value)| name.len() + bytes(value)).sum::<usize>()
        }
        Outcome::Skip(why) | Outcome::Failed(why) | Outcome::Parked { why, .. } => why.len(),
        Outcome::NoRoute => 0,
    };
    verdicts.iter().map(of_verdict).sum()
}

fn bytes(value: &Value) -> usize {
    /// Of a value itself, whatever it holds.
    const EACH: usize = size_of::<Value>();
    EACH + match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(bytes).sum(),
        Value::Object(values) => values.iter().map(|(name, value)| name.len() + bytes(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// What is done about an event in a transaction.
#[derive(Clone)]
pub(super) enum Entry {
    Decided(Work),
    Aside(SetAside),
}

/// An event that the cursor passes though it is not decided.
#[derive(Clone)]
pub(super) struct SetAside {
    pub item: Item,
    /// Whether somebody is deciding it.
    pub begun: bool,
    /// The answer, where it came but an earlier event of the subject has none.
    pub answered: Option<Work>,
}

/// An event that waits beside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub lane: Lane,
    pub seq: i64,
    /// Events of one subject are written in their order.
    pub subject: Option<String>,
    /// The plugins that are asked about it, by their ids; empty where none is.
    pub asks: String,
    /// Where it is decided again: which parked decision.
    pub parked: Option<ParkedRow>,
    /// Whether it is decided alone, because hosts died while they decided it.
    pub suspect: bool,
}

/// Orders what waits as the log does.
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

    /// The groups that it names, each as often as it is named.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.decisions().flat_map(|decision| decision.groups.iter().map(String::as_str))
    }

    /// The decisions that tell somebody.
    pub(super) fn decisions(&self) -> impl Iterator<Item = &hookswitch_core::domain::Decision> {
        self.verdicts.iter().filter_map(|verdict| match &verdict.outcome {
            Outcome::Notify(decision) => Some(&**decision),
            _ => None,
        })
    }
}
