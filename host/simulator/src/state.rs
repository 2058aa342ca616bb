//! What the simulator remembers: users, messages and what will happen to them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{
    Fault, Knobs, ReachedStatus, ReceivedMessage, Settings,
    bucket::{Bucket, Pairs},
    check::Recipient,
    media::MediaStore,
    message::{Sent, Step},
    profile::Profile,
    stats::Stats,
    templates::Templates,
    webhook::{Due, Queue, Update},
};
use crate::status::Status;

/// Users that are remembered with their names, ids and windows.
const USERS: usize = 200_000;

/// A WhatsApp user, as far as the simulator knows them.
#[derive(Clone, Debug)]
pub struct User {
    /// Digits of the number; `None` where it was never told.
    pub wa_id: Option<String>,
    /// Business-scoped user id.
    pub user_id: String,
    /// The profile name.
    pub name: Option<String>,
}

struct Record {
    sent: Arc<Sent>,
    statuses: Vec<ReachedStatus>,
}

/// All that changes.
pub struct State {
    pub knobs: Knobs,
    messages_per_second: Option<u32>,
    throughput: HashMap<String, Bucket>,
    pub pairs: Option<Pairs>,
    pub templates: Templates,
    pub media: MediaStore,
    /// By the number's id.
    pub profiles: HashMap<String, Profile>,
    pub queue: Queue,
    pub stats: Stats,
    /// When the webhook task wakes by itself.
    pub wake_at: Instant,
    dice: StdRng,
    users: HashMap<String, User>,
    numbers: HashMap<String, String>,
    /// When users last wrote to which number.
    windows: HashMap<(String, String), Timestamp>,
    messages: VecDeque<Record>,
    keep: usize,
    next_seq: u64,
}

impl State {
    pub fn new(settings: &Settings) -> Self {
        let limits = &settings.limits;
        State {
            knobs: settings.knobs.clone(),
            messages_per_second: limits.messages_per_second,
            throughput: HashMap::new(),
            windows: HashMap::new(),
            pairs: limits.pair.then(Pairs::default),
            templates: Templates::with_samples(Timestamp::now()),
            media: MediaStore::default(),
            profiles: HashMap::new(),
            queue: Queue::new(settings.webhook_url.is_some()),
            stats: Stats::default(),
            wake_at: Instant::now(),
            dice: settings.seed.map_or_else(StdRng::from_os_rng, StdRng::seed_from_u64),
            users: HashMap::new(),
            numbers: HashMap::new(),
            messages: VecDeque::new(),
            keep: limits.keep_messages.max(1),
            next_seq: 1,
        }
    }

    /// Whether a thing of this probability happens now.
    pub fn falls(&mut self, fraction: f64) -> bool {
        fraction > 0.0 && self.dice.random::<f64>() < fraction
    }

    /// The fault that strikes a send to this recipient, if any; counts it.
    pub fn fault(&mut self, recipient: &str) -> Option<Fault> {
        for index in 0..self.knobs.errors.len() {
            let fault = self.knobs.errors[index].clone();
            if fault.to.as_deref().is_some_and(|to| to != recipient)
                || fault.next == Some(0)
                || !fault.probability.is_none_or(|probability| self.falls(probability))
            {
                continue;
            }
            if let Some(next) = &mut self.knobs.errors[index].next {
                *next -= 1;
            }
            self.knobs.errors.retain(|fault| fault.next != Some(0));
            return Some(fault);
        }
        None
    }

    /// Fills in the number of a user id that has written before.
    pub fn resolve(&self, recipient: &mut Recipient) {
        if recipient.wa_id.is_none()
            && let Some(user_id) = &recipient.user_id
        {
            recipient.wa_id = self.numbers.get(user_id).cloned();
        }
    }

    /// The user by number or, where no number is known, by user id.
    pub fn user(&self, key: &str) -> Option<&User> {
        self.users.get(key)
    }

    /// The messages per second of a number, where they are limited.
    pub fn throughput(&mut self, phone_number_id: &str) -> Option<&mut Bucket> {
        let rate = f64::from(self.messages_per_second?);
        let bucket = self.throughput.entry(phone_number_id.to_owned());
        Some(bucket.or_insert_with(|| Bucket::new(rate, rate, Instant::now())))
    }

    /// Whether the user has written to the number within the window.
    pub fn window_open(&self, phone_number_id: &str, key: &str, now: Timestamp) -> bool {
        let window = Duration::from_secs(self.knobs.window_seconds);
        let last = self.windows.get(&(phone_number_id.to_owned(), key.to_owned()));
        last.is_some_and(|last| now.duration_since(*last).unsigned_abs() < window || *last > now)
    }

    /// A user has written to a number.
    pub fn wrote(&mut self, phone_number_id: &str, user: User, at: Timestamp) {
        if self.users.len() >= USERS {
            self.forget(at);
        }
        let key = user.wa_id.clone().unwrap_or_else(|| user.user_id.clone());
        self.windows.insert((phone_number_id.to_owned(), key.clone()), at);
        if let Some(wa_id) = &user.wa_id {
            self.numbers.insert(user.user_id.clone(), wa_id.clone());
        }
        self.users.insert(key, user);
    }

    /// Forgets the users whose windows have closed; all of them where that is not enough.
    fn forget(&mut self, at: Timestamp) {
        let window = Duration::from_secs(self.knobs.window_seconds);
        self.windows.retain(|_, last| at.duration_since(*last).unsigned_abs() < window);
        if self.windows.len() >= USERS / 2 {
            self.windows.clear();
        }
        let open: HashSet<&String> = self.windows.keys().map(|(_, key)| key).collect();
        self.users.retain(|key, _| open.contains(key));
        self.numbers.retain(|_, wa_id| open.contains(wa_id));
    }

    /// The next message's number.
    pub fn next_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        seq
    }

    /// Remembers a message that was taken.
    pub fn keep(&mut self, sent: Arc<Sent>) {
        if self.messages.len() >= self.keep {
            self.messages.pop_front();
        }
        self.messages.push_back(Record { sent, statuses: Vec::with_capacity(3) });
    }

    /// Forgets all messages; what is under way goes on.
    pub fn clear_messages(&mut self) {
        self.messages.clear();
    }

    /// The messages kept, after this `seq`.
    pub fn messages(&self, after: u64) -> impl Iterator<Item = ReceivedMessage> + '_ {
        let start = self.messages.partition_point(|record| record.sent.seq <= after);
        self.messages.range(start..).map(|record| ReceivedMessage {
            seq: record.sent.seq,
            phone_number_id: record.sent.phone_number_id.clone(),
            wamid: record.sent.wamid.clone(),
            received_at: record.sent.received_at,
            to: record.sent.wa_id.clone().unwrap_or_else(|| record.sent.user_id.clone()),
            kind: record.sent.kind.to_owned(),
            request: record.sent.request.clone(),
            statuses: record.statuses.clone(),
        })
    }

    /// Lets happen what is due: statuses, template reviews. Returns whether anything did.
    pub fn advance(&mut self, now: Instant, at: Timestamp) -> bool {
        let mut happened = false;
        while let Some(step) = self.queue.due_step(now) {
            happened = true;
            self.reach(step, now, at);
        }
        for update in self.templates.review(now) {
            happened = true;
            self.tell(Update::Template(update), now);
        }
        happened
    }

    fn reach(&mut self, step: Due<Step>, now: Instant, at: Timestamp) {
        let Due { at: due, item: Step { sent, status, code }, .. } = step;
        self.stats.reached(status);
        let index = self.messages.partition_point(|record| record.sent.seq < sent.seq);
        if let Some(record) = self.messages.get_mut(index).filter(|record| record.sent.seq == sent.seq) {
            record.statuses.push(ReachedStatus { status, at, code });
        }
        let next = match status {
            // Meta tells only `sent` of a reaction.
            Status::Sent if sent.kind == "reaction" => None,
            Status::Sent if self.falls(self.knobs.no_delivered) => {
                Some((Status::Read, self.knobs.delivered_after_ms + self.knobs.read_after_ms))
            }
            Status::Sent => Some((Status::Delivered, self.knobs.delivered_after_ms)),
            Status::Delivered => Some((Status::Read, self.knobs.read_after_ms)),
            _ => None,
        };
        if let Some((status, after)) = next {
            let due = due + Duration::from_millis(after);
            self.queue.step(due, Step { sent: sent.clone(), status, code: None });
        }
        self.tell(Update::Status { sent, status, at, code }, now);
    }

    /// Hands an update to the webhook, with the knobs' faults.
    pub fn tell(&mut self, update: Update, now: Instant) {
        if self.falls(self.knobs.webhooks_lost) {
            self.stats.webhooks.lost += 1;
            return;
        }
        let mut after = 0;
        if self.falls(self.knobs.webhooks_late) {
            after += self.knobs.webhooks_late_ms;
        }
        if self.falls(self.knobs.webhooks_reordered) {
            // Behind all that happens to the message after this.
            after += self.knobs.delivered_after_ms + self.knobs.read_after_ms + 50;
        }
        if self.falls(self.knobs.webhooks_doubled) {
            self.queue.tell(now, after, update.clone(), &mut self.stats.webhooks);
        }
        self.queue.tell(now, after, update, &mut self.stats.webhooks);
    }
}
