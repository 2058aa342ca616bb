//! Meta's webhook in: what became of messages, and what users wrote. A message that failed after Meta had taken it
//! gets its next attempt in the same transaction that says so; one that waits for its recipient to write in goes
//! out when they do.
//!
//! `GET /webhooks/whatsapp` is Meta's check that the address is ours. `POST` looks at the signature before
//! anything else, and answers 200 only after all that it brought is committed: whatever else Meta is told, it
//! posts again, for days, and repeated rows change nothing. Concurrent posts are written together (see
//! `writer`), because Meta posts three webhooks and more for each message.

mod late;
mod post;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use futures_util::StreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::{sync::Notify, time::timeout};
use tracing::warn;

use self::{
    post::Post,
    writer::{NotWritten, Writer},
};
use crate::{
    config::{Secret, WhatsappConfig},
    domain::Senders,
    intake::problem::Problem,
    store::{Store, WebhookFacts},
    whatsapp,
};

/// Meta posts up to 3 MB.
const BODY_LIMIT: usize = 3 * 1024 * 1024;
/// Within which a body must be there.
const BODY_TIME: Duration = Duration::from_secs(30);
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;

/// What was seen of Meta's webhooks since somebody last asked.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Option<WebhookFacts>>>);

impl Seen {
    /// What was seen since the last call.
    pub fn take(&self) -> Option<WebhookFacts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn accepted(&self) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get_or_insert_default().accepted_at = Some(Timestamp::now());
    }

    fn refused(&self) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get_or_insert_default();
        seen.refused_at = Some(Timestamp::now());
        seen.refused += 1;
    }
}

/// What the webhook needs. Cheap to clone.
#[derive(Clone)]
pub struct Receipts {
    app_secret: Secret,
    verify_token: Secret,
    senders: Arc<Senders>,
    templates: Arc<Notify>,
    writer: Writer,
    seen: Seen,
}

impl Receipts {
    /// Starts the task that writes; it ends when the last clone is gone. `templates` is rung when Meta has done
    /// something to a template.
    pub fn new(store: Store, config: &WhatsappConfig, templates: Arc<Notify>) -> Receipts {
        Receipts {
            app_secret: config.whatsapp_app_secret.clone(),
            verify_token: config.whatsapp_verify_token.clone(),
            senders: Arc::new(config.whatsapp_phone_number_id.clone()),
            templates,
            writer: Writer::start(store, config.whatsapp_phone_number_id.are_several()),
            seen: Seen::default(),
        }
    }

    /// Ends when the task that writes has, which it should not while the host runs.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        self.writer.clone().ended()
    }

    /// What comes in, for whoever watches over it.
    pub fn seen(&self) -> Seen {
        self.seen.clone()
    }
}

/// The routes of Meta's webhook.
pub fn router(receipts: Receipts) -> Router {
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

/// Meta shows the token that the operator told it, and wants the challenge back.
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
            "expected hub.mode=subscribe, hub.challenge, and in hub.verify_token what WHATSAPP_VERIFY_TOKEN says",
        )
    })
}

async fn receive(
    State(receipts): State<Receipts>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let body = read(body).await?;
    let signature = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    if !whatsapp::verify(&receipts.app_secret, signature, &body) {
        receipts.seen.refused();
        warn!("refused a webhook without Meta's signature; is WHATSAPP_APP_SECRET the secret of this app?");
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "webhook_not_signed",
            "expected in X-Hub-Signature-256 the body's HMAC-SHA256 with the app's secret",
        ));
    }
    let webhook = whatsapp::webhooks::parse(&body, Timestamp::now()).map_err(|error| {
        warn!(%error, "refused a signed webhook that cannot be read");
        Problem::new(StatusCode::BAD_REQUEST, "webhook_not_read", format!("failed to {error}"))
    })?;
    drop(body);
    let post = Post::new(webhook, &receipts.senders);
    if post.template_updated {
        receipts.templates.notify_one();
    }
    receipts.writer.write(post).await.map_err(|NotWritten| Problem::unavailable())?;
    receipts.seen.accepted();
    Ok(StatusCode::OK)
}

/// The body. Of one that is too large the rest is read as well, within reason, and thrown away: who is cut off
/// while sending does not read the answer.
async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    timeout(BODY_TIME, read_all(body)).await.map_err(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not come within 30 seconds")
    })?
}

async fn read_all(body: Body) -> Result<Vec<u8>, Problem> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "webhook_not_read",
                format!("failed to read the body: {error}"),
            )
        })?;
        length += chunk.len();
        if length <= BODY_LIMIT {
            bytes.extend_from_slice(&chunk);
        } else if length > DRAIN_LIMIT {
            break;
        }
    }
    if length <= BODY_LIMIT {
        return Ok(bytes);
    }
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "webhook_too_large", "a webhook has at most 3 MiB"))
}
