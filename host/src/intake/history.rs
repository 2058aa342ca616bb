//! `GET /v1/events/{id}`: the event with all that came of it.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;

use super::{Intake, auth::Scope, problem::Problem};
use crate::store::EventHistory;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    source: Option<String>,
}

pub async fn event(
    State(intake): State<Intake>,
    Path(id): Path<String>,
    Query(Which { source }): Query<Which>,
    headers: HeaderMap,
) -> Result<Json<EventHistory>, Problem> {
    intake.keys.require(&headers, Scope::Read).await?;
    let unavailable = |error| {
        tracing::warn!(%error, "failed to read an event");
        Problem::unavailable()
    };
    let mut events = intake.store.events_by_id(&id, source.as_deref()).await.map_err(unavailable)?;
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
    let decisions = intake.store.decisions_of(logged.lane, logged.seq).await.map_err(unavailable)?;
    Ok(Json(EventHistory { event: logged.event, received_at, routed: !decisions.is_empty(), decisions }))
}
