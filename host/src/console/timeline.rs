//! The way of a message as a picture: what happened when, and what it waited for in between.

use hookswitch_core::domain::{Delivery, Status};
use jiff::Timestamp;
use serde::Serialize;

use crate::check::words;

/// Width of the picture.
const WIDTH: f64 = 600.0;
/// Maximum number of steps; of more the first ones are shown.
const STEPS: usize = 30;

/// A step: a span of time that ends with something that happened.
#[derive(Debug, Serialize)]
pub struct Step {
    /// What happened at its end.
    pub what: String,
    /// What there is to say about it.
    pub detail: Option<String>,
    /// Meta's error code.
    pub code: Option<i32>,
    /// When it happened.
    pub at: String,
    /// What the span was: what was waited for.
    pub span: String,
    /// How long the span took, in words.
    pub took: String,
    /// The left end of its bar.
    pub x: f64,
    /// The width of its bar.
    pub width: f64,
    /// `good`, `bad` or `wait`.
    pub tone: &'static str,
}

/// The steps of an event, and of one of its messages.
pub fn steps(received_at: Timestamp, decided_at: Option<Timestamp>, deliveries: &[Delivery]) -> Vec<Step> {
    let mut points: Vec<(Timestamp, String, Option<&Delivery>)> =
        vec![(received_at, "received".to_owned(), None)];
    points.extend(decided_at.map(|at| (at, "routed".to_owned(), None)));
    points.extend(deliveries.iter().map(|delivery| {
        let what = match (delivery.status, delivery.attempt) {
            (Status::Sending, attempt) => format!("attempt {attempt}"),
            (status, _) => status.to_string(),
        };
        (delivery.at, what, Some(delivery))
    }));
    // Meta's clock and ours differ: a stable order keeps what caused the other before it.
    points.sort_by_key(|(at, ..)| *at);
    points.truncate(STEPS);
    let (first, last) = (points.first().map(|p| p.0), points.last().map(|p| p.0));
    let all = first.zip(last).map_or(0.0, |(first, last)| seconds(first, last)).max(0.001);
    let mut before: Option<(Timestamp, String)> = None;
    let mut steps = Vec::new();
    for (at, what, delivery) in points {
        let from = before.as_ref().map_or(at, |(from, _)| *from);
        let x = first.map_or(0.0, |first| seconds(first, from)) / all * WIDTH;
        let width = (seconds(from, at) / all * WIDTH).max(2.0);
        steps.push(Step {
            span: before.map(|(_, name)| name).unwrap_or_default(),
            took: took(from, at),
            detail: delivery.and_then(|delivery| delivery.detail.clone()),
            code: delivery.and_then(|delivery| delivery.code),
            at: at.to_string(),
            x: x.min(WIDTH - 2.0),
            width,
            tone: match delivery.map(|delivery| delivery.status) {
                None | Some(Status::Sending) => "good",
                Some(status) => tone(status),
            },
            what: what.clone(),
        });
        before = Some((at, waits_for(&what, delivery)));
    }
    steps
}

/// What the time after a step is spent on.
fn waits_for(what: &str, delivery: Option<&Delivery>) -> String {
    match delivery.map(|delivery| delivery.status) {
        None if what == "received" => "routing".to_owned(),
        None => "queue".to_owned(),
        Some(Status::Deferred) => {
            delivery.and_then(|delivery| delivery.detail.clone()).unwrap_or_else(|| "wait".to_owned())
        }
        Some(Status::Sending) => "Meta answers".to_owned(),
        Some(Status::Retrying) => "wait before the next attempt".to_owned(),
        Some(Status::Unknown) => "waiting for a webhook".to_owned(),
        Some(Status::Accepted | Status::Held | Status::Sent) => "delivery".to_owned(),
        Some(Status::Delivered) => "until read".to_owned(),
        Some(_) => String::new(),
    }
}

/// The class of a status: it went out, it went wrong, or neither.
pub fn tone(status: Status) -> &'static str {
    match status {
        Status::Accepted | Status::Sent | Status::Delivered | Status::Read | Status::Played => "good",
        Status::Failed | Status::Expired => "bad",
        Status::Queued
        | Status::Deferred
        | Status::Sending
        | Status::Unknown
        | Status::Retrying
        | Status::Held
        | Status::Skipped => "wait",
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

fn took(from: Timestamp, to: Timestamp) -> String {
    let duration = to.duration_since(from);
    match duration.as_secs() {
        ..1 => format!("{} ms", duration.as_millis().max(0)),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        _ => words::span(duration),
    }
}
