//! The task that owns the queue and the paces.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    form::Parked,
    lanes::Readings,
    pace::{NumberPace, PairPace},
    queue::Queue,
    reader::REFILL,
    sender::Answer,
    writer::{self, Write, Written},
};
use crate::{
    domain::{LANES, Lane, NotificationId},
    lanes::{Beat, Leases, Progress},
    plan::InUse,
    store::{Store, StoreError},
    whatsapp::Client,
};

/// The net under the wake-ups; different for each host, so that they do not come together.
const POLL: Duration = Duration::from_millis(1_000);
const POLL_JITTER_MS: u64 = 300;
const CHECKPOINT: Duration = Duration::from_secs(2);
const AFTER_AN_ERROR: Duration = Duration::from_millis(500);

/// What dispatch works with.
pub struct Rooms {
    /// The database.
    pub store: Store,
    /// The Cloud API.
    pub client: Client,
    /// This host.
    pub host: Uuid,
    /// The lanes that it holds.
    pub leases: watch::Receiver<Leases>,
    /// Where it says what is under way in each lane.
    pub progress: Arc<Progress>,
    /// Touched at each turn.
    pub beat: Beat,
    /// Rung when the notification log has grown.
    pub wake: Arc<Notify>,
    /// Messages per second that a number may send.
    pub messages_per_second: u32,
    /// How long the outcome of a send that got no answer may stay unknown.
    pub unknown_for: SignedDuration,
    /// The versions of templates that are in use at Meta.
    pub in_use: Arc<ArcSwap<InUse>>,
    /// Rung when Meta refuses a version.
    pub template_refused: Arc<Notify>,
    /// Whether there are several sending numbers.
    pub several_numbers: bool,
    /// How many users may be written to in 24 hours outside their windows.
    pub daily_limit: watch::Receiver<Option<u32>>,
}

/// Sends what the notification log says.
pub struct Dispatch {
    pub(super) store: Store,
    pub(super) client: Client,
    host: Uuid,
    pub(super) leases: watch::Receiver<Leases>,
    pub(super) progress: Arc<Progress>,
    beat: Beat,
    wake: Arc<Notify>,
    pub(super) readings: Readings,
    pub(super) queue: Queue,
    /// Lines (a number's messages to a recipient) whose earlier messages wait in `deferred`, and when the last of these
    /// is due.
    pub(super) waiting: HashMap<String, Timestamp>,
    /// Lines with messages that are on their way into `deferred`.
    pub(super) deferring: HashMap<String, usize>,
    /// Sends without an answer, which a webhook may yet explain.
    pub(super) unknown: HashMap<NotificationId, ((Lane, i64), i16, String)>,
    /// Sent, and what came of it is not written yet.
    pub(super) in_flight: HashSet<(Lane, i64)>,
    /// How many of these have no answer yet.
    pub(super) unanswered: usize,
    pub(super) most_unanswered: usize,
    pub(super) unknown_for: SignedDuration,
    pub(super) in_use: Arc<ArcSwap<InUse>>,
    pub(super) template_refused: Arc<Notify>,
    pub(super) parked: Parked,
    /// There may be urgent messages further on in the log.
    look_ahead: bool,
    pub(super) numbers: HashMap<String, NumberPace>,
    messages_per_second: u32,
    share: f64,
    /// With several sending numbers, each has windows of its own.
    pub(super) several_numbers: bool,
    pub(super) daily_limit: watch::Receiver<Option<u32>>,
    pub(super) pairs: PairPace,
    pub(super) answers: mpsc::UnboundedSender<Answer>,
    answered: mpsc::UnboundedReceiver<Answer>,
    writes: mpsc::UnboundedSender<Write>,
    written: mpsc::UnboundedReceiver<Written>,
}

impl Dispatch {
    /// A dispatch that has not begun.
    pub fn new(rooms: Rooms) -> Dispatch {
        let (answers, answered) = mpsc::unbounded_channel();
        let (writes, to_write) = mpsc::unbounded_channel();
        let (told, written) = mpsc::unbounded_channel();
        tokio::spawn(writer::run(rooms.store.clone(), to_write, told));
        // Enough for half a second's worth on its way, which is what a slow answer of Meta's takes.
        let most_unanswered = (rooms.messages_per_second as usize / 2).clamp(32, 256);
        Dispatch {
            store: rooms.store,
            client: rooms.client,
            host: rooms.host,
            leases: rooms.leases,
            progress: rooms.progress,
            beat: rooms.beat,
            wake: rooms.wake,
            readings: Readings::default(),
            queue: Queue::default(),
            waiting: HashMap::new(),
            deferring: HashMap::new(),
            unknown: HashMap::new(),
            in_flight: HashSet::new(),
            unanswered: 0,
            most_unanswered,
            unknown_for: rooms.unknown_for,
            in_use: rooms.in_use,
            template_refused: rooms.template_refused,
            parked: Parked::new(),
            look_ahead: true,
            numbers: HashMap::new(),
            messages_per_second: rooms.messages_per_second,
            share: 1.0,
            several_numbers: rooms.several_numbers,
            daily_limit: rooms.daily_limit,
            pairs: PairPace::default(),
            answers,
            answered,
            writes,
            written,
        }
    }

    /// Sends until `stop`; then waits for the answers that are under way, and stores how far it got.
    pub async fn run(mut self, stop: CancellationToken) {
        let jitter = Duration::from_millis(rand::random_range(0..POLL_JITTER_MS));
        let mut poll = interval(POLL + jitter);
        let mut checkpoint = interval(CHECKPOINT);
        let mut log_grew = true;
        loop {
            self.beat.touch();
            if self.writes.is_closed() {
                // The host ends with this part, and what is open is read again.
                tracing::error!("the task that writes what came of messages has failed");
                return;
            }
            let next = match self.step(log_grew).await {
                Ok((more, next)) => {
                    log_grew = more;
                    next
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to dispatch; reading on from the checkpoints");
                    sleep(AFTER_AN_ERROR).await;
                    self.start_over().await;
                    log_grew = true;
                    continue;
                }
            };
            if log_grew && self.queue.len() < REFILL {
                // There is more to read and room for it: no reason to wait, but look at what has come in.
                self.take_answers();
                if stop.is_cancelled() {
                    break;
                }
                continue;
            }
            tokio::select! {
                Some(answer) = self.answered.recv() => self.take_answer(answer),
                Some(written) = self.written.recv() => self.take_written(written),
                () = self.wake.notified() => (log_grew, self.look_ahead) = (true, true),
                Ok(()) = self.leases.changed() => log_grew = true,
                _ = poll.tick() => {
                    (log_grew, self.look_ahead) = (true, true);
                    if let Err(error) = self.look_after_waiting().await {
                        tracing::warn!(%error, "failed to read what waits");
                    }
                }
                _ = checkpoint.tick() => self.store_checkpoints().await,
                () = sleep_until(next.into()) => {}
                () = stop.cancelled() => break,
            }
            self.take_answers();
        }
        self.drain().await;
        self.store_checkpoints().await;
    }

    /// One round: lanes, log, sends. Tells whether the log holds more, and when the next send may go.
    async fn step(&mut self, log_grew: bool) -> Result<(bool, Instant), StoreError> {
        let leases = self.leases.borrow_and_update().clone();
        let held = self.readings.held().len();
        let taken = self.readings.compare(&leases);
        if self.readings.held().len() != held {
            let readings = &self.readings;
            self.queue.retain_lanes(|lane| readings.hold(lane));
            self.unknown.retain(|_, ((lane, _), _, _)| readings.hold(*lane));
        }
        self.share = leases.lanes.len() as f64 / f64::from(LANES);
        self.numbers.values_mut().for_each(|number| number.set_share(self.share));
        // What is under way in a lane must be written before the lane can be read anew.
        let taken = taken.into_iter().filter(|(lane, _)| self.progress.idle(*lane)).collect();
        self.take_up(taken).await?;
        let more = if log_grew && self.queue.len() < REFILL {
            self.read_log(self.store.now()).await?
        } else {
            if mem::take(&mut self.look_ahead) {
                self.read_urgent(self.store.now()).await?;
            }
            log_grew
        };
        let next = self.send_ready().await?;
        Ok((more, next))
    }

    async fn look_after_waiting(&mut self) -> Result<(), StoreError> {
        let now = self.store.now();
        self.pairs.forget(Instant::now());
        self.parked.retain(|_, until| *until > Instant::now());
        if !self.unknown.is_empty() {
            self.resolve_unknown(now).await?;
        }
        self.read_due(now).await
    }

    /// After an error nobody knows what was written: forget, and read on from the checkpoints.
    async fn start_over(&mut self) {
        self.drain().await;
        self.queue = Queue::default();
        self.waiting.clear();
        self.unknown.clear();
        let lanes = self.readings.reset();
        if let Err(error) = self.take_up(lanes).await {
            // The lanes are new again to the next round.
            tracing::warn!(%error, "failed to read the lanes anew");
        }
    }

    /// Waits until what is under way has its answer, and the answers are written.
    async fn drain(&mut self) {
        while !self.in_flight.is_empty() || !self.deferring.is_empty() {
            tokio::select! {
                Some(answer) = self.answered.recv() => self.take_answer(answer),
                Some(written) = self.written.recv() => self.take_written(written),
            }
        }
    }

    fn take_answers(&mut self) {
        while let Ok(answer) = self.answered.try_recv() {
            self.take_answer(answer);
        }
        while let Ok(written) = self.written.try_recv() {
            self.take_written(written);
        }
    }

    fn take_written(&mut self, written: Written) {
        self.readings.settled(written.place);
        if written.waits
            && let Some(count) = self.deferring.get_mut(&written.line)
        {
            *count -= 1;
            if *count == 0 {
                self.deferring.remove(&written.line);
            }
        }
        if written.release {
            if self.in_flight.remove(&written.place) {
                self.progress.ended(written.place.0);
            }
            self.queue.release(&written.line);
        }
    }

    /// The pace of a sending number.
    pub(super) fn number(&mut self, phone_number_id: &str) -> &mut NumberPace {
        let (rate, share) = (self.messages_per_second, self.share);
        self.numbers.entry(phone_number_id.to_owned()).or_insert_with(|| {
            let mut pace = NumberPace::new(rate);
            pace.set_share(share);
            pace
        })
    }

    pub(super) fn write(&self, write: Write) {
        // The writer lives as long as this end of the channel.
        let _ = self.writes.send(write);
    }

    async fn store_checkpoints(&mut self) {
        let leases = self.leases.borrow().clone();
        let moved = self.readings.moved(&leases);
        if moved.is_empty() {
            return;
        }
        match self.store.checkpoint(self.host, &moved, leases.incarnation.as_ref()).await {
            Ok(()) => self.readings.stored(&moved),
            Err(error) => tracing::debug!(%error, "failed to store the checkpoints"),
        }
    }
}
