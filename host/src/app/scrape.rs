//! What a scrape shows beside the counters: the state of this host, and what waits in its lanes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookswitch_core::{
    catalog::Live,
    domain::{Lane, Mode, Priority, Track, WaitReason},
    plan::{InUse, Template},
};
use jiff::Timestamp;
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout},
};

use crate::{
    lanes::Leases,
    metrics::{Backlog, Metrics, OfAll, PluginUse, State},
    operate::Setup,
    store::{Store, StoreError},
    templates::TemplateStates,
};

/// What waits is read at most this often, however many ask.
const EVERY: Duration = Duration::from_secs(15);
/// How long a scrape waits for PostgreSQL; Prometheus gives up after 10 s.
const PATIENCE: Duration = Duration::from_secs(5);
/// Number of rows of each lane that are counted.
const COUNTED: i64 = 1_000;
/// Number of messages of each track among which the oldest is searched.
const SEARCHED: i64 = 20;
/// The host that holds this lane reports what does not belong to one lane.
const FIRST: Lane = Lane(0);

/// Reads what a scrape shows.
pub(super) struct Scrape {
    /// The counters.
    pub(super) metrics: Metrics,
    /// The connections of what is asked over HTTP: incoming events and the work have others.
    pub(super) store: Store,
    pub(super) leases: watch::Receiver<Leases>,
    pub(super) catalog: Arc<Live>,
    pub(super) in_use: Arc<ArcSwap<InUse>>,
    /// Whether templates are compared with those at Meta.
    pub(super) knows_templates: bool,
    pub(super) daily_limit: watch::Receiver<Option<u32>>,
    pub(super) template_states: TemplateStates,
    /// What the check found.
    pub(super) setup: Arc<Setup>,
    /// The connections to PostgreSQL, by what they are for.
    pub(super) shares: [(&'static str, Store); 4],
    /// What was read last.
    pub(super) last: Mutex<Option<(Instant, Option<Backlog>)>>,
}

impl Scrape {
    /// The metrics in the OpenMetrics text format.
    pub(super) async fn text(&self) -> Result<String, std::fmt::Error> {
        let backlog = self.backlog().await;
        self.metrics.text(self.state(), backlog)
    }

    fn state(&self) -> State {
        let catalog = self.catalog.current();
        let in_use = self.in_use.load();
        let templates = catalog.templates.names().into_iter().filter_map(|name| {
            let variants = catalog.templates.variants(name);
            let is_sent_as_template = variants.first()?.mode != Mode::Text;
            let is_usable = |it: &Template| in_use.current(name, &it.language).is_some();
            let usable = !self.knows_templates || variants.iter().all(is_usable);
            is_sent_as_template.then(|| (name.to_owned(), usable))
        });
        let in_force = self.catalog.in_force();
        let mut plugins: BTreeMap<&String, PluginUse> = BTreeMap::new();
        for (id, plugin) in in_force.all().flat_map(|catalog| &catalog.plugins) {
            let counts = plugin.counts();
            // What a plugin of two releases has used is counted together.
            let used = plugins.entry(id).or_insert_with(|| PluginUse {
                id: id.clone(),
                calls: counts.calls,
                failures: counts.failures,
                seconds: Duration::from_micros(counts.microseconds).as_secs_f64(),
                is_parked: false,
            });
            used.is_parked |= counts.parked;
        }
        let held = self.leases.borrow();
        State {
            release: catalog.release.clone(),
            is_loaded: !self.catalog.has_errors(),
            loaded_at: self.catalog.since().as_duration().as_secs_f64(),
            lanes: if held.are_ours(Instant::now()) { held.lanes.len() } else { 0 },
            daily_limit: *self.daily_limit.borrow(),
            templates: templates.collect(),
            plugins: plugins.into_values().collect(),
            template_states: self.template_states.load().to_vec(),
            connections: self.shares.iter().map(|(share, store)| store.connections(share)).collect(),
        }
    }

    /// What waits, as of at most 15 s ago; `None` while PostgreSQL does not answer.
    async fn backlog(&self) -> Option<Backlog> {
        // Who asks meanwhile waits for the same answer.
        let mut last = self.last.lock().await;
        if let Some((read_at, backlog)) = &*last
            && read_at.elapsed() < EVERY
        {
            return backlog.clone();
        }
        let read = timeout(PATIENCE, self.read()).await;
        let backlog = match read {
            Ok(Ok(backlog)) => Some(backlog),
            Ok(Err(error)) => {
                tracing::debug!(%error, "failed to read what waits for the metrics");
                None
            }
            Err(_) => None,
        };
        if backlog.is_none() {
            self.metrics.read_failed();
        }
        *last = Some((Instant::now(), backlog.clone()));
        backlog
    }

    async fn read(&self) -> Result<Backlog, StoreError> {
        let lanes: Vec<Lane> = self.leases.borrow().lanes.keys().copied().collect();
        let tracks: Vec<Track> =
            lanes.iter().flat_map(|lane| Priority::ALL.map(|priority| Track::new(*lane, priority))).collect();
        let now = self.store.now();
        let age = |since: Timestamp| now.duration_since(since).as_secs_f64().max(0.0);
        let events = self.store.events_waiting(&lanes, COUNTED).await?;
        let waiting = self.store.messages_waiting(&tracks, COUNTED).await?;
        let oldest = self.store.oldest_messages(&tracks, SEARCHED, now).await?;
        let all = match lanes.contains(&FIRST) {
            true => Some(self.read_all(now).await?),
            false => None,
        };
        let of = |reason: &str| waiting.get(reason).map_or(0, |counted| counted.count);
        let reasons = WaitReason::ALL.map(WaitReason::as_str);
        Ok(Backlog {
            events: events.count,
            events_oldest: events.oldest.map_or(0.0, age),
            messages: reasons.into_iter().chain(["queued"]).map(|reason| (reason, of(reason))).collect(),
            messages_oldest: Priority::ALL
                .map(|priority| (priority.as_str(), oldest.get(&priority).copied().map_or(0.0, age)))
                .to_vec(),
            unknown: of(WaitReason::Unknown.as_str()) + of(WaitReason::Hold.as_str()),
            all,
        })
    }

    /// What one host reports for all.
    async fn read_all(&self, now: Timestamp) -> Result<OfAll, StoreError> {
        let live = self.catalog.in_force();
        let plugins = live.all().flat_map(|catalog| catalog.plugins.keys());
        let mut parked: BTreeMap<String, i64> = plugins.map(|id| (id.clone(), 0)).collect();
        parked.extend(self.store.parked().await?.into_iter().map(|facts| (facts.plugin, facts.count)));
        let oldest = self.store.oldest_transaction().await?;
        Ok(OfAll {
            failed: self.store.old_failures(now).await?.count,
            parked: parked.into_iter().collect(),
            oldest_transaction: oldest.map_or(0.0, |began| now.duration_since(began).as_secs_f64().max(0.0)),
            supervised: self.setup.supervised(),
        })
    }
}
