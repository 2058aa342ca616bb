//! `POST /v1/try`: what the live rules make of an event, without sending.

use axum::{Json, extract::State, http::StatusCode};
use hookswitch_core::domain::Event;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Host;
use crate::{
    http::{Errors, JsonBody, Problem, ProblemError, Scope, Trying, invalid},
    intake::read_event,
    operate::{Trial, TrialError, TriedWindow},
};

/// An event to try: either `event` or `stored`.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"event": {"type": "order.created", "data": {"order": {"id": 1042}}}, "window": "closed"})))]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// The event as it would be posted: a CloudEvent, or `{type, data, …}`.
    #[schema(value_type = Option<Object>)]
    event: Option<Box<RawValue>>,
    /// An event that was posted before.
    stored: Option<StoredEvent>,
    /// The time that rules see; now by default.
    now: Option<Timestamp>,
    /// Whether the recipients' 24-hour windows are open.
    #[serde(default)]
    window: TriedWindow,
}

/// An event that was posted before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredEvent {
    /// Its id.
    id: String,
    /// Its source; needed only if events of several sources have the id.
    source: Option<String>,
}

/// Show what the live rules make of an event, for the people in the database; nothing is sent or stored.
///
/// Requests of plugins are refused. Of each group, the first 1,000 members are shown. Scopes: `read` and `events`; without
/// `personal`, numbers are masked and texts left out.
#[utoipa::path(post, path = "/v1/try", operation_id = "tryEvent", tag = "events", request_body = Try,
    security(("key" = [])),
    responses(
        (status = 200, description = "The decisions, the recipients, and the messages in both forms", body = Trial),
        (status = 400, description = "The body or the event is invalid"),
        (status = 422, description = "No event, or several events, have the id"),
    ))]
pub async fn try_event(
    Trying(caller): Trying,
    State(host): State<Host>,
    JsonBody(Try { event, stored, now, window }): JsonBody<Try>,
) -> Result<Json<Trial>, Problem> {
    let now = now.unwrap_or_else(|| host.setup.operate().now());
    let event = match (event, stored) {
        (Some(event), None) => read_event(event.get().as_bytes(), now).map_err(within)?,
        (None, Some(stored)) => find(&host, stored).await?,
        _ => return Err(invalid("The body must contain either event or stored.")),
    };
    let trial = host.setup.try_event(event, now, window).await.map_err(|error| match error {
        TrialError::Store(error) => Problem::from(error),
        TrialError::Rules(error) => {
            tracing::error!(%error, "failed to try an event");
            let detail = "Internal error; see the log of the host.";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
        }
    })?;
    Ok(Json(if caller.may(Scope::Personal) { trial } else { trial.without_personal() }))
}

/// The problem of an event that is the member `event` of a body.
fn within(problem: Problem) -> Problem {
    let within = |error: &ProblemError| ProblemError { at: format!("/event{}", error.at), ..error.clone() };
    let errors: Errors = problem.errors().iter().map(within).collect();
    Problem::new(StatusCode::BAD_REQUEST, problem.code(), problem.detail()).with_errors(errors)
}

async fn find(host: &Host, StoredEvent { id, source }: StoredEvent) -> Result<Event, Problem> {
    if id.contains('\0') || source.as_ref().is_some_and(|source| source.contains('\0')) {
        return Err(invalid("The request must not contain the character U+0000."));
    }
    let mut found = host.setup.operate().events_by_id(&id, source.as_deref()).await?;
    let (code, detail) = match found.len() {
        1 => {
            return found.pop().map(|logged| logged.event).ok_or_else(|| invalid("No event."));
        }
        0 => ("event_unknown", format!("No event has the id {id:?}.")),
        _ => ("event_ambiguous", format!("Events of several sources have the id {id:?}; name the source.")),
    };
    let error = ProblemError { at: "/stored".to_owned(), detail: detail.clone() };
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).with_errors(vec![error]))
}
