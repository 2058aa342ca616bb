//! Carries a shadow on: follows the events that are decided, from behind.

use std::{sync::Arc, time::Duration};

use hookswitch_core::{catalog::Catalog, domain::uuid_at};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    limits::{Counts, stops},
    report::{KEPT, numbers},
};
use crate::{
    operate::{
        ActivationError, Checker, NewChecker, Operate, ReplayError,
        replay::{BYTES, Cost, EventDifference, Found, HELD, Replayer, lingers},
    },
    releases::short,
    store::{PastEvent, PastPage, ShadowEnd, ShadowProgress, ShadowTask, Store, StoreError},
};

/// How often a host looks for a shadow that no host is at.
const LOOK: Duration = Duration::from_secs(10);
/// How long to wait for further events.
const PAUSE: Duration = Duration::from_millis(500);
/// How long to wait after a failure that may pass; another host may take it at once.
const AGAIN: Duration = Duration::from_secs(5);
/// Events of a lane that are looked at at a time.
const EACH: i64 = 8;
/// How long after its time a shadow may still look at events of that time.
const LATE: SignedDuration = SignedDuration::from_secs(60);
/// How often hosts may take a shadow without getting any further: they may have ended because of it.
const TAKES: i16 = 3;

/// A shadow that this host is at.
struct Follower {
    store: Store,
    replayer: Replayer,
    task: ShadowTask,
    found: Found,
    runner: Uuid,
}

/// Why a host is no longer at a shadow.
enum Left {
    /// It is to end.
    Ended(ShadowEnd, Option<String>),
    /// It has ended, or another host is at it.
    Taken,
    /// This host stops.
    Stopped,
}

/// Carries on the shadow that is under way and that no host is at, until `stop`. `woken` says that one was started.
pub async fn run_shadows(
    operate: Operate,
    checker: NewChecker,
    host: String,
    woken: Arc<Notify>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let runner = uuid_at(Timestamp::now());
        match operate.store.take_shadow(runner, HELD).await {
            Ok(Some(task)) => {
                let done = tokio::select! {
                    done = carry_on(&operate, task, (runner, &host), &checker, &stop) => done,
                    () = lingers(&stop) => return,
                };
                if let Err(error) = done {
                    tracing::warn!(%error, "failed to carry on a shadow; trying again");
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "failed to look for a shadow; trying again"),
        }
        tokio::select! {
            _ = timeout(LOOK, woken.notified()) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn carry_on(
    operate: &Operate,
    task: ShadowTask,
    (runner, host): (Uuid, &str),
    checker: &NewChecker,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let id = task.id;
    if task.takes > TAKES {
        let why = format!("{TAKES} hosts ended while they were at it");
        operate.store.end_shadow(id, ShadowEnd::Error, Some(&why), None).await?;
        return Ok(());
    }
    let left = tokio::select! {
        left = follow(operate, task, runner, checker, stop) => left,
        () = keep(&operate.store, id, runner) => Ok(Left::Taken),
    };
    match left {
        Ok(Left::Taken) => {}
        Ok(Left::Stopped) => operate.store.release_shadow(id, runner, None, Duration::ZERO).await?,
        Ok(Left::Ended(by, why)) => {
            if operate.store.end_shadow(id, by, why.as_deref(), None).await? {
                tracing::info!(shadow = id, by = by.as_str(), why, "a shadow has ended");
            }
        }
        Err(error) => {
            let why = format!("host {host}: {error}");
            tracing::warn!(shadow = id, %error, "failed to carry on a shadow");
            if error.may_pass() {
                operate.store.release_shadow(id, runner, Some(&why), AGAIN).await?;
            } else {
                operate.store.end_shadow(id, ShadowEnd::Error, Some(&why), None).await?;
            }
        }
    }
    Ok(())
}

/// Says again and again that this host is at a shadow, until it is not: a page, or loading the rules, may take long.
async fn keep(store: &Store, id: i64, runner: Uuid) {
    loop {
        sleep(HELD / 3).await;
        // Where PostgreSQL does not answer, the next page says so.
        if matches!(store.hold_shadow(id, runner, HELD).await, Ok(false)) {
            return;
        }
    }
}

async fn follow(
    operate: &Operate,
    task: ShadowTask,
    runner: Uuid,
    checker: &NewChecker,
    stop: &CancellationToken,
) -> Result<Left, ReplayError> {
    let checker = checker().map_err(ReplayError::Threads)?;
    // Both are loaded here, beside what decides: in a sandbox of their own, without any network.
    let tried = Arc::new(loaded(operate, &task.release, &checker).await?);
    let live = match task.live == task.release {
        true => tried.clone(),
        false => Arc::new(loaded(operate, &task.live, &checker).await?),
    };
    let store = operate.store.share(1)?;
    let replayer = Replayer::new(store.clone(), checker.cache, tried, None, 1)?.beside(live);
    let micros = |micros: i64| Duration::from_micros(micros.unsigned_abs());
    let mut found = Found::read(&task.found)?;
    found.cost = Cost { live: micros(task.micros.0), tried: micros(task.micros.1) };
    Follower { store, replayer, task, found, runner }.run(stop).await
}

async fn loaded(operate: &Operate, id: &str, checker: &Checker) -> Result<Catalog, ActivationError> {
    operate.checked(id, checker).await
}

impl Follower {
    async fn run(mut self, stop: &CancellationToken) -> Result<Left, ReplayError> {
        loop {
            if stop.is_cancelled() {
                return Ok(Left::Stopped);
            }
            if self.store.last_activation().await? != self.task.activation {
                return Ok(Left::Ended(ShadowEnd::Activation, None));
            }
            let mut places = self.task.places.clone();
            let page = self.store.decided_events(&mut places, self.task.until, EACH, BYTES).await?;
            let (is_empty, now) = (page.events.is_empty(), self.store.now());
            if !is_empty {
                let differences = self.look_at(page).await?;
                self.task.places = places;
                if !self.save(&differences).await? {
                    return Ok(Left::Taken);
                }
                if let Some((end, why)) = stops(&self.counts()) {
                    return Ok(Left::Ended(end, Some(why)));
                }
            }
            let is_over = now >= self.task.until;
            if is_over && (is_empty || now.duration_since(self.task.until) > LATE) {
                return Ok(Left::Ended(ShadowEnd::Time, None));
            }
            if is_empty {
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    /// Compares the events of a page that the live release decided.
    async fn look_at(&mut self, mut page: PastPage) -> Result<Vec<EventDifference>, ReplayError> {
        let live = short(&self.task.live).to_owned();
        let all = page.events.len();
        page.events.retain(|event| event.decisions.is_empty() || is_by(event, &live));
        let others = all.saturating_sub(page.events.len()) as u64;
        let totals = &mut self.found.report.totals;
        totals.events += others;
        totals.not_compared.other_release += others;
        self.replayer.look_at(page, &mut self.found).await
    }

    async fn save(&mut self, differences: &[EventDifference]) -> Result<bool, StoreError> {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let (lanes, seqs): (Vec<i16>, Vec<i64>) = differences.iter().map(|of| of.place).unzip();
        let words: Vec<String> =
            differences.iter().map(|of| serde_json::to_string(of).unwrap_or_default()).collect();
        let progress = ShadowProgress {
            places: &self.task.places,
            found: &self.found.state()?,
            micros: (micros(self.found.cost.live), micros(self.found.cost.tried)),
            differences: (&lanes, &seqs, &words),
        };
        self.store.save_shadow(self.task.id, self.runner, &progress, KEPT, HELD).await
    }

    fn counts(&self) -> Counts {
        let (compared, _, failures) = numbers(&self.found.report.totals);
        Counts { compared, failures, cost: self.found.cost }
    }
}

/// Whether a release made a decision of the last run about an event.
fn is_by(event: &PastEvent, release: &str) -> bool {
    let run = event.decisions.iter().map(|of| of.run).max();
    event.decisions.iter().any(|of| Some(of.run) == run && of.release == release)
}
