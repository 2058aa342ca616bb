//! `GET /healthz` and `GET /readyz`, for supervisors. Anybody may ask as often as they like: PostgreSQL is asked at most
//! once a second, by one connection.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use utoipa::ToSchema;

use super::Intake;
use crate::{
    http::{Problem, sentence},
    store::Store,
};

/// Returns why the host is not ready, as fragments for people; empty if it is ready.
pub type NotReady = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// How long PostgreSQL's last answer is reused.
const REMEMBERED: Duration = Duration::from_secs(1);
/// How long PostgreSQL may take to answer: less than supervisors usually wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether PostgreSQL answered when it was last asked. Cheap to clone.
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

/// The answer of a healthy host.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`; anything else is a refusal.
    #[schema(value_type = String, examples("ok"))]
    status: &'static str,
}

impl Health {
    const OK: Health = Health { status: "ok" };
}

/// Check that the process is alive.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "health",
    responses((status = 200, description = "The process is alive", body = Health)))]
pub async fn healthy() -> Json<Health> {
    Json(Health::OK)
}

/// Check that this host accepts events, routes and sends.
#[utoipa::path(get, path = "/readyz", operation_id = "getReadiness", tag = "health",
    responses(
        (status = 200, description = "The host is ready", body = Health),
        (status = 503, description = "The host is not ready; `detail` says why"),
    ))]
pub async fn ready(State(intake): State<Intake>) -> Result<Json<Health>, Problem> {
    let mut not_ready = (intake.not_ready)();
    if !intake.pulse.beats().await {
        not_ready.push("the database does not answer".to_owned());
    }
    if not_ready.is_empty() {
        return Ok(Json(Health::OK));
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", sentence(&not_ready.join("; "))))
}
