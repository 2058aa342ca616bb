//! `POST /v1/events`.

use std::time::Duration;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::time::timeout;

use super::{
    Intake,
    attributes::Checked,
    auth::Scope,
    body::{self, Way},
    patience::PATIENCE,
    problem::{Problem, ProblemError},
    schema::EventSchema,
    writer::Refusal,
};
use crate::{domain::EventKey, store::Clash};

const RETRY_AFTER: Duration = Duration::from_secs(5);
/// What the types of events begin with that this system makes itself.
const RESERVED: &str = "hookswitch.";
/// Within which a body must be there.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Of a body that is too large, so much more is read and thrown away: who is cut off while sending does not read
/// the answer.
const THROWN_AWAY: usize = 4 * 1024 * 1024;

/// RFC 3986's unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Takes an event, or a batch of them. What got 202 is on disk, and will be routed exactly once.
#[utoipa::path(post, path = "/v1/events", tag = "events", security(("key" = [])),
    request_body(content(
        (EventSchema = "application/json"),
        (EventSchema = "application/cloudevents+json"),
        (Vec<EventSchema> = "application/cloudevents-batch+json"))),
    responses((status = 202, body = EventKey), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 503, body = Problem)))]
pub async fn events(State(intake): State<Intake>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let caller = intake.keys.require(&head.headers, Scope::Events).await?;
    let way = Way::of(&head.headers)?;
    let _turn = match way {
        Way::Batch => Some(timeout(PATIENCE, intake.batches.acquire()).await.map_err(|_| busy())?),
        Way::One(_) | Way::Binary => None,
    };
    let body = timeout(BODY_TIME, read(body, way)).await.map_err(|_| {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "the body did not come within 30 seconds; post it again",
        )
    })??;
    let events = body::events(way, &head.headers, &body, &caller.name, Timestamp::now())?;
    drop(body);
    if !caller.may(Scope::Admin) {
        refuse_reserved(way, &events)?;
    }
    match intake.writer.append(events).await {
        Ok(events) => Ok(accepted(way, &events)),
        Err(Refusal::Clashes(events, clashes)) => Err(conflict(way, &events, &clashes)),
        Err(Refusal::Busy) => Err(busy()),
        Err(Refusal::Unavailable) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            "the database does not answer; post it again, with the same id and source: what is stored already is \
             not stored twice",
        )
        .retry_after(RETRY_AFTER)),
        Err(Refusal::Failed) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not_stored",
            "PostgreSQL refused to store it; the host's log says why",
        )),
    }
}

/// A rule may trust what this system says itself.
fn refuse_reserved(way: Way, events: &[Checked]) -> Result<(), Problem> {
    let errors: Vec<ProblemError> = events
        .iter()
        .enumerate()
        .filter(|(_, checked)| checked.event.kind.starts_with(RESERVED))
        .map(|(place, checked)| ProblemError {
            at: match way {
                Way::Batch => format!("/{place}/type"),
                Way::One(_) => "/type".to_owned(),
                Way::Binary => "ce-type".to_owned(),
            },
            detail: format!("{:?} is a type of this system's own", checked.event.kind),
        })
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "types that begin with {RESERVED} are this system's own: name yours otherwise; a key with the scope admin may \
         post them"
    );
    Err(Problem::new(StatusCode::FORBIDDEN, "reserved_type", detail).with_errors(errors))
}

fn accepted(way: Way, events: &[Checked]) -> Response {
    let keys: Vec<&EventKey> = events.iter().map(|checked| &checked.event.key).collect();
    match (way, keys.as_slice()) {
        (Way::One(_) | Way::Binary, [key]) => {
            let location: (HeaderName, String) = (header::LOCATION, location(key));
            (StatusCode::ACCEPTED, [location], Json(key)).into_response()
        }
        _ => (StatusCode::ACCEPTED, Json(json!({"events": keys}))).into_response(),
    }
}

/// Where an event is read.
fn location(key: &EventKey) -> String {
    let encode = |text| utf8_percent_encode(text, ENCODED);
    format!("/v1/events/{}?source={}", encode(&key.id), encode(&key.source))
}

fn conflict(way: Way, events: &[Checked], clashes: &[Clash]) -> Problem {
    let clashing = clashes.iter().filter_map(|clash| Some((clash, &events.get(clash.place)?.event.key)));
    let errors = clashing
        .map(|(clash, key)| ProblemError {
            at: if way == Way::Batch { format!("/{}", clash.place) } else { String::new() },
            detail: format!(
                "an event with the id {:?} and the source {:?} but another content was received at {:.3}; it is at {}",
                key.id,
                key.source,
                clash.received_at,
                location(key)
            ),
        })
        .collect();
    let detail = if way == Way::Batch {
        "some events of the batch were posted before with another content, so none of it is accepted; give a new \
         event a new id"
    } else {
        "this event was posted before with another content, which stays; give a new event a new id"
    };
    Problem::new(StatusCode::CONFLICT, "event_conflict", detail).with_errors(errors)
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "too many requests wait to be written, nothing of this one was stored; post it again",
    )
    .retry_after(RETRY_AFTER)
}

async fn read(body: Body, way: Way) -> Result<Bytes, Problem> {
    let limit = way.limit();
    let mut chunks = body.into_data_stream();
    let (mut first, mut all, mut length) = (Bytes::new(), Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "body_unread", format!("the body broke off: {error}"))
        })?;
        length += chunk.len();
        if length > limit + THROWN_AWAY {
            break;
        } else if length > limit {
            all = Vec::new();
        } else if first.is_empty() {
            // Usually there is no second one, and nothing to copy.
            first = chunk;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&chunk);
        }
    }
    if length > limit {
        return Err(too_large(way));
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// What is larger than it may be.
pub fn too_large(way: Way) -> Problem {
    let what = if way == Way::Batch { "a batch" } else { "an event" };
    let limit = way.limit() / 1024;
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "event_too_large",
        format!("{what} has at most {limit} KiB; send a reference to what is larger"),
    )
}
