//! API keys: created, shown once, revoked.

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{Html, Redirect},
};
use minijinja::context;
use serde::Deserialize;

use super::{
    Console, confirm::Confirmation, query::Filter, refusal::Refusal, render, session::Administrator,
};
use crate::{
    http::{Grant, Scope},
    operate::{Operator, check_key_name},
    store::StoreError,
};

/// A key to create. A scope is given if its box was ticked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    name: String,
    events: Option<String>,
    read: Option<String>,
    personal: Option<String>,
    operate: Option<String>,
    admin: Option<String>,
}

/// Creates a key, and shows it once.
pub async fn create(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(new): Form<NewKey>,
) -> Result<Html<String>, Refusal> {
    let name = new.name.trim().to_owned();
    check_key_name(&name)
        .map_err(|expected| Refusal::invalid(format!("The name is invalid: {expected}.")))?;
    let scopes: Vec<Scope> = [
        (Scope::Events, new.events),
        (Scope::Read, new.read),
        (Scope::Personal, new.personal),
        (Scope::Operate, new.operate),
        (Scope::Admin, new.admin),
    ]
    .into_iter()
    .filter_map(|(scope, ticked)| ticked.map(|_| scope))
    .collect();
    if scopes.is_empty() {
        return Err(Refusal::invalid("Tick at least one of what the key may be used for."));
    }
    let grant = Grant { name, scopes, sources: Vec::new(), rate: None };
    let by = Operator::by_console(&viewer.key);
    let key = console.operate.create_key(&by, &grant).await.map_err(|error| match error {
        StoreError::Conflict(_) => Refusal::new(
            StatusCode::CONFLICT,
            "An active key has this name; revoke it first, or choose another.",
        ),
        error => error.into(),
    })?;
    render::view("key.html", &viewer, context! { name => grant.name, key })
}

/// Which key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    key: String,
}

/// The page that asks whether to revoke a key.
pub async fn confirm_revoke(
    Administrator(viewer): Administrator,
    Filter(Named { key }): Filter<Named>,
) -> Result<Html<String>, Refusal> {
    let mut lines = vec![format!(
        "Hosts refuse the key {key} within 5 seconds, and everyone who has logged in with it is logged out."
    )];
    if key == viewer.key {
        lines.push("This is the key that you have logged in with.".to_owned());
    }
    let asked = Confirmation {
        title: "Revoke an API key",
        lines: &lines,
        action: "/access/revoke",
        fields: &[("key", &key)],
        button: "Revoke it",
        back: "/access",
    };
    asked.page(&viewer)
}

/// Revokes a key.
pub async fn revoke(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(Named { key }): Form<Named>,
) -> Result<Redirect, Refusal> {
    if !console.operate.revoke_key(&Operator::by_console(&viewer.key), &key).await? {
        return Err(Refusal::unknown("No active key has this name; nothing was changed."));
    }
    Ok(Redirect::to("/access"))
}
