//! Compiles components: once, with a cache on disk, and shared while in use.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

use super::{
    compiler::{self, Failure, Mode},
    kept::{forget_old, is_ours, keep, temporary, used},
};

/// Maximum number of compilers at once.
const AT_ONCE: usize = 2;
/// Maximum time that a starting host waits for all plugins that are compiled for the first time.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// Maximum time that changed rules wait for a new plugin to be compiled before they go live without it.
const RELOAD_PATIENCE: Duration = Duration::from_secs(3);

type Hash = [u8; 32];

/// Why a component has not been compiled; with messages.
#[derive(Clone, Debug)]
pub(super) enum NotCompiled {
    /// It is not a valid component.
    Invalid(String),
    /// It cannot be compiled within its allowance.
    Refused(String),
    /// Something else failed; it may work another time.
    Failed(String),
    /// It is still being compiled.
    UnderWay,
}

/// Compiles components and caches the results. Cheap to clone.
#[derive(Clone)]
pub(super) struct Compiling(Arc<Inner>);

struct Inner {
    engine: Engine,
    mode: Mode,
    /// Cache folder of compiled code.
    cache: Option<PathBuf>,
    started: Instant,
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Default)]
struct Known {
    /// Components of current revisions: changed rules do not compile plugins again.
    in_use: HashMap<Hash, Weak<Component>>,
    jobs: HashMap<Hash, Job>,
    running: usize,
    host: Option<Arc<dyn Fn() + Send + Sync>>,
    waits_not: bool,
    finished_late: bool,
}

enum Job {
    /// `told`: whether a caller received [`NotCompiled::UnderWay`].
    UnderWay {
        told: bool,
    },
    Done(Result<Arc<Component>, NotCompiled>),
}

impl Compiling {
    pub fn new(engine: Engine, mode: Mode, cache: Option<PathBuf>) -> Compiling {
        Compiling(Arc::new(Inner {
            engine,
            mode,
            cache,
            started: Instant::now(),
            known: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// From now on callers wait only for seconds, and then receive [`NotCompiled::UnderWay`].
    pub fn do_not_wait(&self) {
        self.known().waits_not = true;
    }

    /// Calls `ended` whenever a compiler ends for which a caller received [`NotCompiled::UnderWay`].
    pub fn tell(&self, ended: Arc<dyn Fn() + Send + Sync>) {
        self.known().host = Some(ended);
    }

    /// Whether such a compiler has ended since the last call of this function.
    pub fn finished_late(&self) -> bool {
        std::mem::take(&mut self.known().finished_late)
    }

    /// Whether a running host uses the plugins.
    pub fn is_live(&self) -> bool {
        self.known().host.is_some()
    }

    /// Whether a starting or running host uses the plugins.
    pub fn serves(&self) -> bool {
        self.known().waits_not
    }

    /// Starts to compile a component, unless it is compiled or being compiled.
    pub fn begin(&self, bytes: &[u8]) {
        let hash = Sha256::digest(bytes).into();
        let mut known = self.known();
        if known.ready(&hash).is_some() || known.jobs.contains_key(&hash) {
            return;
        }
        known.jobs.insert(hash, Job::UnderWay { told: false });
        drop(known);
        let (compiling, bytes) = (self.clone(), bytes.to_vec());
        let work = move || {
            let done = compiling.component(&bytes);
            compiling.done(hash, done);
        };
        if let Err(error) = thread::Builder::new().name("plugin-compiler".to_owned()).spawn(work) {
            self.done(hash, Err(NotCompiled::Failed(format!("cannot start a thread: {error}"))));
        }
    }

    /// Returns a compiled component. Blocks.
    pub fn compile(&self, bytes: &[u8]) -> Result<Arc<Component>, NotCompiled> {
        let hash = Sha256::digest(bytes).into();
        self.begin(bytes);
        let mut known = self.known();
        let until = known.waits_not.then(|| match &known.host {
            None => self.0.started + START_PATIENCE,
            Some(_) => Instant::now() + RELOAD_PATIENCE,
        });
        loop {
            if let Some(component) = known.ready(&hash) {
                return Ok(component);
            }
            match known.jobs.get_mut(&hash) {
                Some(Job::Done(done)) => {
                    let done = done.clone();
                    // A refusal is remembered: it would take as long again.
                    if !matches!(done, Err(NotCompiled::Refused(_))) {
                        known.jobs.remove(&hash);
                    }
                    if let Ok(component) = &done {
                        known.in_use.retain(|_, component| component.strong_count() > 0);
                        known.in_use.insert(hash, Arc::downgrade(component));
                    }
                    return done;
                }
                Some(Job::UnderWay { told }) => {
                    let now = Instant::now();
                    if until.is_some_and(|until| *told || now >= until) {
                        *told = true;
                        return Err(NotCompiled::UnderWay);
                    }
                    let wait = until.map_or(Duration::from_secs(3_600), |until| until - now);
                    let waited = self.0.changed.wait_timeout(known, wait);
                    known = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => return Err(NotCompiled::UnderWay),
            }
        }
    }

    fn done(&self, hash: Hash, done: Result<Arc<Component>, NotCompiled>) {
        let mut known = self.known();
        let late = matches!(known.jobs.insert(hash, Job::Done(done)), Some(Job::UnderWay { told: true }));
        known.finished_late |= late;
        let host = known.host.clone().filter(|_| late);
        drop(known);
        self.0.changed.notify_all();
        if let Some(host) = host {
            host();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads a component from the cache, or compiles it. Blocks.
    fn component(&self, bytes: &[u8]) -> Result<Arc<Component>, NotCompiled> {
        let cached = self.cached(bytes);
        if let Some(component) = cached.as_deref().and_then(|file| self.load(file)) {
            return Ok(Arc::new(component));
        }
        let refusal = cached.as_ref().map(|file| file.with_extension("refused"));
        if let Some(why) =
            refusal.as_deref().and_then(|file| is_ours(file).then(|| fs::read_to_string(file).ok())?)
        {
            refusal.as_deref().into_iter().for_each(used);
            return Err(NotCompiled::Refused(why));
        }
        let _turn = self.turn();
        let failed =
            |error: io::Error| NotCompiled::Failed(format!("cannot write its compiled form: {error}"));
        let file = temporary(cached.as_deref()).map_err(failed)?;
        if cached.is_some() {
            forget_old(file.path());
        }
        match compiler::compile(bytes, self.0.mode, file.reopen().map_err(failed)?) {
            Ok(()) => {}
            Err(Failure::Invalid(why)) => return Err(NotCompiled::Invalid(why)),
            Err(Failure::Other(why)) => return Err(NotCompiled::Failed(why)),
            Err(Failure::TooMuch(why)) => {
                let kept = refusal.map(|file| keep(temporary(Some(&file))?, &file, Some(&why)));
                if let Some(Err(error)) = kept {
                    tracing::debug!(%error, "cannot record that a plugin cannot be compiled");
                }
                return Err(NotCompiled::Refused(why));
            }
        }
        let code = fs::read(file.path()).map_err(failed)?;
        let component =
            self.deserialize(&code).map_err(|error| NotCompiled::Invalid(format!("{error:#}")))?;
        if let Some(cached) = cached
            && let Err(error) = keep(file, &cached, None)
        {
            tracing::warn!(%error, file = %cached.display(), "cannot cache a compiled plugin; it is compiled again at the next start");
        }
        Ok(Arc::new(component))
    }

    /// Waits until fewer than [`AT_ONCE`] compilers run.
    fn turn(&self) -> Turn<'_> {
        let mut known = self.known();
        while known.running >= AT_ONCE {
            known = self.0.changed.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
        known.running += 1;
        Turn(self)
    }

    /// Cache file of these bytes, named by their hash and that of the compiler with its settings.
    fn cached(&self, bytes: &[u8]) -> Option<PathBuf> {
        let folder = self.0.cache.as_ref()?;
        let mut compiler = CompatibilityHasher(Sha256::new());
        std::hash::Hash::hash(&self.0.engine.precompile_compatibility_hash(), &mut compiler);
        let name = format!(
            "{}-{}.cwasm",
            hex::encode(Sha256::digest(bytes)),
            hex::encode(&compiler.0.finalize()[..8])
        );
        Some(folder.join(name))
    }

    fn load(&self, file: &Path) -> Option<Component> {
        let code = is_ours(file).then(|| fs::read(file).ok()).flatten()?;
        used(file);
        self.deserialize(&code)
            .inspect_err(|error| tracing::debug!(%error, "cannot use a cached plugin"))
            .ok()
    }

    #[expect(
        unsafe_code,
        reason = "wasmtime cannot check compiled code; where it comes from is checked, see `is_ours` and `compiler`"
    )]
    fn deserialize(&self, code: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: the code was written by this program, by this user: just now by a child of this process into a file
        // that only this user can open, or earlier into a folder that only this user can write, under the name
        // of its source's hash and the engine's.
        unsafe { Component::deserialize(&self.0.engine, code) }
    }
}

impl Known {
    fn ready(&self, hash: &Hash) -> Option<Arc<Component>> {
        self.in_use.get(hash)?.upgrade()
    }
}

/// A running compiler.
struct Turn<'a>(&'a Compiling);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.known().running -= 1;
        self.0.0.changed.notify_all();
    }
}

struct CompatibilityHasher(Sha256);

impl std::hash::Hasher for CompatibilityHasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
