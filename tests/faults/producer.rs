//! The systems that post events, as they should: an event that got no 202 is posted again, with the same id.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{chance::Chance, harness::http, scale};

/// Posts under way at once.
const POSTS: usize = 4;
/// Who gets no answer for so long posts again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Different recipients: each gets some messages, and few enough for the pair limit.
pub const RECIPIENTS: usize = 4_000;

/// Posts until it is told that it is enough.
pub struct Producer {
    posts: JoinSet<()>,
    next: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
}

impl Producer {
    /// Begins to post to these hosts' event APIs, to the next one where one does not answer.
    pub fn start(hosts: Vec<String>, key: String, chance: &mut Chance) -> Producer {
        let (next, enough, accepted) = <(Arc<AtomicUsize>, Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let mut posts = JoinSet::new();
        for _ in 0..POSTS {
            let (next, enough, accepted) = (next.clone(), enough.clone(), accepted.clone());
            let (hosts, key, mut chance) = (hosts.clone(), key.clone(), chance.another());
            posts.spawn(async move {
                while !enough.load(Ordering::Acquire) {
                    let n = next.fetch_add(1, Ordering::AcqRel);
                    post_until_accepted(n, &hosts, &key).await;
                    accepted.fetch_add(1, Ordering::AcqRel);
                    sleep(scale::pause().mul_f64(2.0 * chance.fraction())).await;
                }
            });
        }
        Producer { posts, next, enough, accepted }
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Acquire)
    }

    /// Waits until so many are accepted, and ends. Returns what was accepted.
    pub async fn finish(mut self, least: usize) -> usize {
        while self.accepted() < least {
            sleep(Duration::from_millis(20)).await;
        }
        self.enough.store(true, Ordering::Release);
        while let Some(posted) = self.posts.join_next().await {
            posted.unwrap();
        }
        assert_eq!(self.next.load(Ordering::Acquire), self.accepted());
        self.accepted()
    }
}

async fn post_until_accepted(n: usize, hosts: &[String], key: &str) {
    let mut hosts = hosts.iter().cycle().skip(n);
    let body = event(n).to_string();
    loop {
        let Some(host) = hosts.next() else { return };
        let post = http()
            .post(format!("{host}/v1/events"))
            .bearer_auth(key)
            .header("content-type", "application/json")
            .body(body.clone())
            .send();
        match timeout(PATIENCE, post).await {
            Ok(Ok(answer)) if answer.status() == 202 => return,
            Ok(Ok(answer)) if answer.status().is_client_error() => {
                panic!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())
            }
            // Nobody there, no answer, or one that says to come again.
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The event's id; the producer says its number, nothing else does.
pub fn id(n: usize) -> String {
    format!("event-{n}")
}

/// Most events tell one recipient, each tenth tells two, each 25th nobody.
fn event(n: usize) -> Value {
    let recipients = recipients(n);
    let mut event = json!({
        "id": id(n), "source": "/faults", "type": "told", "subject": format!("subject-{}", n % 500),
        "data": {"template": "note", "contacts": recipients, "context": {"n": n}},
    });
    if recipients.is_empty() {
        event["data"] = json!({"skip": true});
    }
    event
}

fn recipients(n: usize) -> Vec<String> {
    let number = |n: usize| format!("1555{:07}", n % RECIPIENTS);
    match n {
        n if n % 25 == 24 => vec![],
        n if n % 10 == 9 => vec![number(n), number(n + RECIPIENTS / 2)],
        n => vec![number(n)],
    }
}

/// What must come of the events 0 to `count`: by recipient and text, the event.
pub fn expected(count: usize) -> BTreeMap<(String, String), usize> {
    (0..count).flat_map(|n| recipients(n).into_iter().map(move |to| ((to, text(n)), n))).collect()
}

/// The text of an event's messages.
fn text(n: usize) -> String {
    format!("Note {n}")
}

/// The same, by the event's id.
pub fn text_of(id: &str) -> String {
    text(id.trim_start_matches("event-").parse().unwrap())
}
