//! What the demo prints: for each sample the event, the rule, the people, the message, and its way to `read`.

use std::{io::IsTerminal, time::Duration};

use console::{Term, style};
use hookswitch_core::domain::{Message, Status};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::Value;

use super::samples::Sample;
use crate::cli::bubble::bubble;

/// A wait that ends no sooner is shown as waiting, not waited for: a retry or a pair limit takes less.
const LATER: SignedDuration = SignedDuration::from_secs(20);

/// How far an event is, as `GET /v1/events/{id}` shows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Whether nothing more happens within the demo.
    pub is_over: bool,
    /// Number of notifications.
    pub notifications: usize,
    /// How many of them are read, failed, expired, skipped, or wait for a later time.
    pub ended: usize,
    /// How many of them wait for a later time.
    pub waiting: usize,
    /// How many decisions were collected for a digest.
    pub collected: usize,
    /// Whether somebody gets a message of the event: now, later, in a digest, or already in the last 24 hours.
    pub reached_somebody: bool,
    /// The ids of the notifications that must be read.
    pub expected: Vec<String>,
}

/// How far an event is.
pub fn ending(history: &Value) -> Ending {
    let mut ending = Ending::default();
    for decision in decisions(history) {
        let outcome = decision["outcome"].as_str().unwrap_or_default();
        ending.collected += usize::from(outcome == "collected");
        ending.reached_somebody |= matches!(outcome, "notify" | "duplicate" | "collected");
    }
    for notification in notifications(history) {
        ending.notifications += 1;
        let status = notification["status"].as_str().unwrap_or_default();
        let waits = waits_until(notification).is_some();
        ending.waiting += usize::from(waits);
        ending.ended += usize::from(waits || is_end(status));
        if !waits && status != "skipped" {
            ending.expected.extend(notification["id"].as_str().map(str::to_owned));
        }
    }
    ending.is_over = history["routed"] == true && ending.ended == ending.notifications;
    ending
}

fn is_end(status: &str) -> bool {
    matches!(status, "read" | "played" | "failed" | "skipped" | "expired")
}

/// Until when a notification waits, if that is beyond the demo.
fn waits_until(notification: &Value) -> Option<Timestamp> {
    let due: Timestamp = notification["waits"]["due_at"].as_str()?.parse().ok()?;
    (due.duration_since(Timestamp::now()) > LATER).then_some(due)
}

fn notifications(history: &Value) -> impl Iterator<Item = &Value> {
    decisions(history).flat_map(|decision| decision["notifications"].as_array().into_iter().flatten())
}

fn decisions(history: &Value) -> impl Iterator<Item = &Value> {
    history["decisions"].as_array().into_iter().flatten()
}

/// Prints the sample and its result.
pub fn tell(number: usize, of: usize, sample: &Sample, history: &Value, took: Duration) {
    let width = Term::stdout().size().1.into();
    println!(
        "\n{} {}  {}",
        style(format!("{number}/{of}")).dim(),
        style(&sample.kind).bold().yellow(),
        style(&sample.name).dim()
    );
    for decision in decisions(history) {
        tell_decision(decision, if std::io::stdout().is_terminal() { width } else { 80 });
    }
    let steps = steps(history);
    if !steps.is_empty() {
        println!("   {} {}", style(steps).green(), style(format!("in {} ms", took.as_millis())).dim());
    }
}

fn tell_decision(decision: &Value, width: usize) {
    let text = |key: &str| decision[key].as_str().unwrap_or_default();
    let by = match text("rule") {
        "" => "no rule".to_owned(),
        rule => format!("{} ({})", rule, text("engine")),
    };
    let what = match (text("outcome"), decision["decision"]["template"].as_str()) {
        ("notify", Some(template)) => format!("send {template}"),
        ("collected", Some(template)) => format!("collect {template} for a digest"),
        (outcome, _) => outcome.replace('_', " "),
    };
    println!("   {} {} {}", style("decided by").dim(), by, style(format!("→ {what}")).bold());
    if let Some(reason) = decision["reason"].as_str() {
        println!("   {} {reason}", style("because").dim());
    }
    let mut last_body = None;
    for notification in decision["notifications"].as_array().into_iter().flatten() {
        let name = ["name", "username", "recipient"].iter().find_map(|key| notification[*key].as_str());
        let name = name.unwrap_or("somebody");
        let why = notification["reason"].as_str().unwrap_or_default();
        println!("   {} {} {}", style("to").dim(), style(name).bold(), style(format!("({why})")).dim());
        let status = notification["status"].as_str().and_then(|status| status.parse::<Status>().ok());
        if let Some(due) = waits_until(notification) {
            let due = due.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC");
            println!("      {}", style(format!("waits until {due}")).yellow());
        } else if let Some(status) = status.filter(|status| !status.arrived()) {
            let details = notification["deliveries"].as_array().into_iter().flatten();
            let detail = details.filter_map(|delivery| delivery["detail"].as_str()).next_back().unwrap_or("");
            println!("      {} {detail}", style(status).red());
        }
        let body = notification["message"]["body"].as_str();
        if last_body == Some(body) {
            println!("      {}", style("same text").dim());
            continue;
        }
        last_body = Some(body);
        if let Ok(message) = serde_json::from_value::<Message>(notification["message"].clone()) {
            let time = jiff::Zoned::now().strftime("%H:%M").to_string();
            for line in bubble(name, &message, status, &time, width.saturating_sub(6)).lines().skip(1) {
                println!("      {line}");
            }
        }
    }
}

/// `sent → delivered → read`, as far as any of the messages came.
fn steps(history: &Value) -> String {
    let reached = |status: Status| {
        notifications(history)
            .flat_map(|n| n["deliveries"].as_array().into_iter().flatten())
            .any(|delivery| delivery["status"] == status.as_str())
    };
    [Status::Accepted, Status::Sent, Status::Delivered, Status::Read]
        .into_iter()
        .filter(|status| reached(*status))
        .map(Status::as_str)
        .collect::<Vec<_>>()
        .join(" → ")
}
