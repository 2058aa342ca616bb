//! The first page: whether something must be done now.

use axum::{extract::State, response::Html};
use jiff::Timestamp;
use minijinja::context;

use super::{Console, chart::chart, refusal::Refusal, render, session::Viewer};
use crate::{
    check::{Finding, Severity, words},
    operate::FIXABLE,
    store::DeadLetterFilter,
};

/// Maximum number of findings on the page.
const FINDINGS: usize = 20;
/// Maximum number of failed and unknown messages that are counted here.
const TALLIED: i64 = 100;
/// Maximum number of failed messages whose causes are counted.
pub const COUNTED: i64 = 1_000;

/// The page.
pub async fn show(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let now = console.operate.now();
    let (report, overview, failed, unknown, traffic) = tokio::join!(
        console.setup.last_report(),
        console.operate.overview(),
        console.operate.tally_failed(TALLIED),
        console.operate.unknown(0, TALLIED),
        console.operate.traffic(),
    );
    let (overview, (failed, first_failed), unknown, traffic) = (overview?, failed?, unknown?, traffic?);
    let age = |at: Option<Timestamp>| at.map(|at| words::span(words::since(at, now)));
    let mut findings: Vec<&Finding> = report
        .iter()
        .flat_map(|report| &report.sections)
        .flat_map(|section| &section.findings)
        .filter(|finding| finding.severity > Severity::Info)
        .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let further = findings.len().saturating_sub(FINDINGS);
    findings.truncate(FINDINGS);
    let waiting: i64 = overview.messages.values().map(|counted| counted.count).sum();
    let more_waiting = overview.messages.values().any(|counted| counted.more);
    let unknown_since = unknown.first().and_then(|first| first.since);
    let unknown = i64::try_from(unknown.len()).unwrap_or(i64::MAX);
    render::view(
        "overview.html",
        &viewer,
        context! {
            findings => findings.iter().map(|finding| shown(finding)).collect::<Vec<_>>(),
            further,
            fixable => FIXABLE,
            checked => report.as_ref().map(|report| report.checked_at.to_string()),
            sections => report.iter().flat_map(|report| &report.sections).map(|section| section.name).collect::<Vec<_>>(),
            tiles => [
                context! { name => "failed", href => "/failed", count => failed, more => failed >= TALLIED, age => age(first_failed) },
                context! { name => "unknown", href => "/unknown", count => unknown, more => unknown >= TALLIED, age => age(unknown_since) },
                context! { name => "messages waiting", href => "/waiting", count => waiting, more => more_waiting, age => None::<String> },
                context! { name => "events not routed", href => "/events", count => overview.events.count, more => overview.events.more, age => age(overview.events.oldest) },
            ],
            to_phone => [("Last hour", traffic.hour), ("Last 7 days", traffic.week)]
                .map(|(when, of)| context! { when, messages => of.map(|of| of.messages), half => of.map(|of| within(of.half)), most => of.map(|of| within(of.most)) }),
            traffic => traffic.traffic.iter().map(|of| context! { name => of.name, hour => chart(&of.hour), week => chart(&of.week) }).collect::<Vec<_>>(),
        },
    )
}

/// What the page says of a finding: its details may be long.
fn shown(finding: &Finding) -> minijinja::Value {
    let Finding { id, severity, what, command, advice, .. } = finding;
    context! { id => *id, severity => render::value(severity), what, command, advice }
}

/// An upper bound of a wait, in words.
fn within(seconds: f64) -> String {
    match seconds {
        of if of.is_infinite() => "more than a day".to_owned(),
        of if of < 60.0 => format!("at most {of} s"),
        of if of < 3_600.0 => format!("at most {} min", of / 60.0),
        of => format!("at most {} h", of / 3_600.0),
    }
}

/// All failed messages.
pub fn every(now: Timestamp) -> DeadLetterFilter {
    DeadLetterFilter {
        since: Timestamp::UNIX_EPOCH,
        made_before: now,
        template: None,
        person: None,
        code: None,
        ids: Vec::new(),
    }
}
