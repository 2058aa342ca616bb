//! The search box: any id, number or name.

use axum::{extract::State, response::Redirect};
use serde::Deserialize;

use super::{Console, query::Filter, refusal::Refusal, render, session::Viewer};
use crate::operate::Found;

/// What to find.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    q: String,
}

/// Opens the page of what was found.
pub async fn search(
    _: Viewer,
    State(console): State<Console>,
    Filter(query): Filter<Query>,
) -> Result<Redirect, Refusal> {
    let text = query.q.trim();
    if text.is_empty() {
        return Err(Refusal::invalid("Type an id, a number, a username, a group or a subject."));
    }
    let found = console.operate.find(text).await?.ok_or_else(|| {
        Refusal::unknown(format!(
            "No event, message, person or group has the id, the name or the subject {text}."
        ))
    })?;
    Ok(Redirect::to(&match found {
        Found::Event(id, source) => render::link("/event", &[("id", &id), ("source", &source)]),
        Found::Notification(id) => format!("/messages/{id}"),
        Found::Person(username) => render::segment("/people/", &username),
        Found::Recipient(number) => render::link("/messages", &[("person", &number), ("since", "30d")]),
        Found::Group(name) => render::link("/people", &[("group", &name)]),
        Found::Subject(subject) => render::link("/events", &[("subject", &subject), ("since", "90d")]),
    }))
}
