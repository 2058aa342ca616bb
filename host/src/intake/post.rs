//! `POST /v1/events`.

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use hookswitch_core::domain::EventKey;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{
    Intake,
    attributes::Checked,
    body::{self, Way},
    schema::EventSchema,
};
use crate::{
    commit::Refusal,
    http::{Body, Budget, Caller, Errors, Problem, ProblemError, Scope, is_reserved},
    store::Clash,
};

const RETRY_AFTER: Duration = Duration::from_secs(5);
/// What the types of events begin with that this system makes itself.
const RESERVED: &str = "hookswitch.";

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
    let budget = if way == Way::Batch { Budget::Large } else { Budget::Small };
    let Body { bytes, share } =
        intake.bodies.read(&head.headers, body, budget, way.limit(), || too_large(way)).await?;
    let events = body::events(way, &head.headers, &bytes, &caller.default_source(), intake.reads.now())?;
    drop(bytes);
    refuse_others(way, &caller, &events)?;
    if !caller.may(Scope::Admin) {
        refuse_reserved(way, &events)?;
    }
    let answer = match intake.writer.append(events).await {
        Ok((events, clashes)) if clashes.is_empty() => Ok(accepted(way, &events)),
        Ok((events, clashes)) => Err(conflict(way, &events, &clashes)),
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
    };
    drop(share);
    answer
}

/// Where an event's attribute stands in what was posted.
fn place(way: Way, place: usize, attribute: &str) -> String {
    match way {
        Way::Batch => format!("/{place}/{attribute}"),
        Way::One(_) => format!("/{attribute}"),
        Way::Binary => format!("ce-{attribute}"),
    }
}

/// A rule may trust the source of what this system says itself, and an operator that of a key that is bound.
fn refuse_others(way: Way, caller: &Caller, events: &[Checked]) -> Result<(), Problem> {
    let wrong = |detail: String, is_wrong: &dyn Fn(&str) -> bool| -> Vec<ProblemError> {
        let sources = events.iter().map(|checked| checked.event.key.source.as_str()).enumerate();
        let wrong = sources.filter(|(_, source)| is_wrong(source));
        wrong.map(|(n, _)| ProblemError { at: place(way, n, "source"), detail: detail.clone() }).collect()
    };
    let reserved = wrong("/hookswitch and everything below it is reserved".to_owned(), &is_reserved);
    if !reserved.is_empty() {
        let detail = "the source /hookswitch and everything below it is reserved for the system's own events; use \
                      another source";
        return Err(Problem::new(StatusCode::FORBIDDEN, "reserved_source", detail).with_errors(reserved));
    }
    if caller.sources().is_empty() {
        return Ok(());
    }
    let sources = caller.sources().join(", ");
    let foreign = wrong(format!("must be {sources} or below"), &|source| !caller.may_use(source));
    if foreign.is_empty() {
        return Ok(());
    }
    let detail =
        format!("the key {:?} may only post events whose source is {sources} or below", caller.name());
    Err(Problem::new(StatusCode::FORBIDDEN, "source_not_allowed", detail).with_errors(foreign))
}

/// A rule may trust what this system says itself.
fn refuse_reserved(way: Way, events: &[Checked]) -> Result<(), Problem> {
    let errors: Vec<ProblemError> = events
        .iter()
        .enumerate()
        .filter(|(_, checked)| checked.event.kind.starts_with(RESERVED))
        .map(|(n, checked)| ProblemError {
            at: place(way, n, "type"),
            detail: format!("{:?} is reserved", checked.event.kind),
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
    let errors: Errors = clashing
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
