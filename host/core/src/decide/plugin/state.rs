//! The state of a plugin: its revisions, its failures in a row, and what it has used.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::component::Component;

use super::{
    CALLS,
    bindings::PluginPre,
    host::CallState,
    lines::{Lines, LogLine},
    manifest::Manifest,
    sandbox::Sandbox,
    words::cut,
};

/// Number of calls broken in a row after which a plugin is parked.
const FAILURES: u64 = 5;
/// Interval at which a parked plugin is given one event, to see whether it works again.
const PROBE_EVERY: Duration = Duration::from_secs(60);
/// Maximum number of calls of one plugin at once.
const SHARE: usize = CALLS / 4;
/// Number of good revisions that are kept: those of two releases that decide, and one before them.
const KEPT: usize = 3;
/// Counts the revisions that this process has loaded.
static LOADED: AtomicU64 = AtomicU64::new(0);

/// A manifest with its component, linked if possible.
pub struct Revision {
    pub manifest: Arc<Manifest>,
    pub linked: Result<Linked, Held>,
    /// SHA-256 of the component.
    pub sha256: [u8; 32],
    cost: AtomicU64,
    /// Why it is not called though it could be.
    left_out: OnceLock<Held>,
    health: Arc<Health>,
    /// Its place among the revisions of this process: a smaller one was loaded earlier.
    loaded: u64,
}

/// How a component with its manifest fares: shared by all revisions that are the same, so that a reload for another
/// reason changes nothing of it.
struct Health {
    failures: AtomicU64,
    fault: Mutex<Fault>,
    /// Its share of the pool: while two releases decide, the calls of the one's plugin do not wait for the other's.
    share: Arc<Semaphore>,
}

impl Default for Health {
    fn default() -> Self {
        Health {
            failures: AtomicU64::new(0),
            fault: Mutex::default(),
            share: Arc::new(Semaphore::new(SHARE)),
        }
    }
}

/// A component that can be instantiated.
pub struct Linked {
    pub pre: PluginPre<CallState>,
    pub imports: Vec<String>,
    /// Kept so that the same bytes are not compiled again.
    pub(super) _component: Arc<Component>,
}

/// Why a revision cannot be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is being compiled.
    Compiling,
    /// It cannot be compiled, for this reason.
    Refused(String),
    /// Its own cases fail, in words.
    CasesFail(String),
}

/// The last failure of a revision.
#[derive(Default)]
struct Fault {
    why: String,
    /// When it was parked or last tried.
    tried: Option<Instant>,
}

/// How a revision fares; its component and manifest tell which one it is.
struct Fares {
    sha256: [u8; 32],
    manifest: Arc<Manifest>,
    health: Arc<Health>,
}

/// State of a plugin that outlives its revisions.
#[derive(Default)]
pub(super) struct Known {
    counts: Counters,
    /// What it logged last.
    pub lines: Lines,
    /// The last good revisions, the one called last first.
    good: Mutex<Vec<Arc<Revision>>>,
    /// How the last few revisions fare, the newest first.
    healths: Mutex<Vec<Fares>>,
    /// That an operator has stopped it.
    stopped: Mutex<Option<Stopped>>,
}

impl Known {
    /// The health of a revision: that of an earlier one that is the same, where there is one.
    fn health(&self, revision: &Revision) -> Arc<Health> {
        let mut healths = self.healths.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same =
            |known: &Fares| known.sha256 == revision.sha256 && *known.manifest == *revision.manifest;
        let fares = match healths.iter().position(is_same) {
            Some(place) => healths.remove(place),
            None => Fares {
                sha256: revision.sha256,
                manifest: Arc::clone(&revision.manifest),
                health: Arc::clone(&revision.health),
            },
        };
        let health = Arc::clone(&fares.health);
        healths.insert(0, fares);
        healths.truncate(KEPT);
        health
    }
}

impl Revision {
    pub fn new(manifest: Manifest, linked: Result<Linked, Held>, bytes: &[u8]) -> Revision {
        Revision {
            manifest: Arc::new(manifest),
            linked,
            sha256: Sha256::digest(bytes).into(),
            cost: AtomicU64::new(0),
            left_out: OnceLock::new(),
            health: Arc::default(),
            loaded: LOADED.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Its share of the pool.
    pub fn share(&self) -> &Arc<Semaphore> {
        &self.health.share
    }

    /// Why it cannot be called, where that is so.
    fn held(&self) -> Option<&Held> {
        self.linked.as_ref().err().or_else(|| self.left_out.get())
    }

    fn works(&self) -> bool {
        self.held().is_none() && self.health.failures.load(Ordering::Relaxed) < FAILURES
    }

    fn fault(&self) -> MutexGuard<'_, Fault> {
        self.health.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a parked revision is due to be tried.
    fn may_be_tried(&self) -> bool {
        let mut fault = self.fault();
        let due = self.held().is_none() && fault.tried.is_none_or(|tried| tried.elapsed() >= PROBE_EVERY);
        if due {
            fault.tried = Some(Instant::now());
        }
        due
    }
}

/// A plugin that can be called. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(super) sandbox: Sandbox,
    pub(super) known: Arc<Known>,
    revision: Arc<Revision>,
}

/// Usage of a plugin since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// Number of calls.
    pub calls: u64,
    /// Number of failed calls.
    pub failures: u64,
    /// Total running time, in microseconds.
    pub microseconds: u64,
    /// Maximum memory of a call, in bytes.
    pub most_memory: u64,
    /// Whether it is parked: it failed 5 times in a row and is not called.
    pub parked: bool,
}

/// That an operator has stopped a plugin: it is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Who did it and why, in words.
    pub why: String,
    /// Whether its events are skipped; otherwise they wait.
    pub is_dropped: bool,
}

/// A parked revision of a plugin: it failed 5 times in a row and is no longer called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Id of the plugin.
    pub plugin: String,
    /// Version of the revision.
    pub version: String,
    /// First 12 hexadecimal digits of the component's SHA-256.
    pub revision: String,
    /// Version that is called instead, if any.
    pub resumed: Option<String>,
    /// Message of its last failure.
    pub reason: String,
}

#[derive(Default)]
struct Counters {
    calls: AtomicU64,
    failures: AtomicU64,
    microseconds: AtomicU64,
    most_memory: AtomicU64,
}

impl Plugin {
    pub(super) fn new(sandbox: Sandbox, revision: Revision) -> Plugin {
        let known = sandbox.known(&revision.manifest.id);
        let revision = Arc::new(Revision { health: known.health(&revision), ..revision });
        Plugin { sandbox, known, revision }
    }

    /// Has its newest revision left out, because its own cases fail.
    pub fn leave_out(&self, why: &str) {
        // It is left out once; the first reason stays.
        let _ = self.revision.left_out.set(Held::CasesFail(cut(why, 1_000)));
    }

    /// Why its newest revision cannot be called, if so.
    pub fn held(&self) -> Option<&Held> {
        self.revision.held()
    }

    /// Whether its newest revision is left out because its own cases fail.
    pub fn is_left_out(&self) -> bool {
        self.revision.left_out.get().is_some()
    }

    /// Whether it has the same component and manifest.
    pub fn is_same_as(&self, other: &Plugin) -> bool {
        let of = |plugin: &Plugin| (plugin.revision.sha256, plugin.revision.manifest.clone());
        of(self) == of(other)
    }

    /// Manifest of its newest revision.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.revision.manifest
    }

    /// Usage since the process started.
    pub fn counts(&self) -> Counts {
        let counts = &self.known.counts;
        Counts {
            calls: counts.calls.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            microseconds: counts.microseconds.load(Ordering::Relaxed),
            most_memory: counts.most_memory.load(Ordering::Relaxed),
            parked: !self.revision.works() && self.good().is_none(),
        }
    }

    /// The last lines that it logged in this process, the oldest first.
    pub fn last_lines(&self) -> Vec<LogLine> {
        self.known.lines.read()
    }

    /// The revision to call: the newest or, while that is parked, the last good one. If there is none, the newest gets one
    /// event per minute, to see whether it works again.
    pub(super) fn active(&self) -> Option<Arc<Revision>> {
        if self.revision.works() {
            return Some(self.revision.clone());
        }
        self.good().or_else(|| self.revision.may_be_tried().then(|| self.revision.clone()))
    }

    /// The newest revision.
    pub(super) fn newest(&self) -> Arc<Revision> {
        self.revision.clone()
    }

    /// The last good revision that was loaded before this one: never that of a release which decides beside it, for a share
    /// of the lanes.
    fn good(&self) -> Option<Arc<Revision>> {
        let good = self.known.good.lock().unwrap_or_else(PoisonError::into_inner);
        let is_earlier =
            |good: &&Arc<Revision>| good.sha256 != self.revision.sha256 && good.loaded < self.revision.loaded;
        good.iter().filter(is_earlier).find(|good| good.works()).cloned()
    }

    /// Why no revision is called.
    pub(super) fn why_not_called(&self) -> String {
        let id = &self.manifest().id;
        match self.held() {
            Some(Held::Compiling) => format!("the plugin {id} is being compiled"),
            Some(Held::Refused(why)) => format!("the plugin {id} cannot be compiled: {why}"),
            Some(Held::CasesFail(why)) => format!("the plugin {id} is left out, as its cases fail: {why}"),
            None => format!("the plugin {id} failed {FAILURES} times in a row and is parked"),
        }
    }

    /// The newest revision, if it is parked.
    pub fn parked(&self) -> Option<Parked> {
        let reason = match self.held() {
            Some(Held::Compiling) => return None,
            Some(Held::Refused(why)) => format!("cannot be compiled: {why}"),
            Some(Held::CasesFail(why)) => format!("its cases fail: {why}"),
            None if self.revision.works() => return None,
            None => self.revision.fault().why.clone(),
        };
        let manifest = &self.revision.manifest;
        Some(Parked {
            plugin: manifest.id.clone(),
            version: manifest.version.to_string(),
            revision: hex::encode(&self.revision.sha256[..6]),
            resumed: self.good().map(|good| good.manifest.version.to_string()),
            reason,
        })
    }

    /// Names of its component's imports.
    pub fn imports(&self) -> &[String] {
        self.revision.linked.as_ref().map_or(&[], |linked| &linked.imports)
    }

    /// Number of instructions of the last call; 0 unless the sandbox counts them.
    pub fn last_cost(&self) -> u64 {
        self.revision.cost.load(Ordering::Relaxed)
    }

    pub(super) fn cost(&self, instructions: u64) {
        self.revision.cost.store(instructions, Ordering::Relaxed);
    }

    /// Stops the plugin, or lets it be called again.
    pub fn stop(&self, stopped: Option<Stopped>) {
        *self.known.stopped.lock().unwrap_or_else(PoisonError::into_inner) = stopped;
    }

    /// That it is stopped, if it is.
    pub fn stopped(&self) -> Option<Stopped> {
        self.known.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the parking of the plugin.
    pub fn resume(&self) {
        self.revision.health.failures.store(0, Ordering::Relaxed);
    }

    /// Counts a call. A broken call counts towards parking the plugin. A failure that the plugin returned shows that it
    /// works: it is about the data of this event.
    pub(super) fn called(
        &self,
        revision: &Arc<Revision>,
        took: Duration,
        memory: usize,
        failed: Option<&Failure>,
    ) {
        let counts = &self.known.counts;
        counts.calls.fetch_add(1, Ordering::Relaxed);
        counts.microseconds.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
        counts.most_memory.fetch_max(memory as u64, Ordering::Relaxed);
        let Manifest { id, version, .. } = &*revision.manifest;
        if let Some(Failure::Answered(why) | Failure::Broke(why)) = failed {
            counts.failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(plugin = id, version, why, "a plugin failed");
        }
        match failed {
            None => {
                revision.health.failures.store(0, Ordering::Relaxed);
                let mut good = self.known.good.lock().unwrap_or_else(PoisonError::into_inner);
                if good.first().is_none_or(|newest| !Arc::ptr_eq(newest, revision)) {
                    good.retain(|known| known.sha256 != revision.sha256);
                    good.insert(0, revision.clone());
                    good.truncate(KEPT);
                }
            }
            Some(Failure::Answered(_)) => revision.health.failures.store(0, Ordering::Relaxed),
            Some(Failure::Broke(why)) => {
                let row = revision.health.failures.fetch_add(1, Ordering::Relaxed) + 1;
                let mut fault = revision.fault();
                fault.why = cut(why, 1_000);
                if row >= FAILURES {
                    fault.tried = Some(Instant::now());
                }
                drop(fault);
                if row == FAILURES {
                    tracing::error!(
                        plugin = id,
                        version,
                        why,
                        "a plugin failed {FAILURES} times in a row and is parked"
                    );
                }
            }
        }
    }
}

/// How a call failed, with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The plugin returned a failure.
    Answered(String),
    /// The plugin trapped, exceeded a limit, or returned an invalid answer.
    Broke(String),
}

impl Failure {
    pub fn into_words(self) -> String {
        match self {
            Failure::Answered(why) | Failure::Broke(why) => why,
        }
    }
}
