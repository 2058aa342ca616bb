//! Posts events from many connections at once, as fast as they are answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use reqwest::{Client, StatusCode};

/// How many connections post.
pub const CONNECTIONS: usize = 64;

/// What posting gave.
pub struct Posted {
    /// How many were answered 202.
    pub events: usize,
    /// From the first post to the last answer.
    pub time: Duration,
}

impl Posted {
    /// Events per second.
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.time.as_secs_f64()
    }
}

/// An HTTP client for loopback.
pub fn client() -> anyhow::Result<Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .pool_max_idle_per_host(CONNECTIONS)
        .build()
        .context("make an HTTP client")
}

/// Posts `events` bodies, the n-th made by `body`.
pub async fn post(
    client: &Client,
    url: &str,
    key: &str,
    events: usize,
    body: impl Fn(usize) -> String + Send + Sync + 'static,
) -> anyhow::Result<Posted> {
    let next = Arc::new(AtomicUsize::new(0));
    let body = Arc::new(body);
    let start = Instant::now();
    let mut connections = tokio::task::JoinSet::<anyhow::Result<()>>::new();
    for _ in 0..CONNECTIONS {
        let (client, next, body) = (client.clone(), next.clone(), body.clone());
        let (url, key) = (url.to_owned(), key.to_owned());
        connections.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= events {
                    return Ok(());
                }
                post_one(&client, &url, &key, body(n)).await?;
            }
        });
    }
    while let Some(done) = connections.join_next().await {
        done??;
    }
    Ok(Posted { events, time: start.elapsed() })
}

/// Posts one event.
///
/// # Errors
/// Where the answer is not 202.
pub async fn post_one(client: &Client, url: &str, key: &str, body: String) -> anyhow::Result<()> {
    let answer = client
        .post(url)
        .bearer_auth(key)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await?;
    let status = answer.status();
    let text = answer.text().await?;
    if status != StatusCode::ACCEPTED {
        bail!("post an event: HTTP {status}: {text}");
    }
    Ok(())
}
