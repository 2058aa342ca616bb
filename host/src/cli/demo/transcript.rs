//! What the demo prints: for each sample the event, the rule, the people, the message, and its way to `read`.

use std::{io::IsTerminal, time::Duration};

use console::{Term, style};
use hookswitch_core::domain::{Message, Status};
use serde_json::Value;

use super::samples::Sample;
use crate::cli::bubble::bubble;

/// How far the notifications of an event are, as `GET /v1/events/{id}` tells it.
pub struct Progress {
    /// All of them.
    pub notifications: usize,
    /// Read, or recorded as never to be sent.
    pub ended: usize,
}

/// Whether a status is an end for the demo.
pub fn ended(status: &str) -> bool {
    matches!(status, "read" | "played" | "failed" | "skipped" | "expired")
}

fn notifications(history: &Value) -> impl Iterator<Item = &Value> {
    decisions(history).flat_map(|decision| decision["notifications"].as_array().into_iter().flatten())
}

fn decisions(history: &Value) -> impl Iterator<Item = &Value> {
    history["decisions"].as_array().into_iter().flatten()
}

/// How far an event is.
pub fn progress(history: &Value) -> Progress {
    let statuses = || notifications(history).filter_map(|n| n["status"].as_str());
    Progress { notifications: statuses().count(), ended: statuses().filter(|status| ended(status)).count() }
}

/// Whether a rule has told somebody of the event, now or in the last 24 hours.
pub fn told_somebody(history: &Value) -> bool {
    decisions(history).any(|decision| decision["outcome"] == "notify" || decision["outcome"] == "duplicate")
}

/// The ids of the notifications that are to be read.
pub fn expected(history: &Value) -> Vec<String> {
    let sent = notifications(history).filter(|n| n["status"] != "skipped");
    sent.filter_map(|n| n["id"].as_str().map(str::to_owned)).collect()
}

/// The sample with all that came of it.
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
        if let Some(status) = status.filter(|status| !status.arrived()) {
            let details = notification["deliveries"].as_array().into_iter().flatten();
            let detail = details.filter_map(|delivery| delivery["detail"].as_str()).next_back().unwrap_or("");
            println!("      {} {detail}", style(status).red());
        }
        let body = notification["message"]["body"].as_str();
        if last_body == Some(body) {
            println!("      {}", style("reads the same").dim());
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
