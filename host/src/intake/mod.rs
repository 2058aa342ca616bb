//! Events in over HTTP: checked, grouped with their neighbours, on disk, then 202. And what came of them.
//!
//! Nothing a rule does can make intake fail: it knows no rules.

mod attributes;
mod auth;
mod body;
mod envelope;
mod history;
mod patience;
mod post;
pub mod problem;
mod scan;
mod writer;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub use self::auth::{ApiKey, Scope};
use self::{auth::Keys, body::Way, envelope::Form, problem::Problem, writer::Writer};
use crate::{domain::Event, store::Store};

/// Batches that are in memory at once, each of at most 16 MiB; others wait.
const BATCHES: usize = 16;

/// What a host is not ready for, in words; nothing where it is ready.
pub type NotReady = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    store: Store,
    keys: Keys,
    writer: Writer,
    /// Turns to have a batch in memory.
    batches: Arc<Semaphore>,
    not_ready: NotReady,
}

impl Intake {
    /// Starts the writer; it ends when the last handler is gone and all is written. `grew` is called after each commit.
    pub fn new(store: Store, grew: Arc<dyn Fn() + Send + Sync>, not_ready: NotReady) -> Intake {
        let writer = Writer::start(store.clone(), grew);
        let batches = Arc::new(Semaphore::new(BATCHES));
        Intake { keys: Keys::new(store.clone()), store, writer, batches, not_ready }
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
    let events = body::events(way, &HeaderMap::new(), body, "try", now)?;
    events
        .into_iter()
        .next()
        .map(|checked| checked.event)
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "invalid_event", "there is no event"))
}

/// The HTTP API.
pub fn router(intake: Intake) -> Router {
    Router::new()
        .route("/v1/events", post(post::events))
        .route("/v1/events/{id}", get(history::event))
        .route("/healthz", get(async || Json(json!({"status": "ok"}))))
        .route("/readyz", get(ready))
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
        .with_state(intake)
}

async fn ready(State(intake): State<Intake>) -> Result<Json<Value>, Problem> {
    let mut not_ready = (intake.not_ready)();
    if let Err(error) = intake.store.ping().await {
        not_ready.push(format!("failed to {error}"));
    }
    if not_ready.is_empty() {
        return Ok(Json(json!({"status": "ok"})));
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", not_ready.join("; ")))
}
