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
use tokio::sync::Semaphore;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::auth::{ApiKey, Keys, Scope};
use self::{body::Way, envelope::Form, problem::Problem, writer::Writer};
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
    /// Who may ask.
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// Ends when the writer has, which it should not while the host runs.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.writer.clone().ended()
    }

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
        not_ready.push(format!("failed to {error}"));
    }
    if not_ready.is_empty() {
        return Ok(Json(json!({"status": "ok"})));
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", not_ready.join("; ")))
}
