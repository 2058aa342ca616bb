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
    let mut deliveries: Vec<&Delivery> = deliveries.iter().collect();
    deliveries.sort_by_key(|delivery| (delivery.attempt, delivery.status));
    let sent = |attempt| {
        let ours = deliveries.iter().filter(|of| of.attempt == attempt && is_ours(of.status));
        ours.map(|of| of.at).max()
    };
    points.extend(deliveries.iter().map(|delivery| {
        let what = match (delivery.status, delivery.attempt) {
            (Status::Sending, attempt) => format!("attempt {attempt}"),
            (status, _) => status.to_string(),
        };
        // Meta's clock is not ours, and its times have whole seconds: what came of a send does not come before it.
        let sent = sent(delivery.attempt).filter(|_| !is_ours(delivery.status));
        (sent.map_or(delivery.at, |sent| sent.max(delivery.at)), what, Some(*delivery))
    }));
    // A stable sort: of what has one time, what caused the other comes before it.
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
            at: delivery.map_or(at, |delivery| delivery.at).to_string(),
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

/// Whether a status is noted by the host that sends, with its own clock.
fn is_ours(status: Status) -> bool {
    matches!(
        status,
        Status::Deferred | Status::Sending | Status::Unknown | Status::Retrying | Status::Accepted
    )
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use hookswitch_core::domain::NotificationId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_meta_says_comes_after_the_send_whatever_its_clock_says() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let row = |status, time| Delivery {
            notification_id: NotificationId(Uuid::nil()),
            attempt: 1,
            status,
            at: at(time),
            wamid: None,
            code: None,
            detail: None,
        };
        let rows = [
            row(Status::Read, "2026-11-27T09:00:00Z"),
            row(Status::Sent, "2026-11-27T09:00:00Z"),
            row(Status::Delivered, "2026-11-27T09:00:00Z"),
            row(Status::Sending, "2026-11-27T09:00:00.7Z"),
            row(Status::Accepted, "2026-11-27T09:00:00.8Z"),
        ];
        let steps = steps(at("2026-11-27T09:00:00.5Z"), Some(at("2026-11-27T09:00:00.6Z")), &rows);
        let seen: Vec<(&str, &str)> =
            steps.iter().map(|step| (step.what.as_str(), step.took.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("received", "0 ms"),
                ("routed", "100 ms"),
                ("attempt 1", "100 ms"),
                ("accepted", "100 ms"),
                ("sent", "0 ms"),
                ("delivered", "0 ms"),
                ("read", "0 ms"),
            ]
        );
        // What Meta said is shown as Meta said it.
        assert_eq!(steps[6].at, "2026-11-27T09:00:00Z");
    }
}
