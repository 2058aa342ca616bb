//! `GET /v1/events/{id}`: an event with its history.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Intake;
use crate::{
    http::{Problem, Scope, page_limit},
    store::EventHistory,
};

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

/// Get an event's full history: its decisions, notifications and deliveries.
#[utoipa::path(get, path = "/v1/events/{id}", operation_id = "getEvent", tag = "events", security(("key" = [])),
    params(("id" = String, Path, description = "The event's id, percent-encoded"), Which),
    responses(
        (status = 200, description = "The event with a page of its notifications", body = EventHistory),
        (status = 400, description = "The path or the query is invalid"),
        (status = 404, description = "No event has this id and source"),
        (status = 409, description = "Events of several sources have this id; add `source`"),
    ))]
pub async fn event(
    State(intake): State<Intake>,
    id: Result<Path<String>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<EventHistory>, Problem> {
    intake.keys.require(&headers, Scope::Read).await?;
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
    let mut events = intake.reads.events_by_id(&id, source.as_deref()).await?;
    if events.len() > 1 {
        let sources: Vec<_> = events.iter().map(|(logged, _)| logged.event.key.source.as_str()).collect();
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "event_ambiguous",
            format!(
                "Several sources have an event with the id {id:?}, for example {}; add ?source=SOURCE.",
                sources.join(" and ")
            ),
        ));
    }
    let Some((logged, received_at)) = events.pop() else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "event_unknown",
            format!(
                "No event has the id {id:?}{}.",
                source.map(|s| format!(" and the source {s:?}")).unwrap_or_default()
            ),
        ));
    };
    Ok(Json(intake.reads.event_history(logged, received_at, after, limit).await?))
}
