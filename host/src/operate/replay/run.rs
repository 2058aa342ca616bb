//! Makes a replay: page by page of the log, on threads that yield to others.

use std::{
    collections::BTreeSet,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use hookswitch_core::{
    catalog::{self, Catalog},
    decide::plugin::Http,
    domain::{Outcome, uuid_at},
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
    crew::Crew,
    judge::{Base, Bases, Cost, Judge, Judged, Unjudged, key_of, same_templates},
    kept::{HELD, ReplayChoice, read, state},
    keys::Keys,
    pace::{BYTES, Pace},
    people::Audience,
    prices::Price,
    report::{ReplayReport, ReplayTotals},
    weigh::{EventDifference, Weighed},
};
use crate::{
    operate::{ActivationError, Checker, NewChecker, Operate},
    releases::{Cache, short},
    store::{PastEvent, PastPage, ReplayState, ReplayTask, Store, StoreError},
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
    crew: Crew,
    judge: Judge,
    bases: Bases,
    audience: Audience,
}

/// What was found so far, and remembered.
#[derive(Default)]
pub(in crate::operate) struct Found {
    /// The report, with its numbers.
    pub report: ReplayReport,
    /// The deduplication keys in force.
    pub keys: Keys,
    /// What the rules cost, if that is compared.
    pub cost: Cost,
    /// Prices of messages.
    pub prices: Vec<Price>,
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
        let crew = Crew::new(threads).map_err(|error| ReplayError::Threads(error.to_string()))?;
        let bases = Bases::from([(catalog.release.clone(), Arc::new(Base::Same))]);
        let judge = Judge { catalog, network, live: None };
        Ok(Replayer { store, cache, crew, judge, bases, audience: Audience::default() })
    }

    /// Compares what the rules cost with these, too.
    #[must_use]
    pub(in crate::operate) fn beside(mut self, live: Arc<Catalog>) -> Replayer {
        if live.id != self.judge.catalog.id {
            let same = same_templates(&live.templates, &self.judge.catalog.templates);
            self.bases.insert(live.release.clone(), Arc::new(Base::Live { catalog: live.clone(), same }));
        }
        self.judge.live = Some(live);
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
        let mut judged = Vec::with_capacity(page.events.len());
        for result in self.judge_all(page.events).await? {
            at.report.totals.events += 1;
            match result {
                Ok(mut event) => {
                    at.cost += event.cost;
                    claim(&mut event, &mut at.keys);
                    judged.push(event);
                }
                Err(why) => not_compared(&mut at.report, why),
            }
        }
        let people = self.audience.of(&judged, &self.store, &mut at.report).await?;
        let works = self.shared(judged).into_iter().map(|judged| {
            let (catalog, bases, people) = (self.judge.catalog.clone(), self.bases.clone(), people.clone());
            self.crew.run(move || {
                let weigh = |event| Weighed::new(event, &catalog, &bases, &people);
                judged.into_iter().map(weigh).collect::<Vec<_>>()
            })
        });
        let mut differences = Vec::new();
        for weighed in join_all(works).await {
            for weighed in weighed.ok_or_else(panicked)? {
                match weighed {
                    Ok(weighed) => differences.extend(weighed.add_to(&mut at.report, &at.prices)),
                    Err(why) => not_compared(&mut at.report, why),
                }
            }
        }
        Ok(differences)
    }

    async fn judge_all(&self, events: Vec<PastEvent>) -> Result<Vec<Result<Judged, Unjudged>>, ReplayError> {
        let works = self.shared(events).into_iter().map(|events| {
            let (judge, bases) = (self.judge.clone(), self.bases.clone());
            self.crew.run(move || {
                let judge = |event| judge.judge(event, &bases);
                events.into_iter().map(judge).collect::<Vec<_>>()
            })
        });
        let mut all = Vec::new();
        for judged in join_all(works).await {
            all.extend(judged.ok_or_else(panicked)?);
        }
        Ok(all)
    }

    /// Parts work among the threads, in its order.
    fn shared<T>(&self, mut work: Vec<T>) -> Vec<Vec<T>> {
        let each = work.len().div_ceil(self.crew.size.max(1)).max(1);
        let mut shares = Vec::new();
        while work.len() > each {
            let rest = work.split_off(each);
            shares.push(mem::replace(&mut work, rest));
        }
        shares.push(work);
        shares
    }

    /// Loads the templates of the releases that decided about these events.
    async fn load_bases(&mut self, events: &[PastEvent]) -> Result<(), ReplayError> {
        let releases: BTreeSet<&String> =
            events.iter().flat_map(|event| &event.decisions).map(|decision| &decision.release).collect();
        let new: Vec<&String> =
            releases.iter().copied().filter(|release| !self.bases.contains_key(*release)).collect();
        if !new.is_empty() && self.bases.len() + new.len() > RELEASES {
            self.bases.retain(|release, base| {
                matches!(**base, Base::Same | Base::Live { .. }) || releases.contains(release)
            });
        }
        for release in new {
            let base = self.base(release).await?;
            self.bases.insert(release.clone(), Arc::new(base));
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
        let tried = self.judge.catalog.clone();
        let loaded = spawn_blocking(move || {
            let templates = catalog::load_templates(&folders).ok()?;
            let same = same_templates(&templates, &tried.templates);
            Some(Base::Other { templates: Arc::new(templates), same })
        });
        Ok(loaded.await.ok().flatten().unwrap_or(Base::Gone))
    }
}

impl Found {
    /// What was found until it was stored.
    pub fn read(stored: &ReplayState) -> Result<Found, StoreError> {
        let report = ReplayReport { totals: read(&stored.totals)?, ..read(&stored.report)? };
        Ok(Found { report, keys: read(&stored.memory)?, ..Found::default() })
    }

    /// What is to be stored.
    pub fn state(&mut self) -> Result<ReplayState, StoreError> {
        self.report.keys_forgotten |= self.keys.forgotten;
        state(&self.report, &self.keys)
    }
}

fn panicked() -> ReplayError {
    ReplayError::Threads("a rule or a template ended its thread".to_owned())
}

fn not_compared(report: &mut ReplayReport, why: Unjudged) {
    let counts = &mut report.totals.not_compared;
    match why {
        Unjudged::Unrouted => counts.unrouted += 1,
        Unjudged::AsksMore(question) => {
            counts.asks_more += 1;
            ReplayReport::name_in(&mut report.questions, &question);
        }
        Unjudged::ValuesGone => counts.values_gone += 1,
        Unjudged::ReleaseGone => counts.release_gone += 1,
        Unjudged::Harmful => counts.harmful += 1,
    }
}

/// Finds out which decisions are duplicates now: as then where the key was in use then, otherwise by the events before.
fn claim(event: &mut Judged, keys: &mut Keys) {
    let at = event.decided_at;
    let mut here: BTreeSet<(String, String)> = BTreeSet::new();
    for now in &mut event.now {
        let Some((template, key)) = key_of(&now.verdict) else { continue };
        let Outcome::Notify(decision) = &now.verdict.outcome else { continue };
        let name = (template.to_owned(), key.to_owned());
        if now.kept.is_none() {
            let was = || now.was_duplicate.unwrap_or_else(|| keys.hold(template, key, at));
            now.is_duplicate = here.contains(&name) || was();
        }
        if !now.is_duplicate {
            keys.claim(template, key, at, decision.dedupe_time());
            here.insert(name);
        }
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
