//! Posts events as a producer does that means it: the same event again, until it is accepted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use super::event;
use crate::harness::{Host, http};

const AT_ONCE: usize = 8;

/// Posts events in the background.
pub struct Producer {
    posted: JoinSet<()>,
    accepted: Arc<AtomicUsize>,
    count: usize,
}

impl Producer {
    /// Begins to post `count` events.
    pub fn start(host: &Host, count: usize) -> Producer {
        let next = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::new(AtomicUsize::new(0));
        let mut posted = JoinSet::new();
        let (url, key) = (format!("{}/v1/events", host.url()), host.key().to_owned());
        for _ in 0..AT_ONCE {
            let (next, accepted, url, key) = (next.clone(), accepted.clone(), url.clone(), key.clone());
            posted.spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    while !post(&url, &key, n).await {
                        sleep(Duration::from_millis(50)).await;
                    }
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Producer { posted, accepted, count }
    }

    /// How many were accepted so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Whether all are.
    pub fn is_done(&self) -> bool {
        self.accepted() == self.count
    }

    /// Waits until so many are accepted.
    pub async fn reach(&self, count: usize) {
        while self.accepted() < count.min(self.count) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until all are accepted, and tells how many these are.
    pub async fn finish(mut self) -> usize {
        while let Some(ended) = self.posted.join_next().await {
            ended.unwrap();
        }
        self.count
    }
}

async fn post(url: &str, key: &str, n: usize) -> bool {
    let request = http().post(url).bearer_auth(key).header("content-type", "application/json");
    let request = request.timeout(Duration::from_secs(30)).body(event(n).to_string());
    match request.send().await {
        Ok(answer) => match answer.status().as_u16() {
            202 => true,
            503 | 429 => false,
            other => panic!("HTTP {other}: {:?}", answer.text().await),
        },
        Err(_) => false,
    }
}
