//! The systems that post events, as they should: an event that got no 202 is posted again, with the same id.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    chance::Chance,
    harness::http,
    ledger, scale, story,
    turns::{Intent, Ticks, Turns, Users},
};

/// Posts under way at once.
const POSTS: usize = 4;
/// Who gets no answer for so long posts again.
const PATIENCE: Duration = Duration::from_secs(5);

/// An event that was accepted.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    pub n: usize,
    /// The tick before it was first posted.
    pub posted: u64,
    /// The tick after its 202.
    pub at: u64,
}

/// That an alarm is called off: the event that does it was accepted and routed.
#[derive(Clone, Debug, Default)]
pub struct CalledOff {
    pub alarm: usize,
    /// The tick when it had been routed.
    pub routed: u64,
    /// The attempts to send the alarm's messages that had begun by then.
    pub begun: HashSet<Intent>,
}

/// What was accepted, and what users did meanwhile.
#[derive(Clone, Debug, Default)]
pub struct Produced {
    pub events: Vec<Accepted>,
    pub turns: Turns,
    pub called_off: Vec<CalledOff>,
    /// The ticks between which PostgreSQL lost what it had written: events that were accepted then may be gone.
    pub gap: Option<Range<u64>>,
    /// Events that are gone so. What hosts had learned from them may count nevertheless.
    pub gone: Vec<Accepted>,
}

/// Posts until it is told that it is enough.
pub struct Producer {
    posts: JoinSet<()>,
    users: JoinHandle<Turns>,
    shared: Shared,
}

#[derive(Clone, Default)]
struct Shared {
    next: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    moved: Arc<AtomicBool>,
    ticks: Ticks,
    events: Arc<Mutex<Vec<Accepted>>>,
    called_off: Arc<Mutex<Vec<CalledOff>>>,
}

impl Producer {
    /// Begins to post to these hosts' event APIs, to the next one where one does not answer; `url` is the database's.
    pub fn start(hosts: Vec<String>, key: String, url: String, chance: &mut Chance) -> Producer {
        let shared = Shared::default();
        let mut posts = JoinSet::new();
        for _ in 0..POSTS {
            posts.spawn(shared.clone().post_on(hosts.clone(), key.clone(), url.clone(), chance.another()));
        }
        let Shared { ticks, accepted, moved, .. } = shared.clone();
        let users = tokio::spawn(Users { hosts, url, ticks, accepted, moved }.act());
        Producer { posts, users, shared }
    }

    /// What is accepted from now on has a later tick.
    pub fn tick(&self) -> u64 {
        self.shared.ticks.next()
    }

    /// How many events have been accepted.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Acquire)
    }

    /// Waits until users have done all that they do.
    pub async fn acted(&self) {
        while !self.users.is_finished() {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many are accepted, and some after the last thing that users do, and ends.
    pub async fn finish(mut self, least: usize) -> Produced {
        let turns = (&mut self.users).await.unwrap();
        let least = least.max(self.accepted() + story::recipients());
        while self.accepted() < least {
            sleep(Duration::from_millis(20)).await;
        }
        self.shared.enough.store(true, Ordering::Release);
        while let Some(posted) = self.posts.join_next().await {
            posted.unwrap();
        }
        let events = take(&self.shared.events);
        assert_eq!(self.shared.next.load(Ordering::Acquire), events.len());
        Produced { events, turns, called_off: take(&self.shared.called_off), ..Produced::default() }
    }
}

fn take<T>(list: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Shared {
    async fn post_on(self, hosts: Vec<String>, key: String, url: String, mut chance: Chance) {
        let mut watches = JoinSet::new();
        while !self.enough.load(Ordering::Acquire) {
            let n = self.next.fetch_add(1, Ordering::AcqRel);
            let posted = self.ticks.next();
            let event = story::event(n, Timestamp::now(), self.moved.load(Ordering::Acquire));
            post_until_accepted(n, &event.to_string(), &hosts, &key).await;
            let accepted = Accepted { n, posted, at: self.ticks.next() };
            self.events.lock().unwrap_or_else(PoisonError::into_inner).push(accepted);
            self.accepted.fetch_add(1, Ordering::AcqRel);
            if let Some(alarm) = story::called_off(n) {
                watches.spawn(self.clone().watch(n, alarm, url.clone()));
            }
            sleep(scale::pause().mul_f64(2.0 * chance.fraction())).await;
        }
        while let Some(watched) = watches.join_next().await {
            watched.unwrap();
        }
    }

    /// Waits until an event that calls an alarm off is routed, and notes what had begun by then. The event may be gone.
    async fn watch(self, n: usize, alarm: usize, url: String) {
        let mut was_routed = false;
        while let Some((is_routed, begun)) = ledger::calls_off(&url, n, alarm).await {
            // The second look knows all that had begun when the first one saw that it is routed.
            if was_routed && is_routed {
                let called_off = CalledOff { alarm, routed: self.ticks.next(), begun };
                return self.called_off.lock().unwrap_or_else(PoisonError::into_inner).push(called_off);
            }
            was_routed = is_routed;
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Posts an event until a host takes it.
pub async fn post_until_accepted(n: usize, body: &str, hosts: &[String], key: &str) {
    let mut hosts = hosts.iter().cycle().skip(n);
    loop {
        let Some(host) = hosts.next() else { return };
        let post = http()
            .post(format!("{host}/v1/events"))
            .bearer_auth(key)
            .header("content-type", "application/json")
            .body(body.to_owned())
            .send();
        match timeout(PATIENCE, post).await {
            Ok(Ok(answer)) if answer.status() == 202 => return,
            Ok(Ok(answer))
                if answer.status().is_client_error() && ![408, 429].contains(&answer.status().as_u16()) =>
            {
                panic!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())
            }
            // Nobody there, no answer, or one that says to come again.
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}
