//! `GET /v1/events/{id}`: the event with all that came of it.

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

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Needed where several sources have events with this id.
    source: Option<String>,
    /// Only notifications after this one: what `next` of the page before said.
    #[serde(default)]
    after: i64,
    /// How many notifications, from 1 to 1,000; 100 by default.
    limit: Option<i64>,
}

/// Tells of an event what came of it, with a page of the notifications that it led to.
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events", security(("key" = [])),
    params(("id" = String, Path), Which),
    responses((status = 200, body = EventHistory), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn event(
    State(intake): State<Intake>,
    id: Result<Path<String>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<EventHistory>, Problem> {
    intake.keys.require(&headers, Scope::Read).await?;
    let wrong = |detail: String| {
        let detail =
            format!("expected /v1/events/ID or /v1/events/ID?source=SOURCE, percent-encoded: {detail}");
        Problem::new(StatusCode::BAD_REQUEST, "invalid_address", detail)
    };
    let Path(id) = id.map_err(|error| wrong(error.body_text()))?;
    let Query(Which { source, after, limit: asked }) = which.map_err(|error| wrong(error.body_text()))?;
    let limit = page_limit(asked)?;
    if id.contains('\0') || source.as_deref().is_some_and(|source| source.contains('\0')) {
        return Err(wrong("no id or source holds U+0000".to_owned()));
    }
    let mut events = intake.reads.events_by_id(&id, source.as_deref()).await?;
    if events.len() > 1 {
        let sources: Vec<_> = events.iter().map(|(logged, _)| logged.event.key.source.as_str()).collect();
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "event_ambiguous",
            format!(
                "events of several sources have the id {id:?}, such as {}; add ?source=…",
                sources.join(" and ")
            ),
        ));
    }
    let Some((logged, received_at)) = events.pop() else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "event_unknown",
            format!(
                "there is no event with the id {id:?}{}",
                source.map(|s| format!(" and the source {s:?}")).unwrap_or_default()
            ),
        ));
    };
    Ok(Json(intake.reads.event_history(logged, received_at, after, limit).await?))
}
