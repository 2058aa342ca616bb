//! Events: the list, and the history of one.

use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{Html, Redirect},
};
use hookswitch_core::domain::{ANSWERS, DecisionOutcome, Event, EventKey};
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    confirm::Confirmation,
    query::{Filter, PAGE, filled, since},
    refusal::Refusal,
    render,
    session::{Actor, Viewer},
    timeline,
};
use crate::{
    http::sentence,
    operate::{LISTING, Operator, case_of_event},
    store::{EventFilter, LoggedEvent},
};

/// Maximum number of messages on the page of an event.
const MESSAGES: i64 = 25;

/// Outcomes for which an event can be routed again.
const RERUN: [&str; 3] = ["failed", "no_route", "nobody"];

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
    let page = viewer.events(console.operate.events(&filter, LISTING).await?);
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
    let event = the_event(&console, &query.id, query.source.as_deref()).await?;
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
    let media = media(&history.event);
    let can_rerun =
        viewer.may_act && history.decisions.iter().any(|decision| RERUN.contains(&decision.outcome.as_str()));
    let key = &history.event.key;
    let rerun = can_rerun
        .then(|| render::link("/event/rerun", &[("id", key.id.as_str()), ("source", key.source.as_str())]));
    render::view(
        "event.html",
        &viewer,
        context! { history => render::value(&history), steps => render::value(&steps), next, data, rerun, media },
    )
}

/// Which event, without a place in its list of messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    id: String,
    #[serde(default, deserialize_with = "filled")]
    source: Option<String>,
}

/// The event as a case for the rules.
pub async fn case(
    viewer: Viewer,
    State(console): State<Console>,
    Filter(Whole { id, source }): Filter<Whole>,
) -> Result<Html<String>, Refusal> {
    if !viewer.sees_personal {
        let detail = "The key of this session lacks the scope personal, which a case needs.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    let event = the_event(&console, &id, source.as_deref()).await?;
    let key = event.event.key.clone();
    let history = console.operate.event_history(event, 0, MESSAGES).await?;
    let case = case_of_event(&history).map_err(|why| Refusal::invalid(sentence(&why)))?;
    render::view("case.html", &viewer, context! { id => key.id, source => key.source, case })
}

/// The event with this id, of this source or of the only one.
pub(super) async fn the_event(
    console: &Console,
    id: &str,
    source: Option<&str>,
) -> Result<LoggedEvent, Refusal> {
    let mut found = console.operate.events_by_id(id, source).await?;
    match (found.pop(), found.is_empty()) {
        (Some(event), true) => Ok(event),
        (Some(_), false) => Err(Refusal::invalid(
            "Events of several sources have this id. Add a source to the address: &source=…",
        )),
        (None, _) => Err(Refusal::unknown("No event has this id.")),
    }
}

/// The file that somebody has sent: Meta's id, and its name or type.
fn media(event: &Event) -> Option<Value> {
    let is_answer = event.key.source == ANSWERS && event.kind == "message.received";
    let data: serde_json::Value = serde_json::from_str(event.data.get()).ok().filter(|_| is_answer)?;
    let text = |name: &str| data["media"][name].as_str();
    let (id, name) = (text("id")?, text("filename").or(text("mime_type")).unwrap_or("file"));
    Some(context! { id, name })
}

/// Which event to route again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    id: String,
    source: String,
}

/// The page that asks whether to route an event again.
pub async fn confirm_rerun(
    Actor(viewer): Actor,
    Filter(Again { id, source }): Filter<Again>,
) -> Result<Html<String>, Refusal> {
    let lines = [
        format!("The event {id} of {source} is decided again, by the rules as they are now."),
        "Nobody who was told of it before is told again.".to_owned(),
    ];
    let asked = Confirmation {
        title: "Route an event again",
        lines: &lines,
        action: "/event/rerun",
        fields: &[("id", &id), ("source", &source)],
        button: "Route it again",
        back: &render::link("/event", &[("id", &id), ("source", &source)]),
    };
    asked.page(&viewer)
}

/// Has an event routed again.
pub async fn rerun(
    Actor(viewer): Actor,
    State(console): State<Console>,
    Form(Again { id, source }): Form<Again>,
) -> Result<Redirect, Refusal> {
    let key = EventKey { id, source };
    let by = Operator::by_console(&viewer.key);
    if console.operate.rerun(&by, std::slice::from_ref(&key)).await?.is_empty() {
        let detail = "Nothing was changed: no decision of the last run failed, found no rule or reached nobody, or \
                      the event is about to be routed again already.";
        return Err(Refusal::invalid(detail));
    }
    Ok(Redirect::to(&render::link("/event", &[("id", &key.id), ("source", &key.source)])))
}
