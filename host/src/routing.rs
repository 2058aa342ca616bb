//! Reads the event log in order, decides, plans, and appends decisions and notifications in one transaction. The
//! decision log is the cursor: an event routed twice violates its key, and the transaction is rolled back.
//!
//! A turn routes one batch, whose output is limited by notifications and by bytes. What would delay a batch is set aside,
//! and listed in `unfinished` in the transaction that moves the cursor past it:
//!
//! - An event whose plugin does not answer within 50 ms, and the later events of its subject ([`aside`]).
//! - A decision for more than 200 people ([`spread`]): first its row, then page by page, each page in a transaction that
//!   moves the decision's progress. Its lane waits; the others continue between the pages.
//! - The events that may have been running when a host died ([`suspects`]): they are decided one by one.
//!
//! A host that starts, or takes a lane, continues with what is listed for it.

mod aside;
mod batch;
mod calls;
mod digests;
mod rows;
mod spread;
mod suspects;
mod tally;
mod work;
mod write;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use hookswitch_core::{
    catalog::Live,
    decide::plugin::CALLS,
    domain::{DecisionOutcome, Lane, Senders},
    plan::InUse,
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::spawn_blocking,
    time::{Instant, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{aside::Aside, calls::Answer, spread::Page, tally::Unsent, work::Work};
pub use self::{calls::DIED, rows::TOLD_BEFORE, tally::Tally};
use crate::{
    lanes::{Beat, Grew, Grown, Leases, Unread},
    metrics::{RoutingCounts, RoutingMetrics},
    store::{Incarnation, Store, StoreError},
    traces::Tracer,
};

const POLL: Duration = Duration::from_millis(1_500);
const POLL_JITTER_MS: u64 = 300;
/// Between calls of plugins that begin one after the other.
const STAGGER: Duration = Duration::from_millis(5);
const AFTER_AN_ERROR: Duration = Duration::from_millis(500);
const FORGET_DEDUPE: Duration = Duration::from_secs(600);

/// Dependencies of routing.
pub struct Routing {
    /// Database.
    pub store: Store,
    /// This process, as in the list of hosts.
    pub host: Uuid,
    /// Live rules.
    pub catalog: Arc<Live>,
    /// Lanes leased by this host.
    pub leases: watch::Receiver<Leases>,
    /// Reports each turn to the supervision.
    pub beat: Beat,
    /// Where the event log has grown.
    pub wake: Arc<Grown>,
    /// Called when notifications have been appended.
    pub notified: Grew,
    /// Sending numbers.
    pub senders: Arc<Senders>,
    /// Versions of templates in use at Meta.
    pub in_use: Arc<ArcSwap<InUse>>,
    /// Threads that calls of plugins may block, see [`threads`].
    pub threads: Arc<Semaphore>,
    /// Counts what came to no message.
    pub tally: Tally,
    /// Counts what was decided.
    pub metrics: RoutingMetrics,
    /// Records what was decided.
    pub tracer: Tracer,
}

/// A thread for each call of a plugin that can run at once. The process has more threads than these, so that routing and
/// look-ups of names always find one, however many plugins hang.
pub fn threads() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(CALLS))
}

/// Progress of this host. All of it can be read again from the database.
struct State {
    /// The server that all of it was read from.
    incarnation: Option<Incarnation>,
    cursors: HashMap<Lane, Cursor>,
    /// Lanes that may have events after their cursors.
    unread: Unread,
    /// Lanes that wait for a large decision to be spread; the next one first.
    held: Vec<Lane>,
    pages: HashMap<Lane, Page>,
    aside: Aside<Work>,
    /// Lanes whose next events may have killed a host.
    orphans: BTreeSet<Lane>,
    answers: mpsc::UnboundedReceiver<Answer>,
    /// Whether calls could begin that have not yet.
    calls_left: bool,
    /// Number of times that the state was read again: earlier answers are dropped.
    generation: u64,
    /// Number of conflicts with another host in a row.
    conflicts: usize,
    /// Number of turns in a row that ended because a connection was lost.
    cuts: usize,
}

/// Progress of a lane.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// Term of the lease; with a new term the cursor is read again.
    term: u64,
    seq: i64,
    /// Number of events read at a time.
    share: usize,
}

impl State {
    fn forget(&mut self) {
        self.cursors.clear();
        self.unread = Unread::All;
        self.held.clear();
        self.pages.clear();
        self.aside = Aside::default();
        self.orphans.clear();
        self.generation += 1;
    }
}

/// A task that is done at intervals, however busy the loop is.
struct Every {
    period: Duration,
    next: Instant,
}

impl Every {
    fn new(period: Duration) -> Every {
        Every { period, next: Instant::now() + period }
    }

    fn at_once(&mut self) {
        self.next = Instant::now();
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let due = now >= self.next;
        if due {
            self.next = now + self.period;
        }
        due
    }
}

impl Routing {
    /// Routes until `stop`. Running work is finished, except for calls of plugins.
    pub async fn run(mut self, stop: CancellationToken) {
        let (answering, answers) = mpsc::unbounded_channel();
        let mut state = State {
            incarnation: None,
            cursors: HashMap::new(),
            unread: Unread::All,
            held: Vec::new(),
            pages: HashMap::new(),
            aside: Aside::default(),
            orphans: BTreeSet::new(),
            answers,
            calls_left: false,
            generation: 0,
            conflicts: 0,
            cuts: 0,
        };
        let jitter = Duration::from_millis(rand::random_range(0..POLL_JITTER_MS));
        let mut poll = interval(POLL + jitter);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut care, mut forget) = (Every::new(POLL), Every::new(FORGET_DEDUPE));
        while !stop.is_cancelled() {
            self.beat.touch();
            if care.is_due() {
                // The net under what is told of the log.
                state.unread = Unread::All;
                match self.care(&mut state, forget.is_due()).await {
                    Ok(true) => care.at_once(),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, "cannot process digests and parked events; trying again")
                    }
                }
            }
            match self.turn(&mut state, &answering).await {
                Ok(more) => {
                    (state.conflicts, state.cuts) = (0, 0);
                    if more {
                        continue;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot route; reading the cursors again");
                    state.forget();
                    state.conflicts += usize::from(matches!(error, StoreError::Conflict(_)));
                    state.cuts += usize::from(error.is_cut_off());
                    sleep(AFTER_AN_ERROR).await;
                    continue;
                }
            }
            tokio::select! {
                () = self.wake.heard() => {}
                Ok(()) = self.leases.changed() => {}
                Some(answer) = state.answers.recv() => state.take(answer),
                _ = poll.tick() => {}
                () = sleep(STAGGER), if state.calls_left => {}
                () = stop.cancelled() => {}
            }
        }
        if let Err(error) = self.store.end_routing(self.host).await {
            tracing::warn!(%error, "cannot release the lanes properly; the next host decides their next events one by one");
        }
    }

    /// Does one turn of each kind of work. Returns whether there may be more at once.
    async fn turn(
        &self,
        state: &mut State,
        answering: &mpsc::UnboundedSender<Answer>,
    ) -> Result<bool, StoreError> {
        if !self.take_lanes(state).await? {
            return Ok(false);
        }
        let read = self.route_batch(state, answering).await?;
        let suspect = self.decide_suspects(state, answering).await?;
        let wrote = self.write_answers(state).await?;
        self.begin_calls(state, answering).await?;
        let told = self.tell_page(state).await?;
        Ok(read || suspect || wrote || told)
    }

    /// Starts new lanes of this host and drops lanes of others. Returns whether this host has any.
    async fn take_lanes(&self, state: &mut State) -> Result<bool, StoreError> {
        let leases = self.leases.borrow().clone();
        if !leases.are_ours(Instant::now()) {
            return Ok(false);
        }
        if state.incarnation != leases.incarnation {
            state.forget();
            state.incarnation = leases.incarnation;
        }
        let before = state.cursors.len();
        let ours = |lane: &Lane, cursor: &Cursor| {
            leases.lanes.get(lane).is_some_and(|held| held.number == cursor.term)
        };
        state.cursors.retain(|lane, cursor| ours(lane, cursor));
        if state.cursors.len() < before {
            let cursors = &state.cursors;
            state.held.retain(|lane| cursors.contains_key(lane));
            state.pages.retain(|lane, _| cursors.contains_key(lane));
            state.orphans.retain(|lane| cursors.contains_key(lane));
            state.aside.retain(|lane| cursors.contains_key(&lane));
        }
        let new: Vec<Lane> =
            leases.lanes.keys().filter(|lane| !state.cursors.contains_key(lane)).copied().collect();
        if new.is_empty() {
            return Ok(!state.cursors.is_empty());
        }
        let orphans = self.store.begin_routing(self.host, &new).await?;
        let (undecided, spread) = self.store.unfinished(self.host, &new).await?;
        let routed_until = self.store.routed_until(&new, state.incarnation.as_ref()).await?;
        if routed_until.is_empty() {
            // Another server answers; the next heartbeat tells which.
            return Ok(false);
        }
        for (lane, seq) in routed_until {
            let term = leases.lanes[&lane].number;
            state.cursors.insert(lane, Cursor { term, seq, share: 0 });
        }
        state.unread.add(new.iter().copied().collect());
        state.orphans.extend(orphans);
        state.held.extend(spread);
        self.take_up(state, undecided).await?;
        Ok(true)
    }

    /// Counts what was appended.
    fn count(&self, unsent: Vec<Unsent>, counts: RoutingCounts) {
        self.metrics.committed(counts);
        for failed in unsent.iter().filter(|unsent| unsent.outcome == DecisionOutcome::Failed) {
            self.metrics.rule_failed(&failed.rule);
        }
        self.tally.add(unsent, Instant::now());
    }

    /// Does the periodic tasks, also under load. Returns whether there is more to do.
    async fn care(&self, state: &mut State, forget: bool) -> Result<bool, StoreError> {
        let more = self.close_digests().await?;
        self.take_up_parked(state).await?;
        self.tally.tell(Instant::now());
        if forget {
            self.store.forget_dedupe().await?;
        }
        Ok(more)
    }
}

/// Runs rules outside the asynchronous threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    spawn_blocking(work).await.map_err(|error| StoreError::Row(format!("cannot route a batch: {error}")))
}
