//! A plugin over time: its revision, how often it failed in a row, what it has used.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{bindings::PluginPre, host::CallState, manifest::Manifest, sandbox::Sandbox};

/// After so many failures in a row a plugin is parked.
const FAILURES: u64 = 5;

/// A manifest with its component, linked.
pub struct Revision {
    pub manifest: Arc<Manifest>,
    pub linked: PluginPre<CallState>,
    /// SHA-256 of the component.
    pub sha256: [u8; 32],
    imports: Vec<String>,
    cost: AtomicU64,
    counts: Arc<Counters>,
    failures: AtomicU64,
    /// How it failed last.
    why: Mutex<String>,
}

impl Revision {
    pub fn new(
        manifest: Manifest,
        linked: PluginPre<CallState>,
        imports: Vec<String>,
        bytes: &[u8],
    ) -> Arc<Revision> {
        let counts = counters(&manifest.id);
        Arc::new(Revision {
            manifest: Arc::new(manifest),
            linked,
            sha256: Sha256::digest(bytes).into(),
            imports,
            cost: AtomicU64::new(0),
            counts,
            failures: AtomicU64::new(0),
            why: Mutex::default(),
        })
    }
}

/// A plugin that can be called. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(super) sandbox: Sandbox,
    revision: Arc<Revision>,
}

/// What a plugin has used since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Running time of all calls, in microseconds.
    pub microseconds: u64,
    /// The most memory that a call had, in bytes.
    pub most_memory: u64,
    /// Whether it is parked: it failed several times in a row, and is not called.
    pub parked: bool,
}

/// A revision of a plugin that is not called any more, because it failed several times in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The plugin's id.
    pub plugin: String,
    /// The revision's version.
    pub version: String,
    /// The first 12 hexadecimal digits of the component's SHA-256.
    pub revision: String,
    /// The version that is called in its place, where there is one.
    pub resumed: Option<String>,
    /// How it failed last.
    pub reason: String,
}

#[derive(Default)]
struct Counters {
    calls: AtomicU64,
    failures: AtomicU64,
    microseconds: AtomicU64,
    most_memory: AtomicU64,
}

/// By the plugin's id: they outlive its revisions.
static COUNTERS: LazyLock<Mutex<HashMap<String, Arc<Counters>>>> = LazyLock::new(Mutex::default);
/// By the plugin's id: the last two revisions that answered, the newer one first.
static GOOD: LazyLock<Mutex<HashMap<String, Vec<Arc<Revision>>>>> = LazyLock::new(Mutex::default);
const KEPT: usize = 2;

fn counters(id: &str) -> Arc<Counters> {
    COUNTERS.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()).or_default().clone()
}

impl Plugin {
    pub(super) fn new(sandbox: Sandbox, revision: Arc<Revision>) -> Plugin {
        Plugin { sandbox, revision }
    }

    /// What its manifest says.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.revision.manifest
    }

    /// What it has used.
    pub fn counts(&self) -> Counts {
        let counts = &self.revision.counts;
        Counts {
            calls: counts.calls.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            microseconds: counts.microseconds.load(Ordering::Relaxed),
            most_memory: counts.most_memory.load(Ordering::Relaxed),
            parked: self.active().is_none(),
        }
    }

    /// The revision to call: the newest, or, while that is parked, the last good one.
    pub(super) fn active(&self) -> Option<Arc<Revision>> {
        if self.revision.failures.load(Ordering::Relaxed) < FAILURES {
            return Some(self.revision.clone());
        }
        let good = GOOD.lock().unwrap_or_else(PoisonError::into_inner);
        let works = |good: &&Arc<Revision>| {
            good.sha256 != self.revision.sha256 && good.failures.load(Ordering::Relaxed) < FAILURES
        };
        good.get(&self.revision.manifest.id)?.iter().find(works).cloned()
    }

    /// What there is to tell where the newest revision is parked.
    pub fn parked(&self) -> Option<Parked> {
        if self.revision.failures.load(Ordering::Relaxed) < FAILURES {
            return None;
        }
        let manifest = &self.revision.manifest;
        Some(Parked {
            plugin: manifest.id.clone(),
            version: manifest.version.to_string(),
            revision: hex::encode(&self.revision.sha256[..6]),
            resumed: self.active().map(|active| active.manifest.version.to_string()),
            reason: self.revision.why.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        })
    }

    /// What its component imports.
    pub fn imports(&self) -> &[String] {
        &self.revision.imports
    }

    /// How many instructions the last call took, where the sandbox counts them.
    pub fn last_cost(&self) -> u64 {
        self.revision.cost.load(Ordering::Relaxed)
    }

    pub(super) fn cost(&self, instructions: u64) {
        self.revision.cost.store(instructions, Ordering::Relaxed);
    }

    /// Lets a parked plugin be called again.
    pub fn resume(&self) {
        self.revision.failures.store(0, Ordering::Relaxed);
    }

    /// Counts a call.
    pub(super) fn called(
        &self,
        revision: &Arc<Revision>,
        took: Duration,
        memory: usize,
        failed: Option<&str>,
    ) {
        let counts = &revision.counts;
        counts.calls.fetch_add(1, Ordering::Relaxed);
        counts.microseconds.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
        counts.most_memory.fetch_max(memory as u64, Ordering::Relaxed);
        let Manifest { id, version, .. } = &*revision.manifest;
        match failed {
            None => {
                revision.failures.store(0, Ordering::Relaxed);
                let mut good = GOOD.lock().unwrap_or_else(PoisonError::into_inner);
                let good = good.entry(id.clone()).or_default();
                if good.first().is_none_or(|newest| !Arc::ptr_eq(newest, revision)) {
                    good.retain(|known| known.sha256 != revision.sha256);
                    good.insert(0, revision.clone());
                    good.truncate(KEPT);
                }
            }
            Some(why) => {
                counts.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(plugin = id, version, why, "a plugin failed");
                why.clone_into(&mut revision.why.lock().unwrap_or_else(PoisonError::into_inner));
                if revision.failures.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES {
                    tracing::error!(
                        plugin = id,
                        version,
                        why,
                        "a plugin failed {FAILURES} times in a row, and is parked"
                    );
                }
            }
        }
    }
}
