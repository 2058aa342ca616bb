//! Who may do what, who is logged in, and who did what.

use axum::{
    Form,
    extract::State,
    response::{Html, Redirect},
};
use jiff::Timestamp;
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    confirm::Confirmation,
    query::{Filter, PAGE, filled, since},
    refusal::Refusal,
    render,
    session::Administrator,
};
use crate::{operate::Operator, store::ActionFilter};

/// The keys and the sessions.
pub async fn show(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
) -> Result<Html<String>, Refusal> {
    let mut sessions = console.operate.console_sessions(PAGE + 1).await?;
    let are_more = i64::try_from(sessions.len()).is_ok_and(|count| count > PAGE);
    sessions.truncate(PAGE as usize);
    let mut keys = console.operate.keys().await?;
    // The newest are last.
    let further = keys.len().saturating_sub(PAGE as usize);
    keys.drain(..further);
    render::view(
        "access.html",
        &viewer,
        context! { keys => render::value(&keys), further, sessions => render::value(&sessions), are_more },
    )
}

/// Whose sessions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfKey {
    key: String,
}

/// The page that asks whether to end the sessions of a key.
pub async fn confirm_end(
    Administrator(viewer): Administrator,
    Filter(OfKey { key }): Filter<OfKey>,
) -> Result<Html<String>, Refusal> {
    let mut lines = vec![
        format!("Everyone who has logged in with the key {key} is logged out."),
        "The key stays active: whoever has it can log in again.".to_owned(),
    ];
    if key == viewer.key {
        lines.push("This is the key that you have logged in with.".to_owned());
    }
    let asked = Confirmation {
        title: "End sessions",
        lines: &lines,
        action: "/access/end",
        fields: &[("key", &key)],
        button: "End the sessions",
        back: "/access",
    };
    asked.page(&viewer)
}

/// Ends the sessions of a key.
pub async fn end(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(OfKey { key }): Form<OfKey>,
) -> Result<Redirect, Refusal> {
    let by = Operator::by_console(&viewer.key);
    if console.operate.end_console_sessions(&by, &key).await? == 0 {
        return Err(Refusal::unknown("Nobody is logged in with a key of this name; nothing was changed."));
    }
    Ok(Redirect::to("/access"))
}

/// The filters of the log, as those of `hookswitch actions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[serde(default, deserialize_with = "filled")]
    who: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    action: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    since: Option<String>,
    before: Option<i64>,
}

/// The log of what operators did.
pub async fn actions(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Filter(query): Filter<Query>,
) -> Result<Html<String>, Refusal> {
    let filter = ActionFilter {
        since: match &query.since {
            Some(text) => since(Some(text), "", console.operate.now())?,
            None => Timestamp::UNIX_EPOCH,
        },
        who: query.who.clone(),
        action: query.action.clone(),
        before: query.before,
        limit: PAGE,
    };
    let actions = console.operate.actions(&filter).await?;
    let fields = [("who", query.who), ("action", query.action), ("since", query.since)];
    let given: Vec<(&str, &str)> =
        fields.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let is_full = i64::try_from(actions.len()).is_ok_and(|count| count >= PAGE);
    let next = actions.last().filter(|_| is_full).map(|last| {
        let before = last.id.to_string();
        render::link(
            "/actions",
            &given.iter().copied().chain([("before", before.as_str())]).collect::<Vec<_>>(),
        )
    });
    let filtered = !given.is_empty() || query.before.is_some();
    let fields: Vec<Value> = fields
        .iter()
        .map(|(name, value)| context! { name => *name, value => value.clone().unwrap_or_default() })
        .collect();
    let actions: Vec<Value> = actions
        .iter()
        .map(|of| {
            context! {
                id => of.id, at => of.at.to_string(), who => of.who.clone(), way => of.way.clone(),
                action => of.action.clone(), what => of.what.get(), reason => of.reason.clone(), count => of.count,
                // What takes a while is a job, whose id is that of its action.
                job => of.action.starts_with("failed."),
            }
        })
        .collect();
    render::view("actions.html", &viewer, context! { actions, fields, filtered, next })
}
