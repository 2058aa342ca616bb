//! wasmtime's engine, its pool, and the clock that interrupts guests.

use std::{
    collections::HashMap,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::{Component, Linker},
};

use super::{CALLS, TICK, bindings, host::CallState, http::Http};

/// The most memory that a manifest may ask for, in bytes.
pub const MOST_MEMORY: usize = 256 * 1024 * 1024;
/// A component of Python has some hundred core instances.
const CORE_INSTANCES: u32 = 200;
const TABLE_ELEMENTS: usize = 20_000;
/// So much of an instance's memory stays resident for the next: clearing it is cheaper than mapping it anew.
const KEPT_RESIDENT: usize = 1024 * 1024;

/// What all plugins of a process share. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub engine: Arc<Engine>,
    pub linker: Linker<CallState>,
    pub calls: Arc<Semaphore>,
    pub http: Option<Arc<dyn Http>>,
    pub runtime: OwnRuntime,
    cache: Option<PathBuf>,
    /// What is compiled, by the SHA-256 of its source: a change of the rules compiles no plugin anew.
    compiled: Mutex<HashMap<[u8; 32], Component>>,
}

/// A runtime that may be dropped anywhere: one that waits for its threads may not be dropped among async code.
pub(super) struct OwnRuntime(Option<tokio::runtime::Runtime>);

impl OwnRuntime {
    /// Runs a future to its end on this thread, which may block.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.0.as_ref().map(|runtime| runtime.block_on(future))
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// So many compiled components are remembered at most.
const REMEMBERED: usize = 64;

impl Sandbox {
    /// Starts it. Compiled components are kept in `cache`, a folder that nobody else may write.
    ///
    /// # Errors
    /// Where this machine cannot run it, in words.
    pub fn new(cache: Option<PathBuf>, http: Option<Arc<dyn Http>>) -> Result<Sandbox, String> {
        Sandbox::start(cache, http, false)
    }

    /// Starts one that counts instructions, for authors. It has no network, and keeps nothing.
    ///
    /// # Errors
    /// Where this machine cannot run it, in words.
    pub fn measuring() -> Result<Sandbox, String> {
        Sandbox::start(None, None, true)
    }

    fn start(cache: Option<PathBuf>, http: Option<Arc<dyn Http>>, measures: bool) -> Result<Sandbox, String> {
        let failed = |error: wasmtime::Error| format!("start the sandbox for plugins: {error:#}");
        let engine = engine(measures, false).or_else(|_| engine(measures, true)).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed)?;
        bindings::Plugin::add_to_linker::<_, CallState>(&mut linker, |state| state).map_err(failed)?;
        let engine = Arc::new(engine);
        tick(Arc::downgrade(&engine)).map_err(|error| format!("start the plugins' clock: {error}"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("plugins")
            .enable_all()
            .build()
            .map_err(|error| format!("start the plugins' runtime: {error}"))?;
        let calls = Arc::new(Semaphore::new(CALLS));
        Ok(Sandbox(Arc::new(Shared {
            engine,
            linker,
            calls,
            http,
            runtime: OwnRuntime(Some(runtime)),
            cache,
            compiled: Mutex::default(),
        })))
    }

    /// Compiles a component, or takes what was compiled of the same bytes before.
    pub(super) fn compile(&self, bytes: &[u8]) -> wasmtime::Result<Component> {
        let sha256: [u8; 32] = Sha256::digest(bytes).into();
        let compiled = || self.0.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = compiled().get(&sha256) {
            return Ok(component.clone());
        }
        let component = self.compile_or_load(bytes)?;
        let mut compiled = compiled();
        if compiled.len() >= REMEMBERED {
            compiled.clear();
        }
        compiled.insert(sha256, component.clone());
        Ok(component)
    }

    fn compile_or_load(&self, bytes: &[u8]) -> wasmtime::Result<Component> {
        let Some(cached) = self.cached(bytes) else { return Component::new(&self.0.engine, bytes) };
        if let Some(component) = self.load(&cached) {
            return Ok(component);
        }
        let component = Component::new(&self.0.engine, bytes)?;
        let kept = component.serialize().map_err(io::Error::other).and_then(|code| keep(&cached, &code));
        if let Err(error) = kept {
            tracing::warn!(%error, file = %cached.display(), "failed to keep a compiled plugin; it is compiled anew at the next start");
        }
        Ok(component)
    }

    /// Where the compiled form of these bytes is kept: named by them, and by what compiles them how.
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

    #[expect(
        unsafe_code,
        reason = "wasmtime cannot check compiled code; the folder is ours alone, see `is_ours`"
    )]
    fn load(&self, file: &PathBuf) -> Option<Component> {
        let code = is_ours(file).then(|| fs::read(file).ok()).flatten()?;
        // SAFETY: the file was written by this program, by this user, into a folder that only this user can write,
        // under the name of its source's hash and the engine's.
        unsafe { Component::deserialize(&self.0.engine, code) }
            .inspect_err(|error| tracing::debug!(%error, "a compiled plugin is of no use"))
            .ok()
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

/// Whether nobody but this user can have written the file.
fn is_ours(file: &PathBuf) -> bool {
    use std::os::unix::fs::MetadataExt;
    let user = nix::unistd::geteuid().as_raw();
    let safe = |metadata: fs::Metadata| metadata.uid() == user && metadata.mode() & 0o022 == 0;
    let folder = file.parent().and_then(|folder| fs::symlink_metadata(folder).ok());
    folder.is_some_and(|folder| folder.is_dir() && safe(folder))
        && fs::symlink_metadata(file).is_ok_and(|file| file.is_file() && safe(file))
}

fn keep(file: &PathBuf, code: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(temporary.path(), code)?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// The engine. `measures` counts instructions; `plain` does without what not every kernel has.
fn engine(measures: bool, plain: bool) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    let calls = u32::try_from(CALLS).unwrap_or(u32::MAX);
    pool.total_component_instances(calls)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(4)
        .max_tables_per_component(CORE_INSTANCES)
        .total_core_instances(calls * 64)
        .total_memories(calls * 2)
        .total_tables(calls * 32)
        .total_stacks(calls)
        .max_component_instance_size(4 * 1024 * 1024)
        .max_core_instance_size(4 * 1024 * 1024)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(MOST_MEMORY)
        .linear_memory_keep_resident(KEPT_RESIDENT)
        .table_keep_resident(64 * 1024)
        .pagemap_scan(if plain { Enabled::No } else { Enabled::Auto });
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(measures)
        .memory_reservation(MOST_MEMORY as u64)
        .memory_guard_size(64 * 1024)
        .cranelift_nan_canonicalization(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// Advances the epoch, which interrupts whatever guest runs; ends with the engine.
fn tick(engine: Weak<Engine>) -> io::Result<()> {
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("plugin-clock".to_owned()).spawn(ticker).map(drop)
}
