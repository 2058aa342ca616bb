//! `hookswitch replay diff`: in which numbers two replays differ.

use std::collections::BTreeMap;

use clap::Args;
use console::style;
use hookswitch_core::compare::ChangeKind;
use serde::Serialize;

use crate::{
    cli::{
        output,
        table::{self, one_line},
    },
    operate::{KeptReplay, ReplayDetail, ThenNow},
};

#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    /// The number of a replay
    pub one: i64,
    /// The number of another
    pub other: i64,
    /// Print a JSON document
    #[arg(long)]
    pub json: bool,
}

/// A number that differs.
#[derive(Serialize)]
struct Difference {
    /// What is counted: for example `messages`, or `template note`.
    what: String,
    /// In the first replay.
    one: u64,
    /// In the second one.
    other: u64,
}

/// Two replays, and the numbers that differ.
#[derive(Serialize)]
struct Differences<'a> {
    one: &'a KeptReplay,
    other: &'a KeptReplay,
    differences: Vec<Difference>,
}

/// Shows it.
///
/// # Errors
/// If it cannot be written as JSON.
pub(super) fn show(one: &ReplayDetail, other: &ReplayDetail, json: bool) -> anyhow::Result<()> {
    let differences = differences(one, other);
    let (one, other) = (&one.replay, &other.replay);
    if json {
        output::json(&Differences { one, other, differences })?;
        return Ok(());
    }
    if one.choice != other.choice {
        println!("{} they looked at different events, or were given other prices.", style("note:").yellow());
    }
    if differences.is_empty() {
        println!("The replays {} and {} found the same.", one.id, other.id);
        return Ok(());
    }
    let heads = [one, other].map(|of| format!("{} ({})", of.id, of.release));
    let mut table = table::table(&["", &heads[0], &heads[1]]);
    for Difference { what, one, other } in &differences {
        table.add_row([one_line(what).into_owned(), one.to_string(), other.to_string()]);
    }
    table::print(&table);
    Ok(())
}

fn differences(one: &ReplayDetail, other: &ReplayDetail) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut add = |what: String, one: u64, other: u64| {
        if one != other {
            all.push(Difference { what, one, other });
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
