//! Receives Meta's webhooks: statuses of messages, and messages of users. A message that failed after Meta accepted it
//! gets its next attempt in the same transaction; one that waits for its recipient to write in becomes due when they do.
//!
//! `GET /webhooks/whatsapp` is Meta's verification of the address. `POST` checks the signature before anything else, and
//! answers 200 only after everything has been committed: after any other answer Meta posts again, for days, and repeated
//! rows change nothing. Concurrent posts are written together (see `writer`), because Meta posts at least three webhooks
//! for each message.

mod answers;
mod late;
mod post;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use hookswitch_core::domain::Senders;
use jiff::Timestamp;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::sync::Notify;
use tracing::warn;

use self::{answers::Answers, post::Post, writer::Append};
use crate::{
    commit::GroupCommit,
    config::{Secret, WhatsappConfig},
    http::{Bodies, Budget, Limits, Problem},
    metrics::ReceiptMetrics,
    store::{Store, WebhookFacts},
    traces::Tracer,
    whatsapp,
};

/// Maximum size of a webhook, in bytes: Meta posts up to 3 MB.
const BODY_LIMIT: usize = 3 * 1024 * 1024;
/// Minimum interval between log lines about webhooks without a signature.
const LOGGED: Duration = Duration::from_secs(60);

/// Observations of Meta's webhooks since the last request for them.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Option<WebhookFacts>>>);

impl Seen {
    /// Returns the observations since the last call.
    pub fn take(&self) -> Option<WebhookFacts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn accepted(&self, at: Timestamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get_or_insert_default().accepted_at = Some(at);
    }

    fn refused(&self, at: Timestamp) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get_or_insert_default();
        seen.refused_at = Some(at);
        seen.refused += 1;
    }
}

/// State of the webhook's handlers. Cheap to clone.
#[derive(Clone)]
pub struct Receipts {
    app_secret: Secret,
    verify_token: Secret,
    senders: Arc<Senders>,
    templates: Arc<Notify>,
    writer: GroupCommit<Append>,
    seen: Seen,
    store: Store,
    unsigned: Rarely,
    metrics: ReceiptMetrics,
}

impl Receipts {
    /// Starts the task that writes; it ends when the last clone is dropped. `templates` is notified when a template changed
    /// at Meta. `wants` says whether a rule is for a type of event: users' messages become events where one is.
    pub fn new(
        store: Store,
        config: &WhatsappConfig,
        templates: Arc<Notify>,
        wants: Arc<dyn Fn(&str) -> bool + Send + Sync>,
        metrics: ReceiptMetrics,
        tracer: Tracer,
    ) -> Receipts {
        Receipts {
            app_secret: config.whatsapp_app_secret.clone(),
            verify_token: config.whatsapp_verify_token.clone(),
            senders: Arc::new(config.whatsapp_phone_number_id.clone()),
            templates,
            writer: GroupCommit::start(Append {
                store: store.clone(),
                several_numbers: config.whatsapp_phone_number_id.are_several(),
                answers: Answers::new(wants),
                metrics: metrics.clone(),
                tracer,
            }),
            seen: Seen::default(),
            store,
            unsigned: Rarely::default(),
            metrics,
        }
    }

    /// Completes when the task that writes has ended, which must not happen while the host runs.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.writer.clone().ended()
    }

    /// Observations for the supervision.
    pub fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// Counts a webhook without Meta's signature, and logs it: the first at once, then their number once per minute. Anyone
    /// can send them.
    fn unsigned(&self) -> Problem {
        self.seen.refused(self.store.now());
        self.metrics.not_accepted("unsigned");
        if let Some(refused) = self.unsigned.count(Instant::now()) {
            warn!(
                refused,
                "rejected webhooks without a valid signature; check that WHATSAPP_APP_SECRET is the secret of this app"
            );
        }
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "webhook_not_signed",
            "The header X-Hub-Signature-256 must contain the HMAC-SHA256 of the body, made with the app secret.",
        )
    }
}

/// Counts events that would flood the log.
#[derive(Clone, Default)]
struct Rarely(Arc<Mutex<(Option<Instant>, u64)>>);

impl Rarely {
    /// Returns the number since the last log line, if another one is due.
    fn count(&self, now: Instant) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.1 += 1;
        if counted.0.is_some_and(|said| now.duration_since(said) < LOGGED) {
            return None;
        }
        counted.0 = Some(now);
        Some(std::mem::take(&mut counted.1))
    }
}

/// The routes of Meta's webhook.
pub fn router(receipts: Receipts, bodies: Bodies) -> Router {
    let receive = move |state: State<Receipts>, headers: HeaderMap, body: Body| {
        receive(state, bodies.clone(), headers, body)
    };
    Router::new().route("/webhooks/whatsapp", get(verify).post(receive)).with_state(receipts)
}

#[derive(Deserialize)]
struct Verification {
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    #[serde(rename = "hub.verify_token")]
    verify_token: Option<String>,
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
}

/// Answers Meta's verification: checks the token set by the operator, and returns the challenge.
async fn verify(
    State(receipts): State<Receipts>,
    Query(asked): Query<Verification>,
) -> Result<String, Problem> {
    let token = asked.verify_token.unwrap_or_default();
    let expected = receipts.verify_token.expose();
    let is_ours = !expected.is_empty() && bool::from(token.as_bytes().ct_eq(expected.as_bytes()));
    asked.challenge.filter(|_| is_ours && asked.mode.as_deref() == Some("subscribe")).ok_or_else(|| {
        Problem::new(
            StatusCode::FORBIDDEN,
            "webhook_not_verified",
            "The query must contain hub.mode=subscribe, hub.challenge, and the configured token in hub.verify_token.",
        )
    })
}

async fn receive(
    State(receipts): State<Receipts>,
    bodies: Bodies,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let signature = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    // A body without a signature is not read.
    if !signature.is_some_and(whatsapp::is_signature) {
        return Err(receipts.unsigned());
    }
    let too_large = |_| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "webhook_too_large", "The webhook is larger than 3 MiB.")
    };
    let read = bodies.read(&headers, body, Limits::new(Budget::Unsigned, BODY_LIMIT), too_large).await?;
    let body = read.bytes;
    if !whatsapp::verify(&receipts.app_secret, signature, &body) {
        return Err(receipts.unsigned());
    }
    let webhook = whatsapp::webhooks::parse(&body, receipts.store.now()).map_err(|error| {
        warn!(%error, "rejected a signed webhook that cannot be read");
        receipts.metrics.not_accepted("unreadable");
        Problem::new(
            StatusCode::BAD_REQUEST,
            "webhook_not_read",
            format!("The webhook could not be read: {error}."),
        )
    })?;
    drop(body);
    let post = Post::new(webhook, &receipts.senders);
    if post.template_updated {
        receipts.templates.notify_one();
    }
    if !post.is_empty() {
        receipts.writer.append(post).await.map_err(|_| {
            receipts.metrics.not_accepted("unavailable");
            Problem::unavailable()
        })?;
    }
    let now = receipts.store.now();
    receipts.seen.accepted(now);
    receipts.metrics.accepted(now.as_second());
    Ok(StatusCode::OK)
}
