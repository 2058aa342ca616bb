//! A release that decides beside the live one: started, shown with what it found, stopped.

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{Html, Redirect},
};
use hookswitch_core::decide;
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    query::{Filter, filled},
    refusal::Refusal,
    releases::{REASON, in_percent, refusal},
    render,
    replays::pictured,
    session::{Administrator, Viewer},
};
use crate::{
    http::sentence,
    operate::{EventDifference, NewShadow, NoShadow, Operator, ShadowDetail, ShadowReport},
};

/// Releases that the form offers.
const RELEASES: i64 = 10;
/// Events that a page lists.
const EVENTS: usize = 20;

/// The release that the form has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default, deserialize_with = "filled")]
    release: Option<String>,
}

/// The shadow that is under way, or the last one, with the form.
pub async fn show(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(Which { release }): Filter<Which>,
) -> Result<Html<String>, Refusal> {
    let (shadow, releases) =
        tokio::try_join!(console.operate.shadow(), console.operate.releases(None, RELEASES))?;
    let shadow = shadow.map(|shadow| if viewer.sees_personal { shadow } else { shadow.without_personal() });
    let (releases, release) = (render::value(&releases), release.unwrap_or_default());
    let values = match &shadow {
        None => context! { releases, release },
        Some(ShadowDetail { shadow, report, events }) => context! {
            releases, release, shadow => in_words(shadow), report => pictured(&shadow.totals, report),
            differences => events.iter().take(EVENTS).map(difference).collect::<Vec<_>>(),
        },
    };
    render::view("shadow.html", &viewer, values)
}

/// A shadow with its state and its numbers in words.
pub(super) fn in_words(of: &ShadowReport) -> Value {
    let (state, tone) = match &of.ended {
        Some(ended) if ended.by == "time" => (format!("ended: {}", ended.words()), "good"),
        Some(ended) => (format!("ended: {}", ended.words()), "bad"),
        None if of.stalled => ("no host is at it".to_owned(), "wait"),
        None => ("under way".to_owned(), "wait"),
    };
    let numbers = format!(
        "{} events compared, {} decided differently, {} failed",
        of.compared, of.differences, of.failures
    );
    let times = of.live_ms.zip(of.own_ms).map(|(live, own)| {
        format!("Its rules take {own:.2} ms of CPU time for an event, those of the live release {live:.2} ms")
    });
    context! {
        release => &of.release, live => &of.live, lanes => of.lanes, note => &of.note, who => &of.who,
        started_at => of.started_at.to_string(), trouble => &of.trouble, has_ended => of.ended.is_some(), state, tone, numbers,
        times,
    }
}

fn difference(of: &EventDifference) -> Value {
    let EventDifference { event, changes, fails, .. } = of;
    context! {
        id => &event.id, source => &event.source, kind => &event.kind, reason => &event.reason, fails,
        number => changes.total(),
    }
}

/// What the form says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    release: String,
    #[serde(rename = "for")]
    time: String,
    #[serde(default, deserialize_with = "filled")]
    share: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    note: Option<String>,
}

/// Starts a shadow, and shows it.
pub async fn start(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(New { release, time, share, note }): Form<New>,
) -> Result<Redirect, Refusal> {
    if note.as_ref().is_some_and(|note| note.chars().count() > REASON || note.contains('\0')) {
        return Err(Refusal::invalid(format!("The note must have at most {REASON} characters.")));
    }
    let time = decide::duration(time.trim()).map_err(|why| Refusal::invalid(sentence(&why)))?;
    let new = NewShadow { time, share: in_percent(share.as_deref())?, note: note.as_deref() };
    let by = Operator::by_console(&viewer.key);
    console.setup.start_shadow(&by, release.trim(), new).await.map_err(refused)?;
    Ok(Redirect::to("/releases/shadow"))
}

fn refused(error: NoShadow) -> Refusal {
    match error {
        NoShadow::Release(error) => refusal(error),
        NoShadow::Time => Refusal::invalid(sentence(&error.to_string())),
        NoShadow::NothingBeside | NoShadow::Share(_) | NoShadow::UnderWay => {
            Refusal::new(StatusCode::CONFLICT, sentence(&error.to_string()))
        }
    }
}

/// Stops the shadow that is under way.
pub async fn stop(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
) -> Result<Redirect, Refusal> {
    let by = Operator::by_console(&viewer.key);
    let stopped = console.operate.stop_shadow(&by).await?;
    stopped.ok_or_else(|| Refusal::new(StatusCode::CONFLICT, "No shadow is under way."))?;
    Ok(Redirect::to("/releases/shadow"))
}
