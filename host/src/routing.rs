//! Reads the event log in order, decides, plans, and appends decisions and notifications in one
//! transaction. The decision log is the cursor: an event routed twice breaks its key and undoes itself.

mod digests;
mod rows;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use futures_util::{StreamExt, TryStreamExt, future::try_join};
use jiff::Timestamp;
use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
    time::{interval, sleep},
};
use tokio_util::sync::CancellationToken;

use self::rows::Rows;
use crate::{
    catalog::{Catalog, CatalogPorts, Live},
    decide::{decide, plugin::CALLS},
    domain::{Lane, People, Senders, Verdict},
    lanes::{Beat, Leases},
    plan::{InUse, Names, named},
    store::{DecisionRow, LoggedEvent, Store, StoreError},
};

/// So many events at most are routed in one transaction, evenly from the lanes.
const BATCH: usize = 512;
/// So many of one lane at least.
const PER_LANE: usize = 8;
const POLL: Duration = Duration::from_millis(1_000);
const POLL_JITTER_MS: u64 = 300;
/// So many parked events at most are decided again between two looks at the log.
const RESUMED: i64 = 64;
const AFTER_AN_ERROR: Duration = Duration::from_millis(500);
const FORGET_DEDUPE: Duration = Duration::from_secs(600);

/// Routes what the event log says.
pub struct Routing {
    /// The database.
    pub store: Store,
    /// The rules.
    pub catalog: Arc<Live>,
    /// The lanes that this host holds.
    pub leases: watch::Receiver<Leases>,
    /// Touched at each turn.
    pub beat: Beat,
    /// Rung when the event log has grown.
    pub wake: Arc<Notify>,
    /// Called when the notification log has grown.
    pub notified: Arc<dyn Fn() + Send + Sync>,
    /// The numbers that send.
    pub senders: Arc<Senders>,
    /// The versions of templates that are in use at Meta.
    pub in_use: Arc<ArcSwap<InUse>>,
}

/// An event with what its rules say, before people are looked up.
struct Decided {
    logged: LoggedEvent,
    verdicts: Vec<Verdict>,
}

impl Routing {
    /// Routes until `stop`; what is under way is finished.
    pub async fn run(mut self, stop: CancellationToken) {
        let jitter = Duration::from_millis(rand::random_range(0..POLL_JITTER_MS));
        let mut poll = interval(POLL + jitter);
        let mut forget = interval(FORGET_DEDUPE);
        let mut cursors: HashMap<Lane, (u64, i64)> = HashMap::new();
        let mut digests = Instant::now();
        while !stop.is_cancelled() {
            self.beat.touch();
            if digests.elapsed() >= POLL {
                digests = Instant::now();
                if let Err(error) = self.close_digests().await {
                    tracing::warn!(%error, "failed to close digests");
                }
            }
            match self.step(&mut cursors).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "failed to route; reading the cursors anew");
                    cursors.clear();
                    sleep(AFTER_AN_ERROR).await;
                    continue;
                }
            }
            if let Err(error) = self.decide_again().await {
                tracing::warn!(%error, "failed to decide parked events again");
            }
            tokio::select! {
                () = self.wake.notified() => {}
                Ok(()) = self.leases.changed() => {}
                _ = poll.tick() => {}
                _ = forget.tick() => {
                    if let Err(error) = self.store.forget_dedupe().await {
                        tracing::debug!(%error, "failed to forget dedupe keys");
                    }
                }
                () = stop.cancelled() => {}
            }
        }
    }

    /// Routes one batch; tells whether there may be more.
    async fn step(&self, cursors: &mut HashMap<Lane, (u64, i64)>) -> Result<bool, StoreError> {
        let leases = self.leases.borrow().clone();
        if !leases.are_ours(tokio::time::Instant::now()) {
            return Ok(false);
        }
        cursors.retain(|lane, (term, _)| leases.lanes.get(lane).is_some_and(|held| held.number == *term));
        let new: Vec<Lane> =
            leases.lanes.keys().filter(|lane| !cursors.contains_key(lane)).copied().collect();
        if !new.is_empty() {
            for (lane, seq) in self.store.routed_until(&new).await? {
                cursors.insert(lane, (leases.lanes[&lane].number, seq));
            }
        }
        let places: Vec<_> = cursors.iter().map(|(lane, (_, seq))| (*lane, *seq)).collect();
        let per_lane = (BATCH / places.len().max(1)).max(PER_LANE);
        let events = self.store.events_after(&places, per_lane, leases.incarnation.as_ref()).await?;
        if events.is_empty() {
            return Ok(false);
        }
        let more = events.len() >= per_lane;
        let ends: Vec<(Lane, i64)> = events.iter().map(|logged| (logged.lane, logged.seq)).collect();
        match self.route(events.clone()).await {
            // PostgreSQL refuses a row, or a rule made planning panic: find the event, and go on without it.
            Err(StoreError::Statement(_) | StoreError::Row(_)) => self.route_one_by_one(events).await?,
            routed => routed?,
        }
        for (lane, seq) in ends {
            cursors.entry(lane).and_modify(|(_, cursor)| *cursor = seq);
        }
        (self.notified)();
        Ok(more)
    }

    async fn route(&self, events: Vec<LoggedEvent>) -> Result<(), StoreError> {
        let catalog = self.catalog.current();
        let now = self.store.now();
        let decided = decide_all(&catalog, events, now).await?;
        let people = self.look_up(named(decided.iter().flat_map(|d| &d.verdicts))).await?;
        let senders = self.senders.clone();
        let in_use = self.in_use.load_full();
        let rows = blocking(move || Rows::new(&catalog, &in_use, &senders, &decided, &people, now)).await?;
        self.store.route(async |transaction| rows.write(transaction, now).await).await
    }

    async fn route_one_by_one(&self, events: Vec<LoggedEvent>) -> Result<(), StoreError> {
        for logged in events {
            let (lane, event_seq) = (logged.lane, logged.seq);
            let error = match self.route(vec![logged]).await {
                Err(StoreError::Statement(error) | StoreError::Row(error)) => error,
                routed => {
                    routed?;
                    continue;
                }
            };
            let failed = DecisionRow {
                lane,
                event_seq,
                ordinal: 0,
                outcome: "failed",
                reason: Some(format!("write what the rules decided: {error}")),
                engine: None,
                rule: None,
                release: self.catalog.current().release.clone(),
                decision: None,
                asked: None,
            };
            let now = self.store.now();
            self.store.route(async |transaction| transaction.append(&[failed], &[], now).await).await?;
        }
        Ok(())
    }

    /// Decides parked events again whose plugin is resumed: only what that plugin says counts.
    async fn decide_again(&self) -> Result<(), StoreError> {
        let leases = self.leases.borrow().clone();
        if !leases.are_ours(tokio::time::Instant::now()) {
            return Ok(());
        }
        let lanes: Vec<Lane> = leases.lanes.keys().copied().collect();
        let catalog = self.catalog.current();
        for parked in self.store.parked_due(&lanes, RESUMED).await? {
            let Some(plugin) = catalog.plugins.get(&parked.row.plugin) else { continue };
            plugin.resume();
            let now = self.store.now();
            let mut decided = decide_all(&catalog, vec![parked.logged], now).await?;
            let file = &plugin.manifest().place.file;
            for decided in &mut decided {
                decided.verdicts.retain(|verdict| {
                    verdict.rule.as_ref().is_some_and(|rule| rule.file.as_str() == file.as_ref())
                });
            }
            let people = self.look_up(named(decided.iter().flat_map(|d| &d.verdicts))).await?;
            let mut rows = Rows::new(&catalog, &self.in_use.load(), &self.senders, &decided, &people, now);
            rows.number_from(parked.next_ordinal);
            self.store
                .route(async |transaction| {
                    if transaction.unpark(&parked.row).await? {
                        rows.write(transaction, now).await?;
                    }
                    Ok(())
                })
                .await?;
            (self.notified)();
        }
        Ok(())
    }

    async fn look_up(&self, names: Names) -> Result<People, StoreError> {
        let mut people = People::default();
        if !names.groups.is_empty() {
            self.store.group_members(&names.groups, &mut people).await?;
        }
        if !names.users.is_empty() {
            self.store.users(&names.users, &mut people).await?;
        }
        if !names.contacts.is_empty() {
            people.contacts = self.store.contacts(&names.contacts).await?;
        }
        Ok(people)
    }
}

/// Rules run beside the async threads: a slow one delays its batch, and nobody else.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    spawn_blocking(work).await.map_err(|error| StoreError::Row(format!("route a batch: {error}")))
}

/// Plugins may take their time, so each event that one is asked about has a thread of its own; all others share one.
async fn decide_all(
    catalog: &Arc<Catalog>,
    events: Vec<LoggedEvent>,
    now: Timestamp,
) -> Result<Vec<Decided>, StoreError> {
    let (slow, quick): (Vec<_>, Vec<_>) = events.into_iter().enumerate().partition(|(_, logged)| {
        !catalog.plugins.is_empty() && catalog.routes.asks_plugin(&logged.event.kind)
    });
    let decide_these = |events: Vec<(usize, LoggedEvent)>| {
        let catalog = catalog.clone();
        blocking(move || {
            let ports = CatalogPorts { catalog: &catalog, now };
            let decided = |(place, logged): (usize, LoggedEvent)| {
                (place, Decided { verdicts: decide(&catalog.routes, &logged.event, &ports), logged })
            };
            events.into_iter().map(decided).collect::<Vec<_>>()
        })
    };
    let slow = futures_util::stream::iter(slow.into_iter().map(|event| decide_these(vec![event])))
        .buffer_unordered(CALLS)
        .try_collect::<Vec<_>>();
    let (quick, slow) = try_join(decide_these(quick), slow).await?;
    let mut decided: Vec<_> = slow.into_iter().flatten().chain(quick).collect();
    decided.sort_by_key(|(place, _)| *place);
    Ok(decided.into_iter().map(|(_, decided)| decided).collect())
}
