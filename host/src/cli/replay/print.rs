//! The report of a replay, for people.

use std::collections::BTreeMap;

use console::style;
use hookswitch_core::compare::ChangeKind;

use super::bubbles::example;
use crate::{
    check::count,
    cli::table::{self, one_line},
    operate::{
        KeptReplay, NotCompared, ReplayChanges, ReplayCost, ReplayDetail, ReplayEvent, ReplayReport,
        ReplayTotals, ThenNow,
    },
};

/// Rows of a table, at most.
const ROWS: usize = 20;
/// Rules whose times are shown.
const SLOWEST: usize = 3;
/// What is true of each report.
pub(in crate::cli) const HELD: &str = "People, groups and opt-outs are those of now. Deduplication keys, digests, limits, quiet hours and windows are \
                    taken as they were then; who would have been over a new limit cannot be known. Nothing was sent.";

pub(in crate::cli) fn counted(number: u64, one: &str, many: &str) -> String {
    count(i64::try_from(number).unwrap_or(i64::MAX), one, many)
}

/// The list of replays.
pub fn list(replays: &[KeptReplay]) {
    if replays.is_empty() {
        println!("No replays.");
        return;
    }
    let mut table = table::table(&["ID", "CREATED", "RELEASE", "STATE", "EVENTS", "CHANGED", "BY"]);
    for replay in replays {
        let state = match (replay.state.as_str(), replay.stalled) {
            ("running", true) => format!("interrupted at {:.0} %", replay.progress * 100.0),
            ("running", false) => format!("running, {:.0} %", replay.progress * 100.0),
            (state, _) => state.to_owned(),
        };
        table.add_row([
            replay.id.to_string(),
            table::time(replay.created_at),
            replay.release.clone(),
            state,
            replay.totals.events.to_string(),
            replay.totals.changed.to_string(),
            one_line(&replay.who).into_owned(),
        ]);
    }
    table::print(&table);
}

/// The report: the numbers first, then examples.
pub fn report(kept: &ReplayDetail) {
    let ReplayDetail { replay, report } = kept;
    head(replay);
    body(&replay.totals, report, HELD);
    if replay.totals.not_compared.asks_more > 0 && !replay.choice.network {
        println!("To have plugins ask what they did not ask then: --network");
    }
    println!("Kept: hookswitch replay show {}", replay.id);
}

/// The numbers, then examples. What is true of each such report comes last.
pub(in crate::cli) fn body(totals: &ReplayTotals, report: &ReplayReport, held: &str) {
    not_compared(&totals.not_compared, report);
    let is_same = !totals.has_changes();
    if is_same {
        println!("{}", style("Nothing changes.").green());
    }
    changes("message", "messages", &totals.changes);
    changes("message collected for a digest", "messages collected for digests", &totals.digest_changes);
    events(totals, report);
    tables(report);
    if let Some(cost) = &report.cost {
        costs(cost);
    }
    slowest(report);
    for shown in &report.examples {
        println!("\n{}", example(shown).trim_end());
    }
    println!("\n{}", style(held).dim());
    if report.keys_forgotten {
        println!(
            "More than 50,000 new dedupe_keys were in force at once; later duplicates may be counted as sent."
        );
    }
    for group in &report.cut_groups {
        println!("Of the group {} only the first 1,000 members were looked at.", one_line(group));
    }
}

fn head(replay: &KeptReplay) {
    let KeptReplay { totals, choice, .. } = replay;
    let until = choice.until.map(|until| format!(" until {}", table::time(until))).unwrap_or_default();
    let sample = match choice.one_of {
        0 | 1 => String::new(),
        of => format!(", one of {of}"),
    };
    let which = format!("received since {}{until}{sample}", table::time(choice.since));
    headline(totals, &which, &format!("release {}", replay.release));
    match (replay.state.as_str(), &replay.error) {
        ("running", _) => {
            println!("Not finished: {:.0} % of the log was looked at.", replay.progress * 100.0)
        }
        (_, Some(error)) => println!("{} {error}", style("failed:").red()),
        _ => {}
    }
}

/// How many events, by which rules, and for how many something changes.
pub(super) fn headline(totals: &ReplayTotals, which: &str, by: &str) {
    println!(
        "{} {which}, by {}: {}",
        style(counted(totals.events, "event", "events")).bold(),
        style(by).bold(),
        changed(totals)
    );
    println!("messages: {} then, {} now", totals.then, totals.now);
}

/// For how many events something changes.
pub(super) fn changed(totals: &ReplayTotals) -> String {
    format!("{} change{}", totals.changed, if totals.changed == 1 { "s" } else { "" })
}

/// Why events were not compared: how many, and why.
pub(super) fn whys(of: &NotCompared) -> impl Iterator<Item = (u64, &'static str)> {
    let NotCompared { unrouted, asks_more, values_gone, release_gone, harmful, other_release } = of;
    let all = [
        (*unrouted, "not routed yet"),
        (*asks_more, "the rules ask what they did not ask then"),
        (*values_gone, "values that must not stay are gone, or the event was erased"),
        (*release_gone, "the release that decided is not stored any more"),
        (*harmful, "deciding it ended a host, or it cannot be read"),
        (*other_release, "another release than the live one decided"),
    ];
    all.into_iter().filter(|(number, _)| *number > 0)
}

fn not_compared(of: &NotCompared, report: &ReplayReport) {
    for (number, why) in whys(of) {
        println!("{} {}: {why}", style("not compared").yellow(), counted(number, "event", "events"));
    }
    for question in &report.questions {
        println!("   asks {}", one_line(question));
    }
}

fn changes(one: &str, many: &str, of: &ReplayChanges) {
    for kind in ChangeKind::ALL {
        let number = of.of(kind);
        if number > 0 {
            println!("{} {kind}", style(counted(number, one, many)).bold());
        }
    }
}

fn events(totals: &ReplayTotals, report: &ReplayReport) {
    let line = |number: u64, what: &str, named: &[ReplayEvent]| {
        if number == 0 {
            return;
        }
        println!("{} {what}", style(counted(number, "event", "events")).bold());
        for event in named {
            let why = event.reason.as_deref().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
            println!("   {} {}{why}", one_line(&event.kind), one_line(&event.id));
        }
    };
    line(totals.newly_failing, "whose rules fail now", &report.newly_failing);
    line(totals.no_longer_failing, "whose rules failed then and do not now", &[]);
    line(totals.newly_silent, "of which no message comes now", &report.newly_silent);
    line(totals.no_longer_silent, "of which messages come now and none came then", &[]);
    line(
        totals.other_conditions,
        "with other conditions (at_most, key, cancel), whose effect is not known",
        &[],
    );
}

fn tables(report: &ReplayReport) {
    let print = |name: &str, of: &BTreeMap<String, ThenNow>, all: bool| {
        let rows: Vec<_> = of.iter().filter(|(_, count)| all || count.then != count.now).collect();
        if rows.is_empty() {
            return;
        }
        println!();
        let mut table = table::table(&[name, "THEN", "NOW"]);
        for (name, count) in rows.iter().take(ROWS) {
            let name = if name.is_empty() { "no rule" } else { name };
            table.add_row([one_line(name).into_owned(), count.then.to_string(), count.now.to_string()]);
        }
        table::print(&table);
        if rows.len() > ROWS {
            println!("{} more; use --json for all.", rows.len() - ROWS);
        }
    };
    print("MESSAGES BY CATEGORY", &report.categories, true);
    print("MESSAGES BY TEMPLATE", &report.templates, false);
    print("MESSAGES BY RULE", &report.rules, false);
    print("DECISIONS BY GROUP", &report.groups, false);
}

fn costs(cost: &ReplayCost) {
    let ReplayCost { currency, then, now, without_price } = cost;
    let sum = |of: &BTreeMap<String, f64>| of.values().sum::<f64>();
    println!(
        "\nAs templates, the messages that differ cost {:.2} {currency} then and {:.2} {currency} now.",
        sum(then),
        sum(now)
    );
    if *without_price > 0 {
        println!("{} without a price.", counted(*without_price, "message is", "messages are"));
    }
}

fn slowest(report: &ReplayReport) {
    let mut times: Vec<_> = report.times.iter().filter(|(_, time)| time.calls > 0).collect();
    times.sort_by(|(_, a), (_, b)| (b.total_ms / b.calls as f64).total_cmp(&(a.total_ms / a.calls as f64)));
    if times.is_empty() {
        return;
    }
    println!();
    let mut table = table::table(&["SLOWEST RULES", "CALLS", "EACH", "LONGEST"]);
    for (rule, time) in times.into_iter().take(SLOWEST) {
        table.add_row([
            one_line(rule).into_owned(),
            time.calls.to_string(),
            format!("{:.2} ms", time.total_ms / time.calls as f64),
            format!("{:.2} ms", time.longest_ms),
        ]);
    }
    table::print(&table);
}
