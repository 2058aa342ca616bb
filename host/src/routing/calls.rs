//! Deciding events, in batches or set aside: calls of plugins, and their answers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hookswitch_core::{
    catalog::{Catalog, CatalogPorts, InForce},
    decide::{
        Ports, decide,
        plugin::{CALLS, Stopped},
    },
    domain::{Lane, Outcome, RuleRef, SwitchMode, Verdict, trace_id},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::{sync::mpsc, task::spawn_blocking, time::Instant};

use super::{
    Routing, State, blocking,
    work::{Entry, Item, Key, MOST_BYTES, Origin, Work, weight},
    write::Written,
};
use crate::{
    metrics::RoutingMetrics,
    store::{LoggedEvent, ParkedDue, ParkedRow, StoreError, Unfinished},
    traces::{Decided, Tracer},
};

/// Maximum number of answers written in one transaction.
const WRITTEN: usize = 256;
/// Calls that begin at once. Each needs a processor for a moment: many together would keep routing and dispatch from
/// theirs.
const AT_ONCE: usize = 8;
/// Maximum number of parked events of each plugin re-run at a time.
const PARKED: usize = 64;
/// Number of deaths of a host while deciding one event alone, after which it is not decided again.
const DEATHS: i16 = 2;

/// Prefix of the reason for an event that is not decided again because hosts died of it.
pub const DIED: &str = "the host died";

/// The answer of a call.
pub(super) struct Answer {
    pub key: Key,
    pub generation: u64,
    pub asks: String,
    pub took: std::time::Duration,
    pub work: Work,
}

impl State {
    /// Takes an answer; drops it if the state was read again since.
    pub(super) fn take(&mut self, answer: Answer) {
        if answer.generation == self.generation {
            self.aside.took(&answer.asks, answer.took);
            self.aside.answer(answer.key, answer.work);
        }
    }
}

impl Routing {
    /// Starts to decide an event on its own thread; the answer arrives through the channel.
    pub(super) fn call(
        &self,
        generation: u64,
        item: &Item,
        logged: LoggedEvent,
        catalog: Arc<Catalog>,
        answering: &mpsc::UnboundedSender<Answer>,
    ) {
        let (item, answering) = (item.clone(), answering.clone());
        let (threads, store, observed) = (self.threads.clone(), self.store.clone(), self.observed());
        tokio::spawn(async move {
            // The semaphore is never closed. The permit is held until the thread is free again.
            let _thread = threads.acquire_owned().await;
            let began = Instant::now();
            let origin = item.parked.clone().map_or(Origin::Aside, Origin::Parked);
            let again = origin.again();
            let trace = observed.tracer.continued(&logged.event, again);
            let verdicts = decided(&catalog, logged.clone(), store.now(), again, &observed).await;
            let verdicts = match &item.parked {
                Some(row) => only_of(&catalog, row, verdicts),
                None => verdicts,
            };
            let work = Work { logged, verdicts, catalog, origin, trace, large: false };
            let (key, asks) = (item.key(), item.asks);
            // Fails if routing has ended.
            let _ = answering.send(Answer { key, generation, asks, took: began.elapsed(), work });
        });
    }

    /// Continues with the events listed as undecided.
    pub(super) async fn take_up(
        &self,
        state: &mut State,
        undecided: Vec<Unfinished>,
    ) -> Result<(), StoreError> {
        let in_force = self.catalog.in_force();
        let (deadly, others): (Vec<_>, Vec<_>) =
            undecided.into_iter().partition(|event| event.alone_deaths >= DEATHS);
        for event in others {
            state.aside.add(Item {
                lane: event.lane,
                seq: event.event_seq,
                subject: event.subject,
                asks: asked_by(&in_force, event.lane, &event.kind),
                parked: None,
                suspect: event.deaths >= DEATHS,
            });
        }
        let deadly = deadly.iter().map(|event| ((event.lane, event.event_seq), Origin::Aside));
        self.bury(state, deadly.collect()).await
    }

    /// Records events as failed because hosts died while deciding them alone.
    async fn bury(&self, state: &State, mut deadly: HashMap<(Lane, i64), Origin>) -> Result<(), StoreError> {
        let places: Vec<(Lane, i64)> = deadly.keys().copied().collect();
        for logged in self.store.events_at(&places).await? {
            let Some(origin) = deadly.remove(&(logged.lane, logged.seq)) else { continue };
            let (id, source) = (&logged.event.key.id, &logged.event.key.source);
            let trace = self.tracer.continued(&logged.event, origin.again());
            tracing::error!(
                id,
                source,
                trace = trace.as_deref().and_then(trace_id),
                "the host died twice while it decided this event; it is recorded as failed"
            );
            let why = format!(
                "{DIED} {DEATHS} times while this event was being decided, and nothing else beside; it is not decided \
                 again. Post it under a new id once the cause is mended"
            );
            let verdicts = vec![Verdict { rule: None, outcome: Outcome::Failed(why), asked: [].into() }];
            let catalog = self.catalog.in_force().of_event(logged.lane, &logged.event).clone();
            let work = Work { logged, verdicts, catalog, origin, trace, large: false };
            self.write(state, vec![Entry::Decided(work)], &mut Written::default()).await?;
        }
        Ok(())
    }

    /// Starts to re-run parked events whose plugin was resumed.
    pub(super) async fn take_up_parked(&self, state: &mut State) -> Result<(), StoreError> {
        let lanes: Vec<Lane> = state.cursors.keys().copied().collect();
        let in_force = self.catalog.in_force();
        let mut deadly = HashMap::new();
        for ParkedDue { row, kind, deaths, alone_deaths } in self.store.parked_due(&lanes, PARKED).await? {
            if alone_deaths >= DEATHS {
                deadly.insert((row.lane, row.event_seq), Origin::Parked(row));
                continue;
            }
            let plugin = in_force.of(row.lane).plugins.get(&row.plugin);
            if plugin.is_none() && !row.is_rerun() {
                continue;
            }
            let item = Item {
                lane: row.lane,
                seq: row.event_seq,
                subject: None,
                asks: match row.is_rerun() {
                    true => asked_by(&in_force, row.lane, &kind),
                    false => of_release(&in_force, row.lane, &row.plugin),
                },
                parked: Some(row),
                suspect: deaths >= DEATHS,
            };
            // Resuming ends the parking of the plugin once; it may be parked again meanwhile.
            if state.aside.add(item)
                && let Some(plugin) = plugin
            {
                plugin.resume();
            }
        }
        self.bury(state, deadly).await
    }

    /// Starts the calls that may begin now.
    pub(super) async fn begin_calls(
        &self,
        state: &mut State,
        answering: &mpsc::UnboundedSender<Answer>,
    ) -> Result<(), StoreError> {
        let in_force = self.catalog.in_force();
        let (items, are_left) = state.aside.startable(CALLS, plugins(&in_force), AT_ONCE);
        state.calls_left = are_left;
        self.begin(state, items, &in_force, answering).await
    }

    /// Stops the plugins that operators have stopped, and lets the others be called. What a call decides that has begun
    /// meanwhile is stopped where it would be sent.
    pub(super) async fn stop_plugins(&self, in_force: &InForce) -> Result<(), StoreError> {
        if plugins(in_force) == 0 {
            return Ok(());
        }
        let stops = self.store.stopped_plugins().await?;
        for (id, plugin) in in_force.all().flat_map(|catalog| &catalog.plugins) {
            plugin.stop(stops.get(id).map(|stop| Stopped {
                why: stop.name.stopped(&stop.by, &stop.reason),
                is_dropped: stop.mode == SwitchMode::Dropped,
            }));
        }
        Ok(())
    }

    /// Records that these events are being decided, and starts.
    pub(super) async fn begin(
        &self,
        state: &State,
        items: Vec<Item>,
        in_force: &InForce,
        answering: &mpsc::UnboundedSender<Answer>,
    ) -> Result<(), StoreError> {
        if items.is_empty() {
            return Ok(());
        }
        self.stop_plugins(in_force).await?;
        let place = |item: &Item| (item.lane, item.seq);
        let undecided: Vec<_> = items.iter().filter(|item| item.parked.is_none()).map(place).collect();
        let parked: Vec<&ParkedRow> = state.aside.running_parked().collect();
        let alone = state.aside.running() == 1;
        self.store.begin_deciding(self.host, &undecided, alone && parked.is_empty()).await?;
        if !parked.is_empty() {
            self.store.begin_parked(self.host, &parked, alone).await?;
        }
        let places: Vec<_> = items.iter().map(place).collect();
        let events = self.store.events_at(&places).await?;
        let events: HashMap<(Lane, i64), LoggedEvent> =
            events.into_iter().map(|logged| ((logged.lane, logged.seq), logged)).collect();
        for item in &items {
            if let Some(logged) = events.get(&place(item)) {
                let catalog = in_force.of_event(logged.lane, &logged.event).clone();
                self.call(state.generation, item, logged.clone(), catalog, answering);
            }
        }
        Ok(())
    }

    /// Writes the answers that may be written. Returns whether there were any.
    pub(super) async fn write_answers(&self, state: &mut State) -> Result<bool, StoreError> {
        while let Ok(answer) = state.answers.try_recv() {
            state.take(answer);
        }
        let ready = state.aside.writable(WRITTEN);
        if ready.is_empty() {
            return Ok(false);
        }
        let mut items: HashMap<(Lane, i64), Item> = HashMap::new();
        let mut entries = Vec::with_capacity(ready.len());
        for (item, work) in ready {
            items.insert((item.lane, item.seq), item);
            entries.push(Entry::Decided(work));
        }
        let mut written = Written::default();
        self.write(state, entries, &mut written).await?;
        for place in &written.passed {
            if let Some(item) = items.remove(place) {
                state.aside.done(&item);
            }
        }
        for entry in std::mem::take(&mut written.left) {
            if let (Some(item), Entry::Decided(work)) = (items.remove(&entry.place()), entry) {
                state.aside.add_answered(item, work);
            }
        }
        (self.notified)(std::mem::take(&mut written.told));
        written.settle(state);
        Ok(true)
    }
}

/// Ids of the plugins called for events of a type in a lane, joined; empty if none is called.
pub(super) fn asked_by(in_force: &InForce, lane: Lane, kind: &str) -> String {
    let catalog = in_force.of(lane);
    if catalog.plugins.is_empty() {
        return String::new();
    }
    let ids = catalog.routes.plugins(kind).into_iter().collect::<Vec<_>>().join(" ");
    if ids.is_empty() { ids } else { of_release(in_force, lane, &ids) }
}

/// Ids of plugins, with the release if that decides for a share of the lanes: whatever its plugins do, those of the other
/// lanes do not wait for them.
fn of_release(in_force: &InForce, lane: Lane, ids: &str) -> String {
    match in_force.share() {
        Some((share, catalog)) if share.has(lane) => format!("{ids} ({})", catalog.release),
        _ => ids.to_owned(),
    }
}

/// The number of plugins, those of each release that decides.
pub(super) fn plugins(in_force: &InForce) -> usize {
    in_force.all().map(|catalog| catalog.plugins.len()).sum()
}

/// Decides events on one thread, until their decisions fill one transaction. If that panics, each is decided on its own,
/// so that only the one that panics fails.
pub(super) async fn decide_all(
    catalog: &Arc<Catalog>,
    events: Vec<LoggedEvent>,
    now: Timestamp,
    observed: &Observed,
) -> Vec<Work> {
    let events = Arc::new(events);
    let (of, with, seen) = (events.clone(), catalog.clone(), observed.clone());
    let all = blocking(move || {
        let ports = Measured::new(&with, now, &seen);
        let mut left = MOST_BYTES;
        let decided = |logged: &LoggedEvent| {
            let verdicts = (left > 0).then(|| verdicts(&with, logged, None, &ports))?;
            left = left.saturating_sub(weight(&verdicts));
            Some(verdicts)
        };
        of.iter().map_while(decided).collect::<Vec<_>>()
    });
    let verdicts = match all.await {
        Ok(verdicts) => verdicts,
        Err(_) => {
            let mut verdicts = Vec::with_capacity(events.len());
            for logged in events.iter() {
                verdicts.push(decided(catalog, logged.clone(), now, None, observed).await);
            }
            verdicts
        }
    };
    let work = |(logged, verdicts): (LoggedEvent, Vec<Verdict>)| {
        let catalog = catalog.clone();
        let trace = observed.tracer.continued(&logged.event, None);
        Work { logged, verdicts, catalog, origin: Origin::Log, trace, large: false }
    };
    Arc::unwrap_or_clone(events).into_iter().zip(verdicts).map(work).collect()
}

/// Decides one event on a thread that may block.
pub(super) async fn decided(
    catalog: &Arc<Catalog>,
    logged: LoggedEvent,
    now: Timestamp,
    again: Option<i16>,
    observed: &Observed,
) -> Vec<Verdict> {
    let (with, observed) = (catalog.clone(), observed.clone());
    let deciding =
        spawn_blocking(move || verdicts(&with, &logged, again, &Measured::new(&with, now, &observed)));
    deciding.await.unwrap_or_else(|error| {
        let outcome = Outcome::Failed(format!("cannot decide about the event: {error}"));
        vec![Verdict { rule: None, outcome, asked: [].into() }]
    })
}

/// Where it is recorded what was decided, and how long that took.
#[derive(Clone)]
pub(super) struct Observed {
    metrics: RoutingMetrics,
    tracer: Tracer,
}

impl Routing {
    pub(super) fn observed(&self) -> Observed {
        Observed { metrics: self.metrics.clone(), tracer: self.tracer.clone() }
    }
}

/// What rules may ask of this host, which takes note of how long they take.
struct Measured<'a> {
    ports: CatalogPorts<'a>,
    observed: &'a Observed,
    began: Instant,
    /// How long the rules took that decided about the event at hand.
    took: Mutex<Vec<(RuleRef, Duration)>>,
}

impl<'a> Measured<'a> {
    fn new(catalog: &'a Catalog, now: Timestamp, observed: &'a Observed) -> Measured<'a> {
        let ports = CatalogPorts { catalog, now };
        Measured { ports, observed, began: Instant::now(), took: Mutex::default() }
    }

    fn decided(&self, logged: &LoggedEvent, again: Option<i16>, began: Instant, verdicts: &[Verdict]) {
        let rules = std::mem::take(&mut *self.took.lock().unwrap_or_else(PoisonError::into_inner));
        let since = SignedDuration::try_from(began.duration_since(self.began)).unwrap_or_default();
        self.observed.tracer.decided(&Decided {
            event: &logged.event,
            again,
            from: self.ports.now.checked_add(since).unwrap_or(self.ports.now),
            took: began.elapsed(),
            rules: &rules,
            verdicts,
        });
    }
}

impl Ports for Measured<'_> {
    fn now(&self) -> Timestamp {
        self.ports.now()
    }

    fn config(&self, folder: &str, key: &str) -> Option<Value> {
        self.ports.config(folder, key)
    }

    fn took(&self, rule: &RuleRef, took: Duration) {
        self.observed.metrics.decided_in(rule.engine.as_str(), took);
        if self.observed.tracer.is_on() {
            self.took.lock().unwrap_or_else(PoisonError::into_inner).push((rule.clone(), took));
        }
    }
}

fn verdicts(
    catalog: &Catalog,
    logged: &LoggedEvent,
    again: Option<i16>,
    ports: &Measured<'_>,
) -> Vec<Verdict> {
    let began = Instant::now();
    let verdicts = match &logged.unreadable {
        None => decide(&catalog.routes, &logged.event, ports),
        Some(why) => {
            let outcome = Outcome::Failed(format!("this version cannot read the event: {why}"));
            vec![Verdict { rule: None, outcome, asked: [].into() }]
        }
    };
    if ports.observed.tracer.is_on() {
        ports.decided(logged, again, began, &verdicts);
    }
    verdicts
}

/// Keeps only the verdicts of the plugin for which the event is re-run.
fn only_of(catalog: &Catalog, row: &ParkedRow, mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let Some(plugin) = catalog.plugins.get(&row.plugin) else { return verdicts };
    let file = plugin.manifest().place.file.clone();
    verdicts.retain(|verdict| verdict.rule.as_ref().is_some_and(|rule| rule.file.as_str() == file.as_ref()));
    verdicts
}
