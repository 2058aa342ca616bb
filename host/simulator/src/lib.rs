//! A stand-in for Meta's WhatsApp Cloud API, in memory: for the demo, for authors, for tests and benchmarks.
//!
//! It takes what Meta takes and refuses what Meta refuses (messages, templates, limits, the 24-hour window),
//! and posts signed webhooks. Its knobs bring about what is rare at Meta: errors, lost answers, webhooks that
//! are late, doubled, lost or out of order. It knows nothing of Hookswitch, so that any client can be tried
//! against it.
//!
//! One lock guards all state and is never held across an await; one task lets time pass and posts webhooks,
//! so a send starts no task of its own.

mod accounts;
mod bucket;
mod check;
mod codes;
mod control;
mod country;
mod error;
mod fault;
mod fields;
mod graph;
mod ids;
mod inbound;
mod knobs;
mod media;
mod message;
mod panel;
mod profile;
mod routes;
mod rules;
mod send;
mod settings;
mod signature;
mod state;
mod stats;
mod status;
mod templates;
mod webhook;

use std::{
    future::Future,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Router, http::HeaderValue};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};

use self::state::State;
pub use self::{
    fault::Fault,
    ids::user_id,
    inbound::{InboundMessage, PressedButton},
    knobs::{Enforcement, Knobs, WebhookShape},
    message::{ReachedStatus, ReceivedMessage},
    settings::{Limits, Settings},
    stats::{Stats, WebhookStats},
    status::Status,
    templates::REJECTION_MARKER,
};

/// How long requests under way may take at the end.
const GRACE: Duration = Duration::from_secs(1);

/// The stand-in. Clones are the same one.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

struct Inner {
    settings: Settings,
    state: Mutex<State>,
    wake: Notify,
    changed: watch::Sender<()>,
    usage: HeaderValue,
    uploads: media::Uploads,
}

impl Simulator {
    /// A simulator that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        let usage = json!({(settings.waba_id.as_str()): [{
            "type": "whatsapp",
            "call_count": 1,
            "total_cputime": 1,
            "total_time": 1,
            "estimated_time_to_regain_access": 0,
        }]});
        Simulator(Arc::new(Inner {
            state: Mutex::new(State::new(&settings)),
            wake: Notify::new(),
            changed: watch::Sender::new(()),
            usage: HeaderValue::try_from(usage.to_string()).unwrap_or(HeaderValue::from_static("{}")),
            uploads: media::Uploads::default(),
            settings,
        }))
    }

    /// The HTTP API: the Graph API's paths and `/_simulator`. Webhooks and statuses come only with
    /// [`Simulator::serve`].
    pub fn router(&self) -> Router {
        control::router().fallback(graph::handle).with_state(self.clone())
    }

    /// Serves the HTTP API, lets messages reach their statuses and posts webhooks, until `shutdown`.
    ///
    /// # Errors
    /// When the listener breaks, or no HTTP client for the webhooks can be made.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (stop, stopped) = watch::channel(false);
        let mut ended = stopped.clone();
        let server = axum::serve(listener, self.router()).with_graceful_shutdown(async move {
            shutdown.await;
            stop.send_replace(true);
        });
        let grace = async move {
            let _ = ended.wait_for(|ended| *ended).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = server.into_future() => served,
            // A lost answer would be waited for.
            () = grace => Ok(()),
            webhooks = webhook::run(self) => webhooks.map_err(io::Error::other),
        }
    }

    /// The messages kept, oldest first.
    pub fn messages(&self) -> Vec<ReceivedMessage> {
        self.messages_after(0)
    }

    /// The messages kept after the one with this `seq`, oldest first.
    pub fn messages_after(&self, seq: u64) -> Vec<ReceivedMessage> {
        self.state().messages(seq).collect()
    }

    /// Tells of each change: a message, a status, a webhook's answer. For tests and the demo to wait on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Changes some knobs: a JSON object, such as `{"webhooks_lost": 0.1}`.
    ///
    /// # Errors
    /// Says which knob is unknown or out of range; then none is changed.
    pub fn set_knobs(&self, changes: &Value) -> Result<(), String> {
        let mut state = self.state();
        state.knobs = state.knobs.with(changes)?;
        Ok(())
    }

    /// Counts of what has happened.
    pub fn stats(&self) -> Stats {
        let state = self.state();
        let mut stats = state.stats.clone();
        stats.webhooks.waiting = state.queue.waiting();
        stats
    }

    /// The account that it pretends to be.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    fn webhook_url(&self) -> Option<&str> {
        self.0.settings.webhook_url.as_deref()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.0.wake.notify_one();
    }

    async fn woken(&self) {
        self.0.wake.notified().await;
    }

    fn announce(&self) {
        self.0.changed.send_replace(());
    }

    fn uploads(&self) -> &media::Uploads {
        &self.0.uploads
    }

    fn usage_header(&self) -> HeaderValue {
        self.0.usage.clone()
    }
}

#[cfg(test)]
mod tests;
