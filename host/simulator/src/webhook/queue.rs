//! What will happen, and what is to be told of it, each with its time. Bounded.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;

use super::deliver::Batch;
use crate::{
    message::{Sent, Step},
    stats::WebhookStats,
    status::Status,
};

/// The largest body of a POST, in bytes, as estimated; Meta's own limit is 3 MB.
const BODY: usize = 2_500_000;
/// Updates that may wait; beyond that the oldest are dropped.
const WAITING: usize = 500_000;

/// One thing to tell.
#[derive(Clone, Debug)]
pub enum Update {
    /// A message reached a status.
    Status {
        /// Whose.
        sent: Arc<Sent>,
        /// What it reached.
        status: Status,
        /// When.
        at: Timestamp,
        /// Meta's error code, of a failure.
        code: Option<u32>,
    },
    /// A user wrote.
    Inbound(Arc<Inbound>),
    /// A template's state changed: the `value`.
    Template(Value),
}

impl Update {
    /// How many bytes it will take at most; escaped, a byte may become six.
    fn size(&self) -> usize {
        match self {
            Update::Status { sent, .. } => 1_000 + 6 * sent.callback_data.as_ref().map_or(0, String::len),
            Update::Inbound(inbound) => 1_000 + 6 * inbound.size,
            Update::Template(_) => 4_000,
        }
    }
}

/// A user's message.
#[derive(Debug)]
pub struct Inbound {
    /// The number that was written to, by its id.
    pub phone_number_id: String,
    /// Digits of the number, where known.
    pub wa_id: Option<String>,
    /// Business-scoped user id.
    pub user_id: String,
    /// The profile name.
    pub name: String,
    /// The message, without `from` and `from_user_id`.
    pub message: Value,
    /// The length of the message as JSON, in bytes.
    pub size: usize,
}

/// A thing with its time; the earliest is the greatest, for the heap.
pub struct Due<T> {
    /// When.
    pub at: Instant,
    /// Keeps those of one time in their order.
    order: u64,
    /// What.
    pub item: T,
}

impl<T> PartialEq for Due<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<T> Eq for Due<T> {}
impl<T> PartialOrd for Due<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Due<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// All that waits.
pub struct Queue {
    steps: BinaryHeap<Due<Step>>,
    ready: VecDeque<Update>,
    later: BinaryHeap<Due<Update>>,
    retries: BinaryHeap<Due<Batch>>,
    retrying: usize,
    order: u64,
    subscribed: bool,
    webhook: bool,
}

impl Queue {
    /// `webhook`: whether there is one at all.
    pub fn new(webhook: bool) -> Self {
        Queue {
            steps: BinaryHeap::new(),
            ready: VecDeque::new(),
            later: BinaryHeap::new(),
            retries: BinaryHeap::new(),
            retrying: 0,
            order: 0,
            subscribed: true,
            webhook,
        }
    }

    /// Whether the app is subscribed to the account's webhooks.
    pub fn subscribed(&self) -> bool {
        self.subscribed
    }

    /// Subscribes the app, or not: then nothing is told any more.
    pub fn subscribe(&mut self, subscribed: bool) {
        self.subscribed = subscribed;
    }

    fn due<T>(&mut self, at: Instant, item: T) -> Due<T> {
        self.order += 1;
        Due { at, order: self.order, item }
    }

    /// Something will happen to a message.
    pub fn step(&mut self, at: Instant, step: Step) {
        let due = self.due(at, step);
        self.steps.push(due);
    }

    /// The next thing that happens by now.
    pub fn due_step(&mut self, now: Instant) -> Option<Due<Step>> {
        if self.steps.peek()?.at > now { None } else { self.steps.pop() }
    }

    /// Something is to be told, so many milliseconds from now.
    pub fn tell(&mut self, now: Instant, after_ms: u64, update: Update, stats: &mut WebhookStats) {
        if !self.webhook || !self.subscribed {
            return;
        }
        if after_ms > 0 {
            let due = self.due(now + Duration::from_millis(after_ms), update);
            self.later.push(due);
        } else {
            self.ready.push_back(update);
        }
        while self.waiting() > WAITING {
            match self.retries.pop() {
                Some(batch) => {
                    self.retrying -= batch.item.updates;
                    stats.dropped += batch.item.updates as u64;
                }
                None if self.ready.pop_front().is_some() || self.later.pop().is_some() => stats.dropped += 1,
                None => break,
            }
        }
    }

    /// A batch that was not taken, to be told again.
    pub fn retry(&mut self, at: Instant, batch: Batch) {
        self.retrying += batch.updates;
        let due = self.due(at, batch);
        self.retries.push(due);
    }

    /// A batch whose time to be told again has come.
    pub fn due_retry(&mut self, now: Instant) -> Option<Batch> {
        if self.retries.peek()?.at > now {
            return None;
        }
        let batch = self.retries.pop()?.item;
        self.retrying -= batch.updates;
        Some(batch)
    }

    /// What is to be told now, at most `batch` updates. While another POST is under way, only a full
    /// batch: so an idle webhook hears at once, and a busy one in large batches.
    pub fn due_updates(&mut self, now: Instant, busy: bool, batch: usize) -> Option<Vec<Update>> {
        while self.later.peek().is_some_and(|due| due.at <= now) {
            self.ready.extend(self.later.pop().map(|due| due.item));
        }
        if self.ready.is_empty() || (busy && self.ready.len() < batch) {
            return None;
        }
        let mut size = 0;
        let fitting = self.ready.iter().take(batch).take_while(|update| {
            size += update.size();
            size <= BODY
        });
        let count = fitting.count().max(1);
        Some(self.ready.drain(..count).collect())
    }

    /// When there will be something to do next, other than to tell what is ready. `full`: no more POSTs
    /// can be made, so nothing but the messages' own course matters.
    pub fn next_due(&self, full: bool) -> Option<Instant> {
        let steps = self.steps.peek().map(|due| due.at);
        let later = self.later.peek().filter(|_| !full).map(|due| due.at);
        let retries = self.retries.peek().filter(|_| !full).map(|due| due.at);
        [steps, later, retries].into_iter().flatten().min()
    }

    /// Updates that wait to be told.
    pub fn waiting(&self) -> usize {
        self.ready.len() + self.later.len() + self.retrying
    }
}
