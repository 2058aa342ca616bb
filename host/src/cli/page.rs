//! The history of an event, as a page.

use std::fmt::Write;

use console::{StyledObject, Term, style};
use hookswitch_core::domain::{Delivery, Event, Message, NotificationId, Refusal, Status};
use jiff::Timestamp;
use serde_json::Value;
use textwrap::{Options, WordSeparator, WordSplitter, fill};

use super::{bubble::faces, table::one_line};
use crate::{
    store::{DecisionHistory, EventHistory, EventWaits, NotificationHistory, WaitsFor},
    whatsapp,
};

/// Narrowest and widest page on a terminal, in columns. Elsewhere lines are not wrapped.
const NARROWEST: usize = 40;
const WIDEST: usize = 120;
/// Width of labels, in columns; a space follows.
const LABEL: usize = 9;
/// Maximum number of texts shown of one decision.
const TEXTS: usize = 3;
/// Maximum length of an answer to a rule, in characters.
const ANSWER: usize = 300;

/// The page, with a mark at the notification that was asked for.
pub fn page(history: &EventHistory, asked_for: Option<NotificationId>) -> String {
    let mut page = String::new();
    let event = &history.event;
    let mut line = |label: &str, text: &str| row(&mut page, 2, label, text);
    line("event", &format!("{} from {}", event.key.id, event.key.source));
    if let Some(subject) = &event.subject {
        line("about", subject);
    }
    if let Some(trace) = trace(event) {
        line("trace", &trace);
    }
    line("happened", &time(event.time));
    line("received", &time(history.received_at));
    if let Some(waits) = &history.waits {
        line("waits", &event_waits(waits));
    }
    let mut page = format!("{}\n{page}", style(&event.kind).bold().yellow());
    for decision in &history.decisions {
        page.push('\n');
        page.push_str(&of_decision(decision, asked_for));
    }
    page
}

/// The event's `traceparent`.
fn trace(event: &Event) -> Option<String> {
    let [parent, _] = Event::TRACE_CONTEXT;
    let extensions: Value = serde_json::from_str(event.extensions.as_ref()?.get()).ok()?;
    Some(extensions.get(parent)?.as_str()?.to_owned())
}

/// Why an event is not routed yet.
fn event_waits(waits: &EventWaits) -> String {
    let since = time(waits.since);
    let why = match (waits.waits_for, &waits.behind) {
        (WaitsFor::Plugin, _) => "a plugin is deciding about it".to_owned(),
        (WaitsFor::Subject, Some(first)) => {
            format!("behind {} from {}, an earlier event of its subject", first.id, first.source)
        }
        (WaitsFor::Subject, None) => "behind an earlier event of its subject".to_owned(),
        (WaitsFor::Alone, _) => "to be decided alone, as a host died while it was deciding".to_owned(),
        (WaitsFor::Turn, _) => "behind other events that a plugin is deciding about".to_owned(),
        (WaitsFor::Pages, _) => "its many recipients are notified page by page".to_owned(),
    };
    format!("{why} (since {since})")
}

/// A label and its text; wrapped on a terminal.
fn row(page: &mut String, indent: usize, label: &str, value: &str) {
    let columns = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    let width = columns.map_or(usize::MAX, |columns| columns.clamp(NARROWEST, WIDEST));
    let first = format!("{:indent$}{} ", "", style(format!("{label:LABEL$}")).dim());
    let next = " ".repeat(indent + LABEL + 1);
    // Ids and commands are copied, so lines end at spaces only.
    let options = Options::new(width)
        .initial_indent(&first)
        .subsequent_indent(&next)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    page.push_str(fill(&one_line(value), options).trim_end());
    page.push('\n');
}

fn of_decision(decision: &DecisionHistory, asked_for: Option<NotificationId>) -> String {
    let mut text = String::new();
    let rule = match (&decision.rule, &decision.engine) {
        (Some(rule), Some(engine)) => format!("{rule} ({engine})"),
        (Some(rule), None) => rule.clone(),
        (None, _) => "no rule".to_owned(),
    };
    let outcome = decision.outcome.replace('_', " ");
    let outcome = match decision.outcome.as_str() {
        "notify" => style(outcome).green(),
        "failed" => style(outcome).red(),
        _ => style(outcome).yellow(),
    };
    let _ = writeln!(text, "{} {rule} → {outcome}", style("decided by").dim());
    let mut line = |label: &str, value: &str| row(&mut text, 2, label, value);
    line("when", &format!("{}, release {}", time(decision.decided_at), decision.release));
    if let Some(reason) = &decision.reason {
        line("because", reason);
    }
    for asked in questions(decision) {
        line("asked", &asked);
    }
    if let Some(template) = template(decision) {
        line("template", &template);
    }
    let mut notifications: Vec<&NotificationHistory> = decision.notifications.iter().collect();
    notifications.sort_by_key(|notification| asked_for != Some(notification.id));
    let mut shown: Vec<&str> = Vec::new();
    for notification in notifications {
        text.push('\n');
        text.push_str(&of_notification(notification, asked_for == Some(notification.id)));
        // Most people of a decision get the same text.
        let rendered = notification.message.as_ref().map_or("", |message| message.get());
        if shown.len() < TEXTS && !shown.contains(&rendered) {
            shown.push(rendered);
            text.push_str(&message(rendered));
        }
    }
    text
}

/// The text of a message, unless it has been erased.
fn message(rendered: &str) -> String {
    let message: Option<Message> = serde_json::from_str(rendered).ok();
    let columns = Term::stdout().size_checked().map_or(WIDEST, |(_, columns)| usize::from(columns));
    let message = message.filter(|message| !message.body.is_empty());
    message.map(|message| faces(&message, columns.saturating_sub(4), "    ")).unwrap_or_default()
}

/// The template of the decision, even if nobody gets it.
fn template(decision: &DecisionHistory) -> Option<String> {
    let said: Value = serde_json::from_str(decision.decision.as_ref()?.get()).ok()?;
    said["template"].as_str().map(str::to_owned)
}

/// What the rule looked up, and the answers.
fn questions(decision: &DecisionHistory) -> Vec<String> {
    let asked: Vec<Value> =
        decision.asked.as_ref().and_then(|asked| serde_json::from_str(asked.get()).ok()).unwrap_or_default();
    let question = |asked: &Value| {
        let of = if asked["question"].is_null() { String::new() } else { format!(" {}", asked["question"]) };
        format!("{}{of} → {}", asked["port"].as_str().unwrap_or_default(), shortened(&asked["answer"]))
    };
    asked.iter().map(question).collect()
}

fn shortened(answer: &Value) -> String {
    let text = answer.to_string();
    match text.char_indices().nth(ANSWER) {
        Some((end, _)) => {
            format!("{}… ({} characters; --json shows all)", &text[..end], text.chars().count())
        }
        None => text,
    }
}

fn of_notification(notification: &NotificationHistory, asked_for: bool) -> String {
    let mut text = String::new();
    let names = [&notification.name, &notification.username, &notification.recipient];
    let name = names.into_iter().flatten().next().map_or("somebody", String::as_str);
    let shown = one_line(name);
    let beside: Vec<String> = [
        notification.username.clone().filter(|username| username != name),
        notification
            .recipient
            .clone()
            .filter(|to| to != name)
            .map(|to| if to.bytes().all(|b| b.is_ascii_digit()) { format!("+{to}") } else { to }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let beside = if beside.is_empty() { String::new() } else { format!(" ({})", beside.join(", ")) };
    let here = if asked_for { style(" ← this one").cyan().to_string() } else { String::new() };
    let _ = writeln!(
        text,
        "  {} {}{beside}: {}{here}",
        mark(notification.status),
        style(shown).bold(),
        in_words(notification.status)
    );
    let mut line = |label: &str, value: &str| row(&mut text, 4, label, value);
    line("because", &notification.reason);
    line("id", &notification.id.to_string());
    if let Some(key) = &notification.key {
        line("key", key);
    }
    if let Some(old) = &notification.redrive_of {
        line("again", &format!("replaces {old}, which failed"));
    }
    for delivery in &notification.deliveries {
        let label =
            if delivery.attempt == 0 { String::new() } else { format!("attempt {}", delivery.attempt) };
        line(&label, &of_delivery(delivery));
        if let Some(code) = delivery.code {
            line("", &format!("meaning: {}", whatsapp::meaning(code)));
        }
    }
    if let Some(waits) = &notification.waits {
        let words = match (&waits.stopped, waits.stopped_at) {
            (Some(stopped), Some(since)) => format!("held since {}: {stopped}", time(since)),
            _ => format!("until {}: {}", time(waits.due_at), waits_for(&waits.reason)),
        };
        line("waits", &words);
    }
    if let Some(end) = &notification.dead_letter {
        let reason = end.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        match end.redriven_as {
            Some(new) => line("redriven", &format!("{} as {new}", time(end.at))),
            None => line("discarded", &format!("{}{reason}", time(end.at))),
        }
    }
    for action in &notification.actions {
        let reason = action.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        line("operator", &format!("{} {} by {}{reason}", time(action.at), action.action, action.who));
    }
    if let (Some(username), true) = (&notification.username, notification.recipient.is_none()) {
        let said = notification.deliveries.iter().filter_map(|delivery| delivery.detail.as_deref());
        if let Some(command) = said.filter_map(|said| advice(said, username)).next() {
            line("", &format!("→ {command}"));
        }
    }
    text
}

/// The command that lets a person be reached who was refused with these words.
fn advice(said: &str, username: &str) -> Option<String> {
    let name = || username.to_owned();
    if said == Refusal::Unlinked(name()).to_string() {
        Some(format!("hookswitch people link {username} NUMBER"))
    } else if said == Refusal::Deactivated(name()).to_string() {
        Some(format!("hookswitch people activate {username}"))
    } else if said == Refusal::NoPerson(name()).to_string() {
        Some(format!("hookswitch people add {username} --name NAME --whatsapp NUMBER"))
    } else {
        None
    }
}

fn of_delivery(delivery: &Delivery) -> String {
    let mut text = format!("{} {}", time(delivery.at), delivery.status);
    if let Some(wamid) = &delivery.wamid
        && delivery.status == Status::Accepted
    {
        let _ = write!(text, " as {wamid}");
    }
    let said = |code: &i32| delivery.detail.as_ref().is_some_and(|detail| detail.contains(&code.to_string()));
    if let Some(code) = delivery.code.filter(|code| !said(code)) {
        let _ = write!(text, ", error {code}");
    }
    if let Some(detail) = &delivery.detail {
        let _ = write!(text, ": {detail}");
    }
    text
}

fn mark(status: Status) -> StyledObject<&'static str> {
    match status {
        Status::Delivered | Status::Read | Status::Played => style("✓").green(),
        Status::Failed | Status::Skipped | Status::Expired => style("✗").red(),
        _ => style("·").yellow(),
    }
}

fn in_words(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Deferred => "waiting",
        Status::Sending => "being sent",
        Status::Unknown => "sent, delivery not confirmed",
        Status::Retrying => "refused for now, will be retried",
        Status::Accepted => "accepted by Meta",
        Status::Held => "held by Meta for a quality check",
        Status::Sent => "on its way to the phone",
        Status::Failed => "failed",
        Status::Skipped => "not sent",
        Status::Expired => "expired before it could be sent",
        Status::Delivered => "delivered",
        Status::Read => "read",
        Status::Played => "played",
    }
}

/// Why a message waits.
pub fn waits_for(reason: &str) -> &str {
    match reason {
        "send_at" => "the rule set this time",
        "retry" => "Meta refused it for now",
        "pair" => "Meta's rate limit for one recipient",
        "unknown" => "for a delivery webhook; then the template's on_unknown applies",
        "quiet" => "the recipient's quiet hours",
        "hold" => "for you: hookswitch unknown resend ID, or drop ID",
        "window" => "for the recipient to write in, or for an approved template",
        "daily" => "Meta's daily limit of recipients",
        "unreadable" => "for a version of Hookswitch that can read it",
        "as_template" => "to be sent as a Meta template",
        "behind" => "behind an earlier message to the same recipient",
        "stopped" => "for you: hookswitch stopped lists what is stopped",
        "resumed" => "its turn among the messages that were held",
        other => other,
    }
}

/// A time in UTC, to the millisecond; to the second if it was reported so, as Meta does in webhooks: `31.000` would seem
/// to be before `31.844`.
fn time(at: Timestamp) -> String {
    if at.subsec_nanosecond() == 0 { at.to_string() } else { format!("{at:.3}") }
}
