//! Posts the webhooks: verifies the address first, signs, batches, and tries again until a 200 comes.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use rand::Rng as _;
use reqwest::{Client, StatusCode, header};
use tokio::task::JoinSet;

use super::{payload, queue::Update};
use crate::{Knobs, Simulator, WebhookShape, signature::signature};

/// POSTs under way at once.
const CONNECTIONS: usize = 4;
/// How long the host may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause between two tries. (Meta: "with decreasing frequency", for up to 7 days.)
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often a batch is tried: about seven days at the longest pause.
const TRIES: u32 = 10_000;

/// Updates that go out in one POST, again where it was not taken.
pub struct Batch {
    body: Bytes,
    /// How many updates it holds.
    pub updates: usize,
    tries: u32,
}

/// Lets things happen and posts webhooks, for ever.
///
/// # Errors
/// When no HTTP client can be made.
pub async fn run(simulator: Simulator) -> reqwest::Result<()> {
    // Only the first install in a process counts; whoever was first has provided.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().timeout(TIMEOUT).user_agent("facebookexternalua").build()?;
    let verified = AtomicBool::new(false);
    tokio::select! {
        () = work(&simulator, &client, &verified) => {}
        () = verify(&simulator, &client, &verified) => {}
    }
    Ok(())
}

async fn work(simulator: &Simulator, client: &Client, verified: &AtomicBool) {
    let mut posts = JoinSet::new();
    loop {
        let wake_at = {
            let mut state = simulator.state();
            let now = Instant::now();
            if state.advance(now, Timestamp::now()) {
                simulator.announce();
            }
            let Knobs { webhook_batch, webhook_shape, .. } = state.knobs;
            if let Some(url) = simulator.webhook_url()
                && verified.load(Ordering::Acquire)
            {
                while posts.len() < CONNECTIONS {
                    let job = match state.queue.due_retry(now) {
                        Some(batch) => Job::Again(batch),
                        None => match state.queue.due_updates(now, !posts.is_empty(), webhook_batch) {
                            Some(updates) => Job::First(updates, webhook_shape),
                            None => break,
                        },
                    };
                    posts.spawn(post(simulator.clone(), client.clone(), url.to_owned(), job));
                }
            }
            let full = posts.len() >= CONNECTIONS || !verified.load(Ordering::Acquire);
            let due = [state.queue.next_due(full), state.templates.next_review()];
            state.wake_at = due.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(3600));
            state.wake_at
        };
        tokio::select! {
            () = tokio::time::sleep_until(wake_at.into()) => {}
            () = simulator.woken() => {}
            Some(done) = posts.join_next() => {
                if let Ok((batch, answer)) = done {
                    settle(simulator, batch, answer);
                }
            }
        }
    }
}

enum Job {
    First(Vec<Update>, WebhookShape),
    Again(Batch),
}

async fn post(simulator: Simulator, client: Client, url: String, job: Job) -> (Batch, Option<StatusCode>) {
    let mut batch = match job {
        Job::Again(batch) => batch,
        Job::First(updates, shape) => {
            let time = Timestamp::now().as_second();
            let body = payload::body(simulator.settings(), shape, &updates, time).unwrap_or_else(|error| {
                tracing::error!("failed to write a webhook: {error}");
                Vec::new()
            });
            Batch { body: body.into(), updates: updates.len(), tries: 0 }
        }
    };
    batch.tries += 1;
    let answer = client
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-hub-signature-256", signed(&simulator.settings().app_secret, &batch.body))
        .body(batch.body.clone())
        .send()
        .await;
    let status = answer.as_ref().ok().map(reqwest::Response::status);
    if let Ok(answer) = answer {
        // Read to the end, so that the connection is used again.
        let _ = answer.bytes().await;
    }
    (batch, status)
}

fn settle(simulator: &Simulator, batch: Batch, answer: Option<StatusCode>) {
    let mut state = simulator.state();
    let stats = &mut state.stats.webhooks;
    stats.posts += 1;
    match answer {
        Some(status) => *stats.answers.entry(status.as_u16()).or_default() += 1,
        None => stats.unanswered += 1,
    }
    if answer == Some(StatusCode::OK) {
        stats.delivered += batch.updates as u64;
    } else if batch.tries >= TRIES {
        stats.dropped += batch.updates as u64;
    } else {
        let pause = Duration::from_millis(100 << batch.tries.min(10)).min(LONGEST_PAUSE);
        tracing::warn!(
            status = answer.map(|status| status.as_u16()),
            updates = batch.updates,
            tries = batch.tries,
            "the webhook did not answer 200; it is tried again in {pause:?}"
        );
        state.queue.retry(Instant::now() + pause, batch);
    }
    drop(state);
    simulator.announce();
}

/// `X-Hub-Signature-256` of a body.
fn signed(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", signature(secret, body))
}

/// Verifies the address as Meta does when it is entered, until it passes; then waits for ever.
async fn verify(simulator: &Simulator, client: &Client, verified: &AtomicBool) {
    let Some(url) = simulator.webhook_url() else { return std::future::pending().await };
    let mut pause = Duration::from_millis(50);
    let mut last = String::new();
    loop {
        match challenge(simulator, client, url).await {
            Ok(()) => break,
            Err(why) => {
                if why != last {
                    tracing::warn!(url, "the webhook's address was not verified, trying on: {why}");
                }
                last = why;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
    tracing::info!(url, "the webhook's address is verified");
    simulator.state().stats.webhooks.verified = true;
    verified.store(true, Ordering::Release);
    simulator.wake();
    simulator.announce();
    std::future::pending().await
}

async fn challenge(simulator: &Simulator, client: &Client, url: &str) -> Result<(), String> {
    let mut url = reqwest::Url::parse(url).map_err(|e| format!("{url:?} is no URL: {e}"))?;
    let challenge = rand::rng().random_range(100_000_000..2_000_000_000u32).to_string();
    url.query_pairs_mut()
        .append_pair("hub.mode", "subscribe")
        .append_pair("hub.challenge", &challenge)
        .append_pair("hub.verify_token", &simulator.settings().verify_token);
    let answer = client.get(url).send().await.map_err(|e| format!("no answer: {}", e.without_url()))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|e| format!("no whole answer: {}", e.without_url()))?;
    match status {
        StatusCode::OK if body.trim() == challenge => Ok(()),
        StatusCode::OK => Err("the answer is not the challenge".into()),
        status => Err(format!("the answer is {status}; is the verify token the same on both sides?")),
    }
}

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn signs_as_meta_does() {
        assert_eq!(
            signed("secret", b"test"),
            "sha256=0329a06b62cd16b33eb6792be8c60b158d89a2ee3a876fce9a881ebb488c0914"
        );
    }
}
