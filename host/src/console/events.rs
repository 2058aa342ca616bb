//! Events: the list, and the history of one.

use axum::{extract::State, response::Html};
use hookswitch_core::domain::DecisionOutcome;
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    query::{Filter, PAGE, filled, since},
    refusal::Refusal,
    render,
    session::Viewer,
    timeline,
};
use crate::store::EventFilter;

/// Maximum number of messages on the page of an event.
const MESSAGES: i64 = 25;

/// The filters of the list, as those of `hookswitch events`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[serde(default, deserialize_with = "filled")]
    outcome: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "filled")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    subject: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    source: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    since: Option<String>,
    before: Option<i64>,
}

/// The list.
pub async fn list(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(query): Filter<Query>,
) -> Result<Html<String>, Refusal> {
    let outcome = match query.outcome.as_deref() {
        None => None,
        Some("failed") => Some(DecisionOutcome::Failed),
        Some("no_route") => Some(DecisionOutcome::NoRoute),
        Some("nobody") => Some(DecisionOutcome::Nobody),
        Some(_) => return Err(Refusal::invalid("The filter outcome must be failed, no_route or nobody.")),
    };
    let filter = EventFilter {
        since: since(query.since.as_deref(), "24h", console.operate.now())?,
        outcome,
        kind: query.kind.clone(),
        subject: query.subject.clone(),
        source: query.source.clone(),
        before: query.before,
        limit: PAGE,
    };
    let page = viewer.events(console.operate.events(&filter).await?);
    let fields = [
        ("outcome", query.outcome.as_deref()),
        ("type", query.kind.as_deref()),
        ("subject", query.subject.as_deref()),
        ("source", query.source.as_deref()),
        ("since", query.since.as_deref()),
    ];
    let given: Vec<(&str, &str)> =
        fields.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    let next = page.next.map(|before| {
        let before = before.to_string();
        let query: Vec<_> = given.iter().copied().chain([("before", before.as_str())]).collect();
        render::link("/events", &query)
    });
    let fields: Vec<Value> = fields
        .iter()
        .filter(|(name, _)| *name != "outcome")
        .map(|(name, value)| context! { name => *name, value => (*value).unwrap_or_default() })
        .collect();
    let filtered = !given.is_empty() || query.before.is_some();
    render::view(
        "events.html",
        &viewer,
        context! { events => render::value(&page.data), next, fields, filtered, outcome => query.outcome.unwrap_or_default() },
    )
}

/// Which event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    id: String,
    #[serde(default, deserialize_with = "filled")]
    source: Option<String>,
    #[serde(default)]
    after: i64,
}

/// One event.
pub async fn show(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(query): Filter<Named>,
) -> Result<Html<String>, Refusal> {
    let found = console.operate.events_by_id(&query.id, query.source.as_deref()).await?;
    if found.len() > 1 {
        let detail = "Events of several sources have this id. Add a source to the address: &source=…";
        return Err(Refusal::invalid(detail));
    }
    let event = found.into_iter().next().ok_or_else(|| Refusal::unknown("No event has this id."))?;
    let history = viewer.history(console.operate.event_history(event, query.after, MESSAGES).await?);
    let decided_at = history.decisions.first().map(|decision| decision.decided_at);
    let first = history.decisions.iter().flat_map(|decision| &decision.notifications).next();
    let steps =
        timeline::steps(history.received_at, decided_at, first.map_or(&[], |first| &first.deliveries));
    let next = history.next.map(|after| {
        let key = &history.event.key;
        render::link("/event", &[("id", &key.id), ("source", &key.source), ("after", &after.to_string())])
    });
    let data = serde_json::to_string_pretty(&history.event).unwrap_or_default();
    render::view(
        "event.html",
        &viewer,
        context! { history => render::value(&history), steps => render::value(&steps), next, data },
    )
}
