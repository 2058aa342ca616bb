//! The playground: what the live rules make of an event, without sending.

use axum::{Form, extract::State, http::StatusCode, response::Html};
use hookswitch_core::domain::Event;
use jiff::Timestamp;
use minijinja::{Value, context};
use serde::Deserialize;
use serde_json::json;

use super::{
    Console, bubble,
    events::the_event,
    query::{Filter, filled},
    refusal::Refusal,
    render,
    session::{Tester, Viewer},
};
use crate::{
    http::Problem,
    intake::read_event,
    operate::{Trial, TrialError, TriedDecision, TriedForm, TriedNotification, TriedWindow, case_of_trial},
};

/// Maximum number of decisions on the page, and of people of each.
const DECISIONS: usize = 10;
const PEOPLE: usize = 20;

/// The event that the form begins with.
const EXAMPLE: &str = r#"{
  "type": "order.created",
  "data": {}
}"#;

/// A stored event, or none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    #[serde(default, deserialize_with = "filled")]
    id: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    source: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    person: Option<String>,
}

/// The form, with a stored event in it if one is named.
pub async fn form(
    Tester(viewer): Tester,
    State(console): State<Console>,
    Filter(Stored { id, source, person }): Filter<Stored>,
) -> Result<Html<String>, Refusal> {
    let stored = match &id {
        Some(id) => Some(the_event(&console, id, source.as_deref()).await?.event),
        None => None,
    };
    let text = match &stored {
        None => EXAMPLE.to_owned(),
        Some(event) if viewer.sees_personal => posted(event),
        Some(_) => String::new(),
    };
    page(&viewer, &Asked { event: text, id, source, now: None, window: None, person }, None)
}

/// What to try.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(default)]
    event: String,
    #[serde(default, deserialize_with = "filled")]
    id: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    source: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    now: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    window: Option<String>,
    /// The username of whom it is about.
    #[serde(default, deserialize_with = "filled")]
    person: Option<String>,
}

/// The form, with what came of it below.
pub async fn try_event(
    Tester(viewer): Tester,
    State(console): State<Console>,
    Form(asked): Form<Asked>,
) -> Result<Html<String>, Refusal> {
    let now = match asked.now.as_deref().map(str::parse::<Timestamp>) {
        None => console.operate.now(),
        Some(Ok(now)) => now,
        Some(Err(_)) => {
            return Err(Refusal::invalid("The time is not understood; for example 2026-11-23T09:00:00Z."));
        }
    };
    let window = match asked.window.as_deref() {
        None | Some("as_is") => TriedWindow::AsIs,
        Some("open") => TriedWindow::Open,
        Some("closed") => TriedWindow::Closed,
        Some(_) => return Err(Refusal::invalid("The window must be as_is, open or closed.")),
    };
    let event = match (&asked.id, asked.event.trim()) {
        (Some(id), "") => the_event(&console, id, asked.source.as_deref()).await?.event,
        (_, text) => read_event(text.as_bytes(), now).map_err(|problem| misread(&problem))?,
    };
    let shown = event.clone();
    let trial = console.setup.try_event(event, now, window).await.map_err(|error| match error {
        TrialError::Store(error) => Refusal::from(error),
        TrialError::Rules(error) => {
            tracing::error!(%error, "failed to try an event");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error; see the log of the host.")
        }
    })?;
    // Whoever typed the event knows it; a stored one may say more than they may see.
    let case = (viewer.sees_personal || asked.id.is_none()).then(|| case_of_trial(&shown, &trial, now));
    let case = case.and_then(Result::ok);
    let heard = match &asked.person {
        Some(username) => Some(hears(&console, &trial, username).await?),
        None => None,
    };
    let trial = if viewer.sees_personal { trial } else { trial.without_personal() };
    let decisions: Vec<Value> = trial.decisions.iter().take(DECISIONS).map(decision).collect();
    let result = context! {
        release => trial.release, decisions, case, heard, at => now.to_string(),
        further => trial.decisions.len().saturating_sub(DECISIONS),
    };
    page(&viewer, &asked, Some(result))
}

/// What is wrong with an event that was typed.
fn misread(problem: &Problem) -> Refusal {
    let errors = problem.errors();
    if errors.is_empty() {
        let place = problem.place().map(|(line, column)| format!(" (line {line}, column {column})"));
        return Refusal::invalid(format!("{}{}", problem.detail(), place.unwrap_or_default()));
    }
    let errors: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.at, error.detail)).collect();
    Refusal::invalid(format!("The event is invalid. {}.", errors.join("; ")))
}

fn page(viewer: &Viewer, asked: &Asked, result: Option<Value>) -> Result<Html<String>, Refusal> {
    let Asked { event, id, source, now, window, person } = asked;
    let values = context! {
        event, id, source, now => now.as_deref().unwrap_or_default(),
        window => window.as_deref().unwrap_or("as_is"), person => person.as_deref().unwrap_or_default(), result,
    };
    render::view("try.html", viewer, values)
}

fn decision(decision: &TriedDecision) -> Value {
    let people: Vec<Value> = decision.notifications.iter().take(PEOPLE).map(recipient).collect();
    // All get the same words, but for names: those of the first are shown.
    let message = decision.notifications.iter().find_map(|of| of.message.as_ref());
    context! {
        outcome => &decision.outcome, rule => &decision.rule, engine => &decision.engine, reason => &decision.reason,
        people, further => decision.notifications.len().saturating_sub(PEOPLE),
        faces => render::value(&message.map(bubble::faces).unwrap_or_default()),
        asked => render::value(&decision.asked),
    }
}

fn recipient(of: &TriedNotification) -> Value {
    let form = match (&of.skipped, of.form) {
        (Some(why), _) => format!("not sent: {why}"),
        _ if of.waits_until.is_some() => {
            "waits for the end of quiet hours, or for the hours of the rule".to_owned()
        }
        (None, TriedForm::FreeForm) => "free-form: the window is open".to_owned(),
        (None, TriedForm::Template) => "as the Meta template".to_owned(),
        (None, TriedForm::Waits) => "waits until the recipient writes".to_owned(),
    };
    context! {
        username => &of.username, recipient => &of.recipient, reason => &of.reason, form,
        tone => if of.skipped.is_some() { "wait" } else { "good" },
        send_at => of.waits_until.or(of.send_at).map(|at| at.to_string()),
    }
}

/// Whether a person would hear of the event, in sentences.
async fn hears(console: &Console, trial: &Trial, username: &str) -> Result<Vec<String>, Refusal> {
    let Some(person) = console.operate.person(username).await? else {
        return Ok(vec![format!("No person has the username {username}.")]);
    };
    let all = trial.decisions.iter().flat_map(|decision| &decision.notifications);
    let to_them = all.filter(|of| of.username.as_deref() == Some(username));
    let mut said: Vec<String> = to_them
        .map(|of| {
            let template = of.message.as_ref().map_or("a message", |message| message.template.as_str());
            match (&of.skipped, of.waits_until.or(of.send_at)) {
                (Some(why), _) => format!("{username} would not get {template}: {why}."),
                (None, Some(at)) => format!("{username} would get {template} at {at} ({}).", of.reason),
                (None, None) => format!("{username} would get {template} at once ({}).", of.reason),
            }
        })
        .collect();
    if said.is_empty() {
        let groups = match person.groups.is_empty() {
            true => "no group".to_owned(),
            false => person.groups.join(", "),
        };
        said.push(format!(
            "{username} would not hear of it: no decision names them or a group of theirs ({groups})."
        ));
    }
    Ok(said)
}

/// An event as it would be posted.
fn posted(event: &Event) -> String {
    let event = json!({
        "id": event.key.id, "source": event.key.source, "type": event.kind, "subject": event.subject, "data": event.data,
    });
    serde_json::to_string_pretty(&event).unwrap_or_default()
}
