//! `POST /v1/events/rerun`: events are routed again.

use axum::{Json, extract::State};
use hookswitch_core::domain::EventKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Office, invalid};
use crate::{
    http::{Acting, JsonBody, Problem},
    operate::Operator,
};

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
