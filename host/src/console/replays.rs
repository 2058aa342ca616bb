//! Back-tests: replays of past events by a release, asked for by a form, and their reports as pictures and bubbles.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, Redirect},
};
use hookswitch_core::{
    compare::{ChangeKind, ComparedMessage},
    domain::{Face, visible},
};
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console, bubble,
    query::{Filter, PAGE, filled, since},
    refusal::Refusal,
    render,
    session::{Actor, Viewer},
};
use crate::{
    http::sentence,
    operate::{
        ActivationError, NoReplay, Operator, Piece, ReplayChoice, ReplayDetail, ReplayEvent, ReplayExample,
        ReplayReport, ReplayTotals, ThenNow, word_diff,
    },
    releases::ReleaseError,
};

/// Releases that the form offers.
const RELEASES: i64 = 10;
/// Examples that a page shows, and of one kind.
const EXAMPLES: usize = 8;
const OF_A_KIND: usize = 2;
/// Size of the texts of all examples, in bytes.
const TEXTS: usize = 8 * 1024;
/// Rows of the table of numbers.
const ROWS: usize = 12;
/// Width of a picture.
const WIDTH: f64 = 200.0;

/// Which replays to list, and the release that the form has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    before: Option<i64>,
    #[serde(default, deserialize_with = "filled")]
    release: Option<String>,
}

/// The replays, the newest first, with the form.
pub async fn list(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(Which { before, release }): Filter<Which>,
) -> Result<Html<String>, Refusal> {
    let (replays, releases) =
        tokio::try_join!(console.operate.replays(before, PAGE), console.operate.releases(None, RELEASES))?;
    let is_full = i64::try_from(replays.len()).is_ok_and(|count| count == PAGE);
    let next = replays.last().filter(|_| is_full).map(|last| format!("/replays?before={}", last.id));
    let values = context! {
        replays => render::value(&replays), releases => render::value(&releases), next,
        release => release.unwrap_or_default(),
    };
    render::view("replays.html", &viewer, values)
}

/// What the form says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    release: String,
    since: String,
    #[serde(default, deserialize_with = "filled", rename = "type")]
    kind: Option<String>,
    one_of: u32,
}

/// Creates a replay, and shows it.
pub async fn create(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Form(New { release, since: looks, kind, one_of }): Form<New>,
) -> Result<Redirect, Refusal> {
    let since = since(Some(looks.trim()), "7d", console.operate.now())?;
    let types = kind.into_iter().collect();
    let choice = ReplayChoice { since, until: None, types, one_of, network: false, prices: Vec::new() };
    let by = Operator::by_console(&viewer.key);
    let id = console.operate.ask_for_replay(&by, release.trim(), &choice).await.map_err(refusal)?;
    Ok(Redirect::to(&format!("/replays/{id}")))
}

fn refusal(error: NoReplay) -> Refusal {
    let detail = sentence(&error.to_string());
    match error {
        NoReplay::Choice(_) => Refusal::invalid(detail),
        NoReplay::Release(ActivationError::Release(ReleaseError::Store(error))) | NoReplay::Store(error) => {
            error.into()
        }
        NoReplay::Release(_) => Refusal::unknown(detail),
        NoReplay::TooMany => Refusal::new(StatusCode::CONFLICT, detail),
    }
}

/// A replay with its report.
pub async fn show(
    viewer: Viewer,
    State(console): State<Console>,
    Path(id): Path<i64>,
) -> Result<Html<String>, Refusal> {
    let found = console.operate.replay(id).await?;
    let found = found.ok_or_else(|| Refusal::unknown("No replay has this number."))?;
    let found = if viewer.sees_personal { found } else { found.without_personal() };
    let ReplayDetail { replay, report } = &found;
    let totals = &replay.totals;
    let values = context! {
        replay => render::value(replay), t => render::value(totals), report => pictured(totals, report),
    };
    render::view("replay.html", &viewer, values)
}

/// A report as pictures and bubbles.
pub(super) fn pictured(totals: &ReplayTotals, report: &ReplayReport) -> Value {
    let mut room = TEXTS;
    let mut shown: Vec<Value> = Vec::new();
    for kind in ChangeKind::ALL {
        let of_kind = report.examples.iter().filter(|of| of.change == kind).take(OF_A_KIND);
        shown.extend(of_kind.map(|of| example(of, &mut room)));
    }
    shown.truncate(EXAMPLES);
    let mut counts = Vec::new();
    for (what, of) in [
        ("", &report.categories),
        ("template ", &report.templates),
        ("rule ", &report.rules),
        ("group ", &report.groups),
    ] {
        counts.extend(compared(what, of));
    }
    context! {
        changes => changes(totals), counts => counts.into_iter().take(ROWS).collect::<Vec<_>>(),
        events => events(totals, report), examples => shown,
    }
}

/// The kinds of changes, each with its bar.
fn changes(totals: &ReplayTotals) -> Vec<Value> {
    let mut rows: Vec<(String, u64, &str)> = Vec::new();
    for (of, beside) in [(&totals.changes, ""), (&totals.digest_changes, ", collected for digests")] {
        for kind in ChangeKind::ALL {
            let tone = if kind == ChangeKind::Gone { "bad" } else { "wait" };
            rows.push((format!("{kind}{beside}"), of.of(kind), tone));
        }
    }
    let most = rows.iter().map(|(_, count, _)| *count).max().unwrap_or(0).max(1);
    rows.retain(|(_, count, _)| *count > 0);
    let row = |(what, count, tone): (String, u64, &str)| {
        let width = count as f64 / most as f64 * WIDTH;
        context! { what, count, tone, width }
    };
    rows.into_iter().map(row).collect()
}

/// What differs in number, each with its bars.
fn compared(what: &str, of: &BTreeMap<String, ThenNow>) -> Vec<Value> {
    let differs = of.iter().filter(|(_, count)| count.then != count.now).take(ROWS);
    let row = |(name, count): (&String, &ThenNow)| {
        let ThenNow { then, now } = *count;
        let scale = WIDTH / then.max(now).max(1) as f64;
        let name = if name.is_empty() { "none" } else { name };
        context! {
            what => format!("{what}{name}"), then, now,
            width_then => then as f64 * scale, width_now => now as f64 * scale,
        }
    };
    differs.map(row).collect()
}

/// What is said of events.
fn events(totals: &ReplayTotals, report: &ReplayReport) -> Vec<Value> {
    let none: &[ReplayEvent] = &[];
    let of = &totals.not_compared;
    let lines = [
        (totals.newly_failing, "events whose rules fail now", "bad", &report.newly_failing[..]),
        (totals.newly_silent, "events of which no message comes now", "bad", &report.newly_silent[..]),
        (totals.no_longer_failing, "events whose rules failed then and do not now", "good", none),
        (totals.no_longer_silent, "events of which messages come now and none came then", "wait", none),
        (totals.other_conditions, "events with other conditions whose effect is not known", "wait", none),
        (of.unrouted, "events not compared: not routed yet", "wait", none),
        (of.asks_more, "events not compared: the rules ask what they did not ask then", "wait", none),
        (of.values_gone, "events not compared: values that must not stay are gone", "wait", none),
        (
            of.release_gone,
            "events not compared: the release that decided is not stored any more",
            "wait",
            none,
        ),
        (of.other_release, "events not compared: another release than the live one decided", "wait", none),
        (of.harmful, "events not compared: deciding them ended a host, or they cannot be read", "wait", none),
    ];
    let lines = lines.into_iter().filter(|(count, ..)| *count > 0);
    let named = |events: &[ReplayEvent]| {
        let few = events.iter().take(OF_A_KIND);
        few.map(|of| context! { id => &of.id, source => &of.source, kind => &of.kind, reason => &of.reason })
            .collect::<Vec<_>>()
    };
    lines.map(|(count, what, tone, events)| context! { count, what, tone, named => named(events) }).collect()
}

fn example(of: &ReplayExample, room: &mut usize) -> Value {
    let ReplayExample { change, event, then, now } = of;
    let (old, new) = (then.as_ref().or(now.as_ref()), now.as_ref().or(then.as_ref()));
    let (Some(old), Some(new)) = (old, new) else { return context! {} };
    let to = |of: &ComparedMessage| {
        of.name.clone().or_else(|| of.username.clone()).unwrap_or_else(|| of.recipient.clone())
    };
    let timing = (*change == ChangeKind::Time).then(|| {
        let at = |of: &ComparedMessage| {
            of.timing.send_at.map_or_else(|| "at another time of the rules".to_owned(), |at| at.to_string())
        };
        format!("then {}, now {}", at(old), at(new))
    });
    let to = match change {
        ChangeKind::People => format!("{} instead of {}", to(new), to(old)),
        _ => to(new),
    };
    // What goes to somebody else has other names.
    let old = if *change == ChangeKind::People { new } else { old };
    let mut faces = Vec::new();
    let are_alike = (&old.in_window, &new.in_window) == (&old.as_template, &new.as_template);
    let label = if are_alike { "in any window" } else { "in an open 24-hour window" };
    faces.extend(face(label, &old.in_window, &new.in_window, room));
    if !are_alike {
        faces.extend(face("outside of it, as the Meta template", &old.as_template, &new.as_template, room));
    }
    context! {
        what => change.to_string(), template => &new.template, id => &event.id, source => &event.source,
        kind => &event.kind, rule => &new.rule, to, timing, faces,
    }
}

/// A face with the words that are gone and those that are new, if there is room for it.
fn face(label: &str, then: &Option<Face>, now: &Option<Face>, room: &mut usize) -> Option<Value> {
    let none = Face::default();
    if then.is_none() && now.is_none() {
        return None;
    }
    let (then, now) = (then.as_ref().unwrap_or(&none), now.as_ref().unwrap_or(&none));
    let size = then.body.len() + now.body.len();
    if size > *room {
        return None;
    }
    *room -= size;
    let text = |then: &Option<String>, now: &Option<String>| {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        marked(&of(then), &of(now))
    };
    Some(context! {
        label, header => text(&then.header, &now.header), body => marked(&then.body, &now.body),
        footer => text(&then.footer, &now.footer), buttons => &now.buttons,
    })
}

/// The text of now as HTML, with what is gone and what is new.
fn marked(then: &str, now: &str) -> Value {
    let (then, now) = (visible(then), visible(now));
    if then == now {
        return Value::from_safe_string(bubble::formatted(&now));
    }
    let piece = |piece| match piece {
        Piece::Same(text) => bubble::escaped(&text),
        Piece::Gone(text) => format!("<del>{}</del>", bubble::escaped(&text)),
        Piece::New(text) => format!("<ins>{}</ins>", bubble::escaped(&text)),
    };
    Value::from_safe_string(word_diff(&then, &now).into_iter().map(piece).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::marked;

    #[test]
    fn words_are_marked_and_nothing_in_them_is_markup() {
        assert_eq!(marked("a <b> c", "a <i> c").to_string(), "a <del>&lt;b&gt;</del><ins>&lt;i&gt;</ins> c");
        assert_eq!(marked("*a* <b>", "*a* <b>").to_string(), "<b>a</b> &lt;b&gt;");
    }
}
