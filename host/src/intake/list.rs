//! `GET /v1/events`: events and what came of them.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use hookswitch_core::domain::DecisionOutcome;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Intake;
use crate::{
    http::{Problem, Scope, page_limit},
    store::{EventFilter, EventPage},
};

/// How far back events are listed if the query does not say.
const SINCE: SignedDuration = SignedDuration::from_hours(24);

/// The query of a list of events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
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

/// List events and what came of them, newest first.
#[utoipa::path(get, path = "/v1/events", operation_id = "listEvents", tag = "events", security(("key" = [])),
    params(Which),
    responses(
        (status = 200, description = "A page of events", body = EventPage),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn events(
    State(intake): State<Intake>,
    which: Result<Query<Which>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<EventPage>, Problem> {
    intake.keys.require(&headers, Scope::Read).await?;
    let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail);
    let Query(which) =
        which.map_err(|error| wrong(format!("The query is invalid: {}.", error.body_text())))?;
    let limit = page_limit(which.limit)?;
    let texts = [&which.kind, &which.subject, &which.source];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(wrong("The query must not contain the character U+0000.".to_owned()));
    }
    let since = match which.since {
        Some(since) => since,
        None => intake.reads.now().checked_sub(SINCE).unwrap_or(Timestamp::UNIX_EPOCH),
    };
    let filter = EventFilter {
        since,
        outcome: which.outcome,
        kind: which.kind,
        subject: which.subject,
        source: which.source,
        before: which.before,
        limit,
    };
    Ok(Json(intake.reads.list_events(&filter).await?))
}
