//! Makes a replay: page by page of the log, on threads that yield to others.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use hookswitch_core::{
    catalog::{self, Catalog},
    decide::plugin::Http,
    domain::uuid_at,
};
use jiff::Timestamp;
use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    comparer::{Comparer, Found},
    judge::{Base, Judge, same_templates},
    kept::{HELD, ReplayChoice, read},
    pace::{BYTES, Pace},
    people::Audience,
    report::ReplayTotals,
    weigh::EventDifference,
};
use crate::{
    operate::{ActivationError, Checker, NewChecker, Operate},
    releases::{Cache, short},
    store::{PastEvent, PastPage, ReplayTask, Store, StoreError},
};

/// How often it is stored how far a replay has come.
const SAVED: Duration = Duration::from_secs(1);
/// How often a host looks for replays that nobody is at.
const LOOK: Duration = Duration::from_secs(10);
/// Releases whose templates are kept in memory, at most.
const RELEASES: usize = 16;

/// Why a replay was not made, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The release that is to be tried.
    #[error(transparent)]
    Release(#[from] ActivationError),
    /// Somebody else is at it, or it was deleted.
    #[error("another process has taken this replay over, or it was deleted")]
    Taken,
    /// A thread could not be started, or ended early.
    #[error("cannot decide past events: {0}")]
    Threads(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReplayError {
    /// Whether it may work later, unchanged.
    pub(in crate::operate) fn may_pass(&self) -> bool {
        match self {
            ReplayError::Store(StoreError::Row(_) | StoreError::Statement(_)) | ReplayError::Threads(_) => {
                false
            }
            ReplayError::Store(_) | ReplayError::Taken => true,
            ReplayError::Release(error) => matches!(error, ActivationError::Release(_)),
        }
    }
}

/// The rules that are tried, and what it takes to try them.
pub struct Replayer {
    store: Store,
    cache: Cache,
    comparer: Comparer,
}

impl Replayer {
    /// Tries these rules on as many threads. Plugins ask services by `network` what they did not ask then.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(
        store: Store,
        cache: Cache,
        catalog: Arc<Catalog>,
        network: Option<Arc<dyn Http>>,
        threads: usize,
    ) -> Result<Replayer, ReplayError> {
        let comparer = Comparer::new(catalog, network, threads, Audience::of_database(store.clone()))?;
        Ok(Replayer { store, cache, comparer })
    }

    /// Compares what the rules cost with these, too.
    #[must_use]
    pub(in crate::operate) fn beside(mut self, live: Arc<Catalog>) -> Replayer {
        self.comparer = self.comparer.beside(live);
        self
    }

    /// Carries a replay on to its end, or until `stop`; returns whether it is at its end. `progress` is told the part of the
    /// log that was looked at, and the numbers.
    ///
    /// # Errors
    /// If the database cannot be reached, or another process has taken the replay over. It can be carried on from where it
    /// was stored last.
    pub async fn carry_on(
        &mut self,
        task: ReplayTask,
        runner: Uuid,
        stop: &CancellationToken,
        progress: &mut (dyn FnMut(f64, &ReplayTotals) + Send),
    ) -> Result<bool, ReplayError> {
        let (store, id) = (self.store.clone(), task.id);
        tokio::select! {
            done = self.look(task, runner, stop, progress) => done,
            () = keep(&store, id, runner) => Err(ReplayError::Taken),
        }
    }

    async fn look(
        &mut self,
        task: ReplayTask,
        runner: Uuid,
        stop: &CancellationToken,
        progress: &mut (dyn FnMut(f64, &ReplayTotals) + Send),
    ) -> Result<bool, ReplayError> {
        let (first, last, place) = task.places;
        let choice: ReplayChoice = read(&task.choice)?;
        let (filter, mut pace) = (choice.filter(), Pace::new());
        let mut at = Found::read(&task.found)?;
        at.prices = choice.prices;
        let (store, mut saved) = (self.store.patient(), Instant::now());
        let mut page = store.past_events(&filter, place, pace.end(place, last), BYTES).await?;
        loop {
            pace.saw(page.events.len(), page.bytes);
            let end = page.place;
            let next = async {
                if end >= last {
                    return Ok(PastPage::default());
                }
                store.past_events(&filter, end, pace.end(end, last), BYTES).await
            };
            // The next page is read meanwhile.
            let (next, looked) = tokio::join!(next, self.look_at(page, &mut at));
            looked?;
            let all = (last + 1 - first).max(1) as f64;
            progress(((end + 1 - first).max(0) as f64 / all).min(1.0), &at.report.totals);
            let is_done = end >= last;
            if is_done || stop.is_cancelled() || saved.elapsed() >= SAVED {
                saved = Instant::now();
                let found = at.state()?;
                if !self.store.save_replay(task.id, runner, end, &found, HELD).await? {
                    return Err(ReplayError::Taken);
                }
            }
            if is_done {
                self.store.end_replay(task.id, runner, None).await?;
                return Ok(true);
            }
            if stop.is_cancelled() {
                self.store.release_replay(task.id, runner).await?;
                return Ok(false);
            }
            page = next?;
        }
    }

    /// Decides the events of a page again, and compares them; returns those for which something differs.
    pub(in crate::operate) async fn look_at(
        &mut self,
        page: PastPage,
        at: &mut Found,
    ) -> Result<Vec<EventDifference>, ReplayError> {
        self.load_bases(&page.events).await?;
        let judged = self.comparer.judge_all(page.events, Judge::judge).await?;
        self.comparer.weigh(judged, at).await
    }

    /// Loads the templates of the releases that decided about these events.
    async fn load_bases(&mut self, events: &[PastEvent]) -> Result<(), ReplayError> {
        let releases: BTreeSet<&String> =
            events.iter().flat_map(|event| &event.decisions).map(|decision| &decision.release).collect();
        let bases = &mut self.comparer.bases;
        let new: Vec<&String> =
            releases.iter().copied().filter(|release| !bases.contains_key(*release)).collect();
        if !new.is_empty() && bases.len() + new.len() > RELEASES {
            bases.retain(|release, base| {
                matches!(**base, Base::Same | Base::Live { .. }) || releases.contains(release)
            });
        }
        for release in new {
            let base = self.base(release).await?;
            self.comparer.bases.insert(release.clone(), Arc::new(base));
        }
        Ok(())
    }

    async fn base(&self, release: &str) -> Result<Base, StoreError> {
        let found = self.store.find_releases(release).await?;
        let Some(stored) = found.first().filter(|stored| short(&stored.id) == release) else {
            return Ok(Base::Gone);
        };
        let folders = match self.cache.folders(&self.store, &stored.id, None).await {
            Ok(folders) => folders,
            Err(error) => {
                tracing::warn!(release, %error, "cannot read a release that decided past events");
                return Ok(Base::Gone);
            }
        };
        let tried = self.comparer.judge.catalog.clone();
        let loaded = spawn_blocking(move || {
            let templates = catalog::load_templates(&folders).ok()?;
            let same = same_templates(&templates, &tried.templates);
            Some(Base::Other { templates: Arc::new(templates), same })
        });
        Ok(loaded.await.ok().flatten().unwrap_or(Base::Gone))
    }
}

impl Operate {
    /// Rings when a replay is created here.
    pub fn replay_created(&self) -> Arc<Notify> {
        self.replay_created.clone()
    }

    /// Loads a release to try it, with its id.
    ///
    /// # Errors
    /// If it is unknown, or does not compile.
    pub async fn load_release(
        &self,
        digits: &str,
        checker: &Checker,
    ) -> Result<(String, Catalog), ActivationError> {
        let id = self.found(digits).await?.id;
        let catalog = self.checked(&id, checker).await?;
        Ok((id, catalog))
    }

    /// Takes a replay of a command that nobody is at, to carry it on.
    pub async fn take_replay(&self, id: i64) -> Result<Option<(ReplayTask, Uuid)>, StoreError> {
        let runner = uuid_at(Timestamp::now());
        Ok(self.store.take_replay(Some(id), runner, HELD).await?.map(|task| (task, runner)))
    }

    /// Gives back a replay that was taken.
    pub async fn give_back_replay(&self, id: i64, runner: Uuid) -> Result<(), StoreError> {
        self.store.release_replay(id, runner).await
    }

    /// The replay that this command has just created.
    pub async fn own_replay(&self, id: i64, runner: Uuid) -> Result<Option<ReplayTask>, StoreError> {
        self.store.own_replay(id, runner).await
    }

    /// A replayer of these rules, on the connections of this one.
    ///
    /// # Errors
    /// If its threads cannot be started.
    pub fn replayer(
        &self,
        cache: Cache,
        catalog: Arc<Catalog>,
        network: Option<Arc<dyn Http>>,
        threads: usize,
    ) -> Result<Replayer, ReplayError> {
        Replayer::new(self.store.clone(), cache, catalog, network, threads)
    }
}

/// Makes the replays that are asked for over HTTP, one at a time, until `stop`: at once where one is `created` here. What another
/// host began and did not end is carried on.
pub async fn run_replays(operate: Operate, checker: NewChecker, stop: CancellationToken) {
    let created = operate.replay_created();
    loop {
        tokio::select! {
            _ = timeout(LOOK, created.notified()) => {}
            () = stop.cancelled() => return,
        }
        while !stop.is_cancelled() {
            let runner = uuid_at(Timestamp::now());
            let task = match operate.store.take_replay(None, runner, HELD).await {
                Ok(Some(task)) => task,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "failed to look for replays; trying again");
                    break;
                }
            };
            let id = task.id;
            let made = tokio::select! {
                made = make(&operate, task, runner, &checker, &stop) => made,
                () = keep(&operate.store, id, runner) => Err(ReplayError::Taken),
                () = lingers(&stop) => return,
            };
            match made {
                Ok(_) | Err(ReplayError::Taken) => {}
                Err(error) if error.may_pass() => {
                    tracing::warn!(replay = id, %error, "failed to carry on a replay; trying again");
                    break;
                }
                Err(error) => {
                    tracing::warn!(replay = id, %error, "a replay failed");
                    if let Err(error) = operate.store.end_replay(id, runner, Some(&error.to_string())).await {
                        tracing::warn!(replay = id, %error, "failed to end a replay; trying again");
                    }
                }
            }
        }
    }
}

/// Says again and again that a replay is being made, until it belongs to somebody else: a page, or loading the rules, may take
/// long.
async fn keep(store: &Store, id: i64, runner: Uuid) {
    loop {
        sleep(HELD / 3).await;
        // Where PostgreSQL does not answer, the next page says so.
        if matches!(store.hold_replay(id, runner, HELD).await, Ok(false)) {
            return;
        }
    }
}

/// What does not stop by itself is left behind: another host carries it on.
pub(in crate::operate) async fn lingers(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(Duration::from_secs(2)).await;
}

async fn make(
    operate: &Operate,
    task: ReplayTask,
    runner: Uuid,
    checker: &NewChecker,
    stop: &CancellationToken,
) -> Result<bool, ReplayError> {
    let checker = checker().map_err(ReplayError::Threads)?;
    let catalog = operate.checked(&task.release, &checker).await?;
    let Checker { cache, .. } = checker;
    // One thread, and a connection of its own for as long as it takes: the others are for what the host does.
    let own = operate.store.share(1)?;
    let mut replayer = Replayer::new(own, cache, Arc::new(catalog), None, 1)?;
    replayer.carry_on(task, runner, stop, &mut |_, _| {}).await
}
