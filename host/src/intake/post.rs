//! `POST /v1/events`.

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Intake,
    attributes::Checked,
    auth::Scope,
    body::{self, Way},
    problem::{Problem, ProblemError},
    writer::{Answer, Request},
};
use crate::domain::EventKey;

/// RFC 3986's unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub async fn events(
    State(intake): State<Intake>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = intake.keys.require(&headers, Scope::Events).await?;
    let way = Way::of(&headers)?;
    let body = to_bytes(body, way.limit()).await.map_err(|error| unread(way, &error))?;
    let events = body::events(way, &headers, &body, &caller.name, Timestamp::now())?;
    let (answer, answered) = oneshot::channel();
    intake.requests.send(Request { events, answer }).await.map_err(|_| Problem::unavailable())?;
    match answered.await {
        Ok(Answer::Accepted(events)) => Ok(accepted(way, &events)),
        Ok(Answer::Conflicts(events, places)) => Err(conflict(way, &events, &places)),
        Ok(Answer::Refused) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not_stored",
            "PostgreSQL refused to store it; the host's log says why",
        )),
        Ok(Answer::Unavailable) | Err(_) => Err(Problem::unavailable()),
    }
}

fn accepted(way: Way, events: &[Checked]) -> Response {
    let keys: Vec<&EventKey> = events.iter().map(|checked| &checked.event.key).collect();
    match (way, keys.as_slice()) {
        (Way::One(_) | Way::Binary, [key]) => {
            (StatusCode::ACCEPTED, [location(key)], Json(key)).into_response()
        }
        _ => (StatusCode::ACCEPTED, Json(json!({"events": keys}))).into_response(),
    }
}

fn location(key: &EventKey) -> (HeaderName, String) {
    let encode = |text| utf8_percent_encode(text, ENCODED);
    (header::LOCATION, format!("/v1/events/{}?source={}", encode(&key.id), encode(&key.source)))
}

fn conflict(way: Way, events: &[Checked], places: &[usize]) -> Problem {
    let errors = places
        .iter()
        .filter_map(|place| Some((place, &events.get(*place)?.event.key)))
        .map(|(place, key)| ProblemError {
            at: if way == Way::Batch { format!("/{place}") } else { String::new() },
            detail: format!(
                "an event with the id {:?} and the source {:?} was posted with another content",
                key.id, key.source
            ),
        })
        .collect();
    let detail = if way == Way::Batch {
        "some events of the batch were posted before with another content; give a new event a new id. The others \
         of the batch are accepted"
    } else {
        "this event was posted before with another content, which stays; give a new event a new id"
    };
    Problem::new(StatusCode::CONFLICT, "event_conflict", detail).with_errors(errors)
}

fn unread(way: Way, error: &axum::Error) -> Problem {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return too_large(way);
        }
        cause = error.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, "body_unread", format!("the body broke off: {error}"))
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
