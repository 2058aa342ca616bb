//! `/v1/events`: what came of events, and those that are routed again.

use axum::{
    Json,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri},
    response::Response,
};
use hookswitch_core::domain::{DecisionOutcome, EventKey};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Office, storable};
use crate::{
    http::{
        Acting, JsonBody, Problem, Reader, Scope, Viewing, attachment, from_path, invalid, page, page_limit,
        query, sentence,
    },
    operate::{LISTING, Operator, case_of_event, events_without_personal, history_without_personal},
    store::{EventFilter, EventHistory, EventPage, LoggedEvent},
};

/// How far back events are listed if the query does not say.
const SINCE: SignedDuration = SignedDuration::from_hours(24);

/// The query of a list of events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// List only events with a decision of the last run that came to this; `failed`, `no_route` and `nobody` find those of
    /// which no message came.
    #[param(inline)]
    outcome: Option<DecisionOutcome>,
    /// List only events of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    kind: Option<String>,
    /// List only events with this subject.
    subject: Option<String>,
    /// List only events from this source.
    source: Option<String>,
    /// List only events received since this time; 24 hours ago by default.
    since: Option<Timestamp>,
    /// List only events before this place: `next` of the previous page.
    before: Option<i64>,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// The query of an event's history.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The event's source; required if events of several sources have this id.
    source: Option<String>,
    /// Return only notifications after this one: `next` of the previous page.
    #[serde(default)]
    after: i64,
    /// Maximum number of notifications in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// Maximum number of recipients in a case.
const RECIPIENTS: i64 = 1_000;

/// Maximum number of events in a body.
const EVENTS: usize = 1_000;

/// An event, by its id and source.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventToRerun {
    /// The event's id.
    id: String,
    /// The event's source.
    source: String,
}

/// Events to route again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rerun {
    /// The events, 1 to 1,000.
    #[schema(min_items = 1, max_items = 1000)]
    events: Vec<EventToRerun>,
}

/// The events that will be routed again.
#[derive(Serialize, ToSchema)]
pub struct Rerunning {
    /// The events. Missing are those that are unknown, led to messages, or are to be routed again already.
    data: Vec<EventKey>,
}

/// Route events again that failed, had no rule or reached nobody.
///
/// The rules as they are now decide anew; messages that an event has led to are not repeated.
#[utoipa::path(post, path = "/v1/events/rerun", operation_id = "rerunEvents", tag = "events",
    request_body = Rerun, security(("key" = [])),
    responses(
        (status = 200, description = "The events that will be routed again", body = Rerunning),
        (status = 400, description = "The body is invalid"),
    ))]
pub async fn rerun(
    Acting(caller): Acting,
    State(office): State<Office>,
    JsonBody(Rerun { events }): JsonBody<Rerun>,
) -> Result<Json<Rerunning>, Problem> {
    if !(1..=EVENTS).contains(&events.len()) {
        return Err(invalid(format!("The body must contain 1 to {EVENTS} events.")));
    }
    if events.iter().any(|event| event.id.contains('\0') || event.source.contains('\0')) {
        return Err(invalid("The request must not contain the character U+0000."));
    }
    let keys: Vec<EventKey> =
        events.into_iter().map(|EventToRerun { id, source }| EventKey { id, source }).collect();
    let data = office.operate.rerun(&Operator::by_key(caller.name()), &keys).await?;
    Ok(Json(Rerunning { data }))
}

/// List events and what came of them, newest first.
///
/// Without the scope `personal`, of numbers in subjects and reasons only the last four digits are shown. A reason may quote
/// another value of the event.
#[utoipa::path(get, path = "/v1/events", operation_id = "listEvents", tag = "events", security(("key" = [])),
    params(Filter),
    responses(
        (status = 200, description = "A page of events", body = EventPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    Reader(caller): Reader,
    State(office): State<Office>,
    uri: Uri,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Response, Problem> {
    let filter = query(filter)?;
    let limit = page_limit(filter.limit)?;
    storable([&filter.kind, &filter.subject, &filter.source])?;
    let since = match filter.since {
        Some(since) => since,
        None => office.operate.now().checked_sub(SINCE).unwrap_or(Timestamp::UNIX_EPOCH),
    };
    let filter = EventFilter {
        since,
        outcome: filter.outcome,
        kind: filter.kind,
        subject: filter.subject,
        source: filter.source,
        before: filter.before,
        limit,
    };
    let mut events = office.operate.events(&filter, LISTING).await?;
    if !caller.may(Scope::Personal) {
        events = events_without_personal(events);
    }
    let cursor = events.next.map(|next| next.to_string());
    Ok(page(&uri, "before", cursor.as_deref(), events))
}

/// Get an event's full history: its decisions, notifications and deliveries.
///
/// Without the scope `personal`, what the event says, messages, names of contacts, and what rules asked are left out, and of
/// numbers only the last four digits are shown.
#[utoipa::path(get, path = "/v1/events/{id}", operation_id = "getEvent", tag = "events", security(("key" = [])),
    params(("id" = String, Path, description = "The event's id, percent-encoded"), Which),
    responses(
        (status = 200, description = "The event with a page of its notifications", body = EventHistory),
        (status = 400, description = "The path or the query is invalid"),
        (status = 404, description = "No event has this id and source"),
        (status = 409, description = "Events of several sources have this id; add `source`"),
    ))]
pub async fn get(
    Reader(caller): Reader,
    State(office): State<Office>,
    id: Result<Path<String>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<EventHistory>, Problem> {
    let wrong = |detail: String| {
        let detail = format!(
            "The path must be /v1/events/ID or /v1/events/ID?source=SOURCE, percent-encoded: {detail}."
        );
        Problem::new(StatusCode::BAD_REQUEST, "invalid_address", detail)
    };
    let Path(id) = id.map_err(|error| wrong(error.body_text()))?;
    let Query(Which { source, after, limit: asked }) = which.map_err(|error| wrong(error.body_text()))?;
    let limit = page_limit(asked)?;
    if id.contains('\0') || source.as_deref().is_some_and(|source| source.contains('\0')) {
        return Err(wrong("an id or a source must not contain the character U+0000".to_owned()));
    }
    let logged = the_event(&office, &id, source.as_deref()).await?;
    let history = office.operate.event_history(logged, after, limit).await?;
    Ok(Json(if caller.may(Scope::Personal) { history } else { history_without_personal(history) }))
}

/// The query of an event's case.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// The event's source; required if events of several sources have this id.
    source: Option<String>,
}

/// Get an event as a case for the rules, with invented people.
///
/// It holds the event, what the rules asked and were answered, the people, and what came of it, for `hookswitch rules check`.
/// Names, numbers and e-mail addresses that Hookswitch knows or recognizes are invented; what else is personal in the event it
/// cannot know. The key needs the scopes `read` and `personal`.
#[utoipa::path(get, path = "/v1/events/{id}/case", operation_id = "getEventCase", tag = "events", security(("key" = [])),
    params(("id" = String, Path, description = "The event's id, percent-encoded"), Whose),
    responses(
        (status = 200, description = "The case, with at most 1,000 recipients", content_type = "application/yaml",
            body = String),
        (status = 400, description = "The path or the query is invalid"),
        (status = 404, description = "No event has this id and source"),
        (status = 409, description = "Events of several sources have this id, or it is not decided yet"),
    ))]
pub async fn case(
    _: Viewing,
    State(office): State<Office>,
    id: Result<Path<String>, PathRejection>,
    whose: Result<Query<Whose>, QueryRejection>,
) -> Result<Response, Problem> {
    let (id, Whose { source }) = (from_path(id)?, query(whose)?);
    storable([&Some(id.clone()), &source])?;
    let logged = the_event(&office, &id, source.as_deref()).await?;
    let history = office.operate.event_history(logged, 0, RECIPIENTS).await?;
    let case = case_of_event(&history).map_err(|why| {
        Problem::new(StatusCode::CONFLICT, "event_undecided", sentence(&format!("There is no case: {why}")))
    })?;
    let size = case.len() as u64;
    Ok(attachment("application/yaml", "case.yaml", Some(size), Body::from(case)))
}

async fn the_event(office: &Office, id: &str, source: Option<&str>) -> Result<LoggedEvent, Problem> {
    let mut events = office.operate.events_by_id(id, source).await?;
    if events.len() > 1 {
        let sources: Vec<_> = events.iter().map(|logged| logged.event.key.source.as_str()).collect();
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "event_ambiguous",
            format!(
                "Several sources have an event with the id {id:?}, for example {}; add ?source=SOURCE.",
                sources.join(" and ")
            ),
        ));
    }
    events.pop().ok_or_else(|| {
        let source = source.map(|source| format!(" and the source {source:?}")).unwrap_or_default();
        Problem::new(StatusCode::NOT_FOUND, "event_unknown", format!("No event has the id {id:?}{source}."))
    })
}
