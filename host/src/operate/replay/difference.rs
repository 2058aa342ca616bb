//! In which numbers two replays differ.

use std::collections::BTreeMap;

use hookswitch_core::compare::ChangeKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    kept::{KeptReplay, ReplayDetail},
    report::ThenNow,
};

/// Two replays, and the numbers in which they differ.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReplayDifference {
    /// The first replay.
    pub one: KeptReplay,
    /// The second one.
    pub other: KeptReplay,
    /// Whether both looked at the same events, with the same prices: otherwise numbers differ for that reason, too.
    pub same_choice: bool,
    /// The numbers that differ.
    pub numbers: Vec<DifferentNumber>,
}

/// A number that two replays have differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReplayNumber)]
pub struct DifferentNumber {
    /// What is counted, for example `messages no longer sent`, or `now, template note`.
    pub what: String,
    /// In the first replay.
    pub one: u64,
    /// In the second one.
    pub other: u64,
}

impl ReplayDetail {
    /// Compares two replays.
    #[must_use]
    pub fn compared_with(self, other: ReplayDetail) -> ReplayDifference {
        let numbers = differences(&self, &other);
        let same_choice = self.replay.choice == other.replay.choice;
        ReplayDifference { same_choice, numbers, one: self.replay, other: other.replay }
    }
}

fn differences(one: &ReplayDetail, other: &ReplayDetail) -> Vec<DifferentNumber> {
    let mut all = Vec::new();
    let mut add = |what: String, one: u64, other: u64| {
        if one != other {
            all.push(DifferentNumber { what, one, other });
        }
    };
    let (a, b) = (&one.replay.totals, &other.replay.totals);
    add("events".to_owned(), a.events, b.events);
    add("events not compared".to_owned(), a.not_compared.total(), b.not_compared.total());
    add("events that change".to_owned(), a.changed, b.changed);
    add("messages then".to_owned(), a.then, b.then);
    add("messages now".to_owned(), a.now, b.now);
    for kind in ChangeKind::ALL {
        add(format!("messages {kind}"), a.changes.of(kind), b.changes.of(kind));
        let (a, b) = (a.digest_changes.of(kind), b.digest_changes.of(kind));
        add(format!("messages for digests {kind}"), a, b);
    }
    add("events whose rules fail now".to_owned(), a.newly_failing, b.newly_failing);
    add("events of which no message comes now".to_owned(), a.newly_silent, b.newly_silent);
    add("events of which messages come now".to_owned(), a.no_longer_silent, b.no_longer_silent);
    let (one, other) = (&one.report, &other.report);
    for (what, one, other) in [
        ("template", &one.templates, &other.templates),
        ("rule", &one.rules, &other.rules),
        ("group", &one.groups, &other.groups),
    ] {
        for name in names(one, other) {
            let now = |of: &BTreeMap<String, ThenNow>| of.get(name).map_or(0, |count| count.now);
            let name = if name.is_empty() { "none" } else { name };
            add(format!("now, {what} {name}"), now(one), now(other));
        }
    }
    all
}

/// The names of both, in order.
fn names<'a>(one: &'a BTreeMap<String, ThenNow>, other: &'a BTreeMap<String, ThenNow>) -> Vec<&'a str> {
    let mut names: Vec<&str> = one.keys().chain(other.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}
