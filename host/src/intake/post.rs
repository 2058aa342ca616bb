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
    attributes::{Checked, Defaults},
    body,
    schema::{Accepted, BinaryAttributes, CloudEvent, PostedEvents},
    trace,
    way::{BATCH_LIMIT, Way},
};
use crate::{
    commit::Refusal,
    http::{Body, Budget, Caller, Errors, Limits, Problem, ProblemError, Scope, is_reserved},
    store::Clash,
};

const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The prefix of the event types that Hookswitch emits itself.
const RESERVED: &str = "hookswitch.";

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Post an event, or a batch of events.
///
/// An event that was answered with 202 is committed to disk and is routed exactly once. Posting the same event again
/// (the same `id` and `source`) is safe: it is stored once. A batch is accepted as a whole or refused as a whole.
///
/// A CloudEvent in binary mode has its attributes in `ce-` headers, and any JSON value as its body. An array in
/// `application/json` is a batch; each element may be a CloudEvent or have the plain form. An empty batch is accepted.
///
/// The body may be compressed (`Content-Encoding: gzip`); the limits hold for what is in it. `traceparent` and `tracestate`
/// (W3C Trace Context) of the request become extension attributes of events that have neither.
///
/// The same event may be written differently when it is posted again: in another CloudEvents mode, with other white space,
/// another order of members, escapes or spelling of numbers, or with its time at another offset. No object may have a member
/// twice.
#[utoipa::path(post, path = "/v1/events", operation_id = "postEvents", tag = "events", security(("key" = [])),
    params(BinaryAttributes), request_body(content(
        (PostedEvents = "application/json"),
        (CloudEvent = "application/cloudevents+json"),
        (Vec<CloudEvent> = "application/cloudevents-batch+json"))),
    responses(
        (status = 202, description = "The id and source of the event, or of each event of the batch in order",
            body = Accepted, headers(("Location" = String, description = "Where a single event's history is read"))),
        (status = 400, description = "The body is not valid JSON or not valid gzip, or an event is invalid"),
        (status = 403, description = "The key lacks the scope `events`, or must not post this type or source"),
        (status = 409, description = "An event with this `id` and `source` but different content exists"),
        (status = 413, description = "An event is larger than 256 KiB, or a batch than 16 MiB or 1,000 events"),
    ))]
pub async fn events(State(intake): State<Intake>, request: Request) -> Result<Response, Problem> {
    let metrics = intake.metrics.clone();
    accept(intake, request).await.inspect_err(|problem| metrics.refused(problem.code()))
}

async fn accept(intake: Intake, request: Request) -> Result<Response, Problem> {
    let began = intake.store.now();
    let (head, body) = request.into_parts();
    let caller = intake.keys.require(&head.headers, &[Scope::Events]).await?;
    let way = Way::of(&head.headers)?;
    let limits = Limits {
        budget: if way.is_batch() { Budget::Large } else { Budget::Small },
        bytes: way.limit(),
        array: way.may_be_batch().then_some(BATCH_LIMIT),
    };
    let Body { bytes, share } = intake.bodies.read(&head.headers, body, limits, too_large).await?;
    let way = way.shown_by(&bytes);
    let defaults = Defaults {
        source: &caller.default_source(),
        now: intake.store.now(),
        trace: trace::of(&head.headers),
    };
    let events = body::events(way, &head.headers, &bytes, &defaults)?;
    drop(bytes);
    if events.is_empty() {
        return Ok(accepted(way, &events));
    }
    refuse_others(way, &caller, &events)?;
    if !caller.may(Scope::Admin) {
        refuse_reserved(way, &events)?;
    }
    let answer = match intake.writer.append(events).await {
        Ok((events, clashes)) if clashes.is_empty() => {
            intake.metrics.accepted(events.iter().map(|checked| checked.event.kind.as_str()));
            if intake.tracer.is_on() {
                let now = intake.store.now();
                events.iter().for_each(|checked| intake.tracer.accepted(&checked.event, began, now));
            }
            Ok(accepted(way, &events))
        }
        Ok((events, clashes)) => Err(conflict(way, &events, &clashes)),
        Err(Refusal::Busy) => Err(busy()),
        Err(Refusal::Unavailable) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            "The database does not respond. Send the request again with the same id and source: an event is not \
             stored twice.",
        )
        .retry_after(RETRY_AFTER)),
        Err(Refusal::Failed) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not_stored",
            "The event could not be stored; the log of the host says why.",
        )),
    };
    drop(share);
    answer
}

/// Where an attribute of an event is in the request.
fn place(way: Way, place: usize, attribute: &str) -> String {
    match way {
        Way::Batch(_) => format!("/{place}/{attribute}"),
        Way::One(_) => format!("/{attribute}"),
        Way::Binary => format!("ce-{attribute}"),
    }
}

/// Refuses sources that the caller must not use: rules trust the reserved ones, operators those a key is bound to.
fn refuse_others(way: Way, caller: &Caller, events: &[Checked]) -> Result<(), Problem> {
    let wrong = |detail: String, is_wrong: &dyn Fn(&str) -> bool| -> Vec<ProblemError> {
        let sources = events.iter().map(|checked| checked.event.key.source.as_str()).enumerate();
        let wrong = sources.filter(|(_, source)| is_wrong(source));
        wrong.map(|(n, _)| ProblemError { at: place(way, n, "source"), detail: detail.clone() }).collect()
    };
    let reserved = wrong("is reserved, like everything below /hookswitch".to_owned(), &is_reserved);
    if !reserved.is_empty() {
        let detail = "The source /hookswitch and everything below it is reserved for events of Hookswitch itself; use \
                      another source.";
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
        format!("The key {:?} may only post events whose source is {sources} or below.", caller.name());
    Err(Problem::new(StatusCode::FORBIDDEN, "source_not_allowed", detail).with_errors(foreign))
}

/// Refuses reserved types: rules trust that Hookswitch itself emitted those events.
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
        "Types that begin with {RESERVED} are reserved for events of Hookswitch itself; only a key with the scope admin \
         may post them."
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

/// The path of an event's history.
fn location(key: &EventKey) -> String {
    let encode = |text| utf8_percent_encode(text, ENCODED);
    format!("/v1/events/{}?source={}", encode(&key.id), encode(&key.source))
}

fn conflict(way: Way, events: &[Checked], clashes: &[Clash]) -> Problem {
    let clashing = clashes.iter().filter_map(|clash| Some((clash, &events.get(clash.place)?.event.key)));
    let errors: Errors = clashing
        .map(|(clash, key)| ProblemError {
            at: if way.is_batch() { format!("/{}", clash.place) } else { String::new() },
            detail: format!(
                "an event with the id {:?} and the source {:?} but different content was received at {:.3}; see {}",
                key.id,
                key.source,
                clash.received_at,
                location(key)
            ),
        })
        .collect();
    let detail = if way.is_batch() {
        "Events of this batch were posted before with different content, so none of the batch is accepted; use a new \
         id for a new event."
    } else {
        "This event was posted before with different content, which is kept; use a new id for a new event."
    };
    Problem::new(StatusCode::CONFLICT, "event_conflict", detail).with_errors(errors)
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Too many requests are waiting to be written. Nothing of this one was stored; send it again.",
    )
    .retry_after(RETRY_AFTER)
}

/// The refusal of a body that is larger than this limit, in bytes.
pub fn too_large(limit: usize) -> Problem {
    let what = if limit == BATCH_LIMIT { "batch" } else { "event" };
    let limit = limit / 1024;
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "event_too_large",
        format!("The {what} is larger than {limit} KiB; send a reference to large data instead."),
    )
}
