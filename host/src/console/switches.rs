//! What is stopped at once on all hosts, stopping and resuming.

use axum::{
    Form,
    extract::State,
    response::{Html, Redirect},
};
use hookswitch_core::domain::{SwitchKind, SwitchMode, SwitchName};
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    query::{Filter, filled},
    refusal::Refusal,
    render,
    session::{Actor, Viewer},
};
use crate::{
    check::words,
    http::sentence,
    operate::{Operator, Switch, SwitchError},
};

/// Maximum number of switches on the page.
const SHOWN: usize = 100;

impl From<SwitchError> for Refusal {
    fn from(error: SwitchError) -> Refusal {
        let detail = match error.help() {
            Some(help) => sentence(&format!("{error}; {help}")),
            None => sentence(&error.to_string()),
        };
        match error {
            SwitchError::Store(error) => error.into(),
            SwitchError::Unknown { .. } | SwitchError::NotStopped { .. } => Refusal::unknown(detail),
            SwitchError::Ambiguous { .. } | SwitchError::Invalid(_) => Refusal::invalid(detail),
        }
    }
}

/// What is stopped.
pub async fn list(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let all = console.operate.switches().await?;
    let (further, now) = (all.len().saturating_sub(SHOWN), console.operate.now());
    let row = |switch: Switch| {
        let switch = if viewer.sees_personal { switch } else { switch.without_personal() };
        context! {
            kind => switch.kind.as_str(), words => words_of(switch.kind, &switch.name), name => switch.name.as_str(),
            messages => switch.messages.as_str(), is_resumed => switch.messages == SwitchMode::Resuming,
            reason => switch.reason.as_str(), by => switch.by.as_str(), since => switch.since.to_string(),
            age => words::span(now.duration_since(switch.since)), held => switch.held_messages,
            events => switch.held_events, more => switch.more, per_second => switch.per_second,
        }
    };
    let switches: Vec<Value> = all.into_iter().take(SHOWN).map(row).collect();
    let kinds = SwitchKind::ALL.map(SwitchKind::as_str);
    render::view("switches.html", &viewer, context! { switches, further, kinds })
}

fn words_of(kind: SwitchKind, name: &str) -> String {
    SwitchName { kind, name: name.to_owned() }.to_string()
}

/// Which switch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    kind: SwitchKind,
    #[serde(default, deserialize_with = "filled")]
    name: Option<String>,
}

impl Which {
    fn named(self) -> Result<SwitchName, Refusal> {
        let Which { kind, name } = self;
        let name = match (kind, name) {
            (SwitchKind::Sending, _) => SwitchName::ALL.to_owned(),
            (_, Some(name)) => name,
            (kind, None) => return Err(Refusal::invalid(format!("The name of the {kind} is missing."))),
        };
        Ok(SwitchName { kind, name })
    }
}

/// The page that asks how to stop something.
pub async fn ask_stop(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Filter(which): Filter<Which>,
) -> Result<Html<String>, Refusal> {
    let name = console.setup.switch_named(&which.named()?).await?;
    let words = name.to_string();
    render::view("stop.html", &viewer, context! { kind => name.kind.as_str(), name => name.name, words })
}

/// How to stop something.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    kind: SwitchKind,
    name: String,
    messages: SwitchMode,
    #[serde(default, deserialize_with = "filled")]
    reason: Option<String>,
}

/// Stops something.
pub async fn stop(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Form(Stop { kind, name, messages, reason }): Form<Stop>,
) -> Result<Redirect, Refusal> {
    let reason = reason.ok_or_else(|| Refusal::invalid("A reason is missing. Nothing was stopped."))?;
    let is_dropped = match messages {
        SwitchMode::Held => false,
        SwitchMode::Dropped => true,
        SwitchMode::Resuming => return Err(Refusal::invalid("Messages must be held or dropped.")),
    };
    let by = Operator::by_console(&viewer.key);
    console.setup.stop(&by, &SwitchName { kind, name }, is_dropped, &reason).await?;
    Ok(Redirect::to("/switches"))
}

/// The page that asks whether to resume something.
pub async fn ask_resume(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Filter(which): Filter<Which>,
) -> Result<Html<String>, Refusal> {
    let name = which.named()?;
    let all = console.operate.switches().await?;
    let Some(switch) = all.into_iter().find(|of| (of.kind, &of.name) == (name.kind, &name.name)) else {
        return Err(Refusal::unknown("It is not stopped."));
    };
    let reason = viewer.text(Some(switch.reason)).unwrap_or_default();
    render::view(
        "resume.html",
        &viewer,
        context! {
            kind => name.kind.as_str(), words => name.to_string(), name => name.name, reason, by => switch.by,
            since => switch.since.to_string(), held => switch.held_messages, events => switch.held_events,
            more => switch.more, is_dropped => switch.messages == SwitchMode::Dropped,
        },
    )
}

/// How to resume something.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    kind: SwitchKind,
    name: String,
    per_second: i32,
    #[serde(default, deserialize_with = "filled")]
    reason: Option<String>,
}

/// Resumes something.
pub async fn resume(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Form(Resume { kind, name, per_second, reason }): Form<Resume>,
) -> Result<Redirect, Refusal> {
    let by = Operator::by_console(&viewer.key);
    let name = SwitchName { kind, name };
    console.setup.resume(&by, &name, Some(per_second), reason.as_deref()).await?;
    Ok(Redirect::to("/switches"))
}
