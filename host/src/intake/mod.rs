//! Events in over HTTP: checked, grouped with their neighbours, on disk, then 202. And what came of them.
//!
//! Nothing a rule does can make intake fail: it knows no rules.

mod attributes;
mod body;
mod envelope;
mod history;
mod post;
mod scan;
mod schema;
mod writer;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{body::Way, envelope::Form, writer::Append};
use crate::{
    commit::GroupCommit,
    domain::Event,
    http::{Bodies, Keys, Problem},
    store::Store,
};

/// What a host is not ready for, in words; nothing where it is ready.
pub type NotReady = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    store: Store,
    keys: Keys,
    writer: GroupCommit<Append>,
    bodies: Bodies,
    not_ready: NotReady,
}

impl Intake {
    /// Who may ask.
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// The memory for bodies.
    pub fn bodies(&self) -> Bodies {
        self.bodies.clone()
    }

    /// Ends when the writer has, which it should not while the host runs.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.writer.clone().ended()
    }

    /// Starts the writer; it ends when the last handler is gone and all is written. `grew` is called after each commit.
    pub fn new(store: Store, grew: Arc<dyn Fn() + Send + Sync>, not_ready: NotReady) -> Intake {
        let writer = GroupCommit::start(Append { store: store.clone(), grew });
        Intake { keys: Keys::new(store.clone()), store, writer, bodies: Bodies::default(), not_ready }
    }
}

/// One event as it would be posted: a CloudEvent in JSON, or the plain form.
///
/// # Errors
/// The refusal that the post would get.
pub fn read_event(body: &[u8], now: Timestamp) -> Result<Event, Problem> {
    let way = Way::One(Form::Plain);
    if body.len() > way.limit() {
        return Err(post::too_large(way));
    }
    let events = body::events(way, &HeaderMap::new(), body, "/keys/try", now)?;
    events
        .into_iter()
        .next()
        .map(|checked| checked.event)
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "invalid_event", "there is no event"))
}

/// The addresses, with their description.
pub fn routes() -> OpenApiRouter<Intake> {
    OpenApiRouter::new()
        .routes(routes!(post::events))
        .routes(routes!(history::event))
        .routes(routes!(healthy))
        .routes(routes!(ready))
}

/// The HTTP API.
pub fn router(intake: Intake) -> Router {
    Router::from(routes().with_state(intake))
        .fallback(async || {
            Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
        })
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take this method",
            )
        })
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200)))]
async fn healthy() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Whether this host takes events, routes and sends.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200), (status = 503, body = Problem)))]
async fn ready(State(intake): State<Intake>) -> Result<Json<Value>, Problem> {
    let mut not_ready = (intake.not_ready)();
    if let Err(error) = intake.store.ping().await {
        // Anybody may ask; what the database says is for the log.
        tracing::warn!(%error, "not ready");
        not_ready.push("the database does not answer".to_owned());
    }
    if not_ready.is_empty() {
        return Ok(Json(json!({"status": "ok"})));
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", not_ready.join("; ")))
}
