//! `GET /healthz` and `GET /readyz`, for supervisors. Anybody may ask as often as they like: PostgreSQL is asked at most
//! once a second, by one connection.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::Intake;
use crate::{http::Problem, store::Store};

/// What a host is not ready for, in words; nothing where it is ready.
pub type NotReady = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// For so long an answer of PostgreSQL's counts.
const REMEMBERED: Duration = Duration::from_secs(1);
/// How long PostgreSQL may take to answer: shorter than supervisors wait for us.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether PostgreSQL answers, as it was last asked. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pulse {
    store: Store,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
    /// The turn to ask.
    turn: Arc<Semaphore>,
}

impl Pulse {
    pub(super) fn new(store: Store) -> Pulse {
        Pulse { store, last: Arc::default(), turn: Arc::new(Semaphore::new(1)) }
    }

    async fn beats(&self) -> bool {
        if let Some(beats) = self.known() {
            return beats;
        }
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        if let Some(beats) = self.known() {
            return beats;
        }
        let beats = match timeout(PATIENCE, self.store.ping()).await {
            Ok(Ok(())) => true,
            // Anybody may ask; what the database says is for the log.
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready");
                false
            }
            Err(_) => {
                tracing::warn!("not ready: PostgreSQL did not answer within {} s", PATIENCE.as_secs());
                false
            }
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), beats));
        beats
    }

    fn known(&self) -> Option<bool> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(at, _)| at.elapsed() < REMEMBERED).map(|(_, beats)| beats)
    }
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200)))]
pub async fn healthy() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Whether this host takes events, routes and sends.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200), (status = 503, body = Problem)))]
pub async fn ready(State(intake): State<Intake>) -> Result<Json<Value>, Problem> {
    let mut not_ready = (intake.not_ready)();
    if !intake.pulse.beats().await {
        not_ready.push("the database does not answer".to_owned());
    }
    if not_ready.is_empty() {
        return Ok(Json(json!({"status": "ok"})));
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", not_ready.join("; ")))
}
