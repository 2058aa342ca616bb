//! Events in over HTTP: checked, committed together with others, then answered with 202.
//!
//! Nothing a rule does can make intake fail: it knows no rules.

mod attributes;
mod binary;
mod body;
mod envelope;
mod handshake;
mod post;
mod ready;
mod scan;
mod schema;
mod trace;
mod way;
mod writer;

use std::collections::BTreeMap;

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
};
use hookswitch_core::domain::Event;
use jiff::Timestamp;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{attributes::Defaults, envelope::Form, ready::Pulse, way::Way, writer::Append};
pub use self::{ready::NotReady, schema::name_members};
use crate::{
    commit::GroupCommit,
    http::{Bodies, Keys, Problem},
    lanes::Grew,
    metrics::IntakeMetrics,
    store::Store,
    traces::Tracer,
};

/// State shared by the handlers. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    /// Knows the time by which hosts agree.
    store: Store,
    keys: Keys,
    writer: GroupCommit<Append>,
    bodies: Bodies,
    pulse: Pulse,
    not_ready: NotReady,
    metrics: IntakeMetrics,
    tracer: Tracer,
}

impl Intake {
    /// The API keys.
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// The memory budget of request bodies.
    pub fn bodies(&self) -> Bodies {
        self.bodies.clone()
    }

    /// Ends when the writer has, which it should not while the host runs.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.writer.clone().ended()
    }

    /// Starts the writer; it ends when the last handler is gone and all is written. `grew` is called after each commit.
    /// `store` writes events and reads keys.
    pub fn new(store: Store, grew: Grew, not_ready: NotReady, metrics: IntakeMetrics) -> Intake {
        Intake {
            keys: Keys::new(store.clone()),
            writer: GroupCommit::start(Append { store: store.clone(), grew, metrics: metrics.clone() }),
            bodies: Bodies::default(),
            pulse: Pulse::new(store.clone()),
            store,
            not_ready,
            metrics,
            tracer: Tracer::default(),
        }
    }

    /// Records accepted events in traces.
    #[must_use]
    pub fn traced(self, tracer: Tracer) -> Intake {
        Intake { tracer, ..self }
    }
}

/// One event as it would be posted: a CloudEvent in JSON, or the plain form.
///
/// # Errors
/// The problem that posting it would be answered with.
pub fn read_event(body: &[u8], now: Timestamp) -> Result<Event, Problem> {
    let way = Way::One(Form::Plain);
    if body.len() > way.limit() {
        return Err(post::too_large(way.limit()));
    }
    if way.shown_by(body).is_batch() {
        let detail = "Expected one event (an object), not an array of events.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_event", detail));
    }
    let defaults = Defaults { source: "/keys/try", now, trace: BTreeMap::new() };
    let events = body::events(way, &HeaderMap::new(), body, &defaults)?;
    events
        .into_iter()
        .next()
        .map(|checked| checked.event)
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "invalid_event", "The body contains no event."))
}

/// What keeps valid JSON from being the data of an event, as the rest of a sentence about it: a member that is there more
/// than once, its depth, a character or a number. `None` if nothing does.
pub fn unfit_json(text: &str) -> Option<String> {
    scan::scan(text.as_bytes(), body::DEPTH).err().map(|refused| refused.to_string())
}

/// The endpoints with their descriptions.
pub fn routes() -> OpenApiRouter<Intake> {
    OpenApiRouter::new()
        .routes(routes!(post::events, handshake::permission))
        .routes(routes!(ready::healthy))
        .routes(routes!(ready::ready))
}

/// The HTTP API.
pub fn router(intake: Intake) -> Router {
    Router::from(routes().with_state(intake))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "No such endpoint."))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "This endpoint does not support this method.",
            )
        })
}
