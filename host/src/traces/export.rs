//! Sends spans to a collector by OTLP over HTTP, in JSON: in batches, beside the work. What the collector does not take is
//! lost and logged: nothing waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{
    Client,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, interval},
};
use tokio_util::sync::CancellationToken;

use super::span::{Span, attribute};
use crate::config::TracesConfig;

/// How long spans are collected.
const EVERY: Duration = Duration::from_secs(1);
/// Maximum number of spans of a request.
const BATCH: usize = 512;
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a line is logged about what was lost.
const LOGGED: Duration = Duration::from_secs(60);

/// Takes spans from the rooms.
pub struct Exporter {
    pub(super) spans: Receiver<Span>,
    /// Number of spans that found the queue full.
    pub(super) dropped: Arc<AtomicU64>,
    http: Client,
    config: TracesConfig,
    resource: Value,
}

impl Exporter {
    /// Sends what comes out of `spans`.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub(super) fn new(
        config: TracesConfig,
        instance: &str,
        spans: Receiver<Span>,
        dropped: Arc<AtomicU64>,
    ) -> Result<Exporter, reqwest::Error> {
        // Fails if one is already installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let headers: HeaderMap = config
            .headers
            .iter()
            .filter_map(|(name, value)| {
                let mut header = HeaderValue::try_from(value.expose()).ok()?;
                header.set_sensitive(true);
                Some((HeaderName::try_from(name).ok()?, header))
            })
            .collect();
        let mut builder = Client::builder()
            .user_agent(concat!("hookswitch/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        if config.url.scheme() == "http" {
            // A collector beside the host: no proxy, and no certificates of this machine.
            builder = builder.no_proxy().tls_certs_only([]);
        }
        let resource = [
            ("service.name", json!(config.service)),
            ("service.version", json!(env!("CARGO_PKG_VERSION"))),
            ("service.instance.id", json!(instance)),
        ];
        let resource = resource.iter().map(|(name, value)| attribute(name, value)).collect();
        Ok(Exporter { spans, dropped, http: builder.build()?, config, resource })
    }

    /// Sends spans until `stop`, and what is left then.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut every = interval(EVERY);
        let (mut batch, mut lost, mut logged) = (Vec::with_capacity(BATCH), 0, None::<Instant>);
        loop {
            let stopped = tokio::select! {
                biased;
                taken = self.spans.recv_many(&mut batch, BATCH), if batch.len() < BATCH => {
                    if taken > 0 && batch.len() < BATCH {
                        continue;
                    }
                    taken == 0
                }
                _ = every.tick() => false,
                () = stop.cancelled() => {
                    self.spans.close();
                    false
                }
            };
            lost += self.dropped.swap(0, Ordering::Relaxed);
            if !batch.is_empty()
                && let Err(why) = self.send(&batch).await
            {
                lost += batch.len() as u64;
                tracing::debug!(why, "the collector of traces did not take a batch");
            }
            batch.clear();
            if lost > 0 && logged.is_none_or(|at| at.elapsed() >= LOGGED) {
                tracing::warn!(spans = lost, url = %self.config.url, "spans were lost: the collector did not take them in time");
                (lost, logged) = (0, Some(Instant::now()));
            }
            if stopped {
                return;
            }
        }
    }

    async fn send(&self, spans: &[Span]) -> Result<(), String> {
        let scope = json!({"name": "hookswitch", "version": env!("CARGO_PKG_VERSION")});
        let spans: Vec<Value> = spans.iter().map(Span::json).collect();
        let body = json!({"resourceSpans": [{
            "resource": {"attributes": self.resource},
            "scopeSpans": [{"scope": scope, "spans": spans}],
        }]});
        let request = self.http.post(self.config.url.clone()).json(&body);
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
    }
}
