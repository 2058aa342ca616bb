//! The sandbox: wasmtime's engine with its pool, and the state shared by all plugins of a process.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, component::Linker,
};

use super::{
    CALLS, Grants, bindings,
    clock::Clock,
    compile::Compiling,
    compiler::Mode,
    host::CallState,
    http::Http,
    state::{Known, Revision},
};

/// Maximum memory that a manifest may request, in bytes.
pub const MOST_MEMORY: usize = 256 * 1024 * 1024;
/// Maximum number of core instances per component; one of Python has some hundred.
const CORE_INSTANCES: u32 = 200;
/// Maximum number of memories per component: one for each component that it is composed of.
const MEMORIES: u32 = 4;
const TABLES: u32 = 16;
const TABLE_ELEMENTS: usize = 20_000;
/// Part of a memory that stays resident for the next instance, in bytes: clearing it is cheaper than mapping it again.
/// 64 MiB for all memories of the pool.
const KEPT_RESIDENT: usize = 256 * 1024;
/// The same for a table, in bytes: 16 MiB for all tables of the pool.
const KEPT_OF_TABLE: usize = 16 * 1024;

/// The sandbox of all plugins of a process. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub engine: Engine,
    pub linker: Linker<CallState>,
    pub http: Option<Arc<dyn Http>>,
    pub runtime: OwnRuntime,
    pub clock: Clock,
    pub compiling: Compiling,
    pub grants: Arc<Grants>,
    calls: Arc<Semaphore>,
    /// By id of the plugin; outlive its revisions.
    plugins: Mutex<HashMap<String, Arc<Known>>>,
}

/// A place in the pool of instances, and in the plugin's share of it.
pub(super) struct Place(
    #[expect(dead_code, reason = "held until the call has ended")] [OwnedSemaphorePermit; 2],
);

/// A runtime that can be dropped anywhere: one that waits for its threads must not be dropped in async code.
pub(super) struct OwnRuntime(Option<tokio::runtime::Runtime>);

impl OwnRuntime {
    /// Runs a future to completion. Blocks.
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

impl Sandbox {
    /// Starts a sandbox. Compiled components are kept in `cache`, a folder that only this user may write.
    ///
    /// # Errors
    /// If this machine cannot run it.
    pub fn new(
        cache: Option<PathBuf>,
        http: Option<Arc<dyn Http>>,
        grants: Arc<Grants>,
    ) -> Result<Sandbox, String> {
        Sandbox::start(cache, http, grants, false)
    }

    /// Starts a sandbox for authors: it counts instructions, and has no network. Compiled components are kept as by
    /// [`Sandbox::new`].
    ///
    /// # Errors
    /// If this machine cannot run it.
    pub fn measuring(cache: Option<PathBuf>, grants: Arc<Grants>) -> Result<Sandbox, String> {
        Sandbox::start(cache, None, grants, true)
    }

    fn start(
        cache: Option<PathBuf>,
        http: Option<Arc<dyn Http>>,
        grants: Arc<Grants>,
        measures: bool,
    ) -> Result<Sandbox, String> {
        let failed = |error: wasmtime::Error| format!("cannot start the sandbox for plugins: {error:#}");
        let engine = |plain| {
            let mode = Mode { measures, plain };
            engine(mode).map(|engine| (engine, mode))
        };
        let (engine, mode) = engine(false).or_else(|_| engine(true)).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed)?;
        bindings::Plugin::add_to_linker::<_, CallState>(&mut linker, |state| state).map_err(failed)?;
        let clock = Clock::start(engine.clone())
            .map_err(|error| format!("cannot start the plugins' clock: {error}"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("plugins")
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start the plugins' runtime: {error}"))?;
        Ok(Sandbox(Arc::new(Shared {
            compiling: Compiling::new(engine.clone(), mode, cache),
            engine,
            linker,
            http,
            runtime: OwnRuntime(Some(runtime)),
            clock,
            grants,
            calls: Arc::new(Semaphore::new(CALLS)),
            plugins: Mutex::default(),
        })))
    }

    /// Grants of the operator.
    pub fn grants(&self) -> &Grants {
        &self.0.grants
    }

    /// Prepares for a host: from now on nobody waits long for a plugin to be compiled, and one that cannot be compiled is
    /// held instead of being an error.
    pub fn serve(&self) {
        self.0.compiling.do_not_wait();
    }

    /// Whether a host uses this sandbox.
    pub fn serves(&self) -> bool {
        self.0.compiling.serves()
    }

    /// Calls `ended` when a plugin that was reported as [`Compiling`](super::LoadError::Compiling) has been compiled.
    pub fn when_compiled(&self, ended: Arc<dyn Fn() + Send + Sync>) {
        self.0.compiling.tell(ended);
    }

    /// Whether such a plugin has been compiled since the last call of this function.
    pub fn has_compiled(&self) -> bool {
        self.0.compiling.finished_late()
    }

    /// Starts to compile these components at once.
    pub fn prepare<'a>(&self, components: impl Iterator<Item = &'a [u8]>) {
        components
            .filter(|bytes| bytes.starts_with(b"\0asm"))
            .for_each(|bytes| self.0.compiling.begin(bytes));
    }

    /// State of a plugin that outlives its revisions; created if there is none.
    pub(super) fn known(&self, id: &str) -> Arc<Known> {
        let mut plugins = self.0.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.entry(id.to_owned()).or_default().clone()
    }

    /// Whether a plugin with this id was loaded before.
    pub(super) fn has_known(&self, id: &str) -> bool {
        self.0.plugins.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// Waits for a place in the pool. A plugin has only a share of it, so that its slow calls leave room for others.
    pub(super) fn place(&self, revision: &Revision) -> Option<Place> {
        let both = async {
            let of_its_share = revision.share().clone().acquire_owned().await.ok()?;
            let of_all = self.0.calls.clone().acquire_owned().await.ok()?;
            Some(Place([of_its_share, of_all]))
        };
        self.0.runtime.block_on(both).flatten()
    }
}

/// Creates the engine. Its pool has room for [`CALLS`] calls of the largest accepted component; it reserves address space
/// for them, not memory.
pub(super) fn engine(mode: Mode) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    let calls = u32::try_from(CALLS).unwrap_or(u32::MAX);
    pool.total_component_instances(calls)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .total_core_instances(calls * CORE_INSTANCES)
        .total_memories(calls * MEMORIES)
        .total_tables(calls * TABLES)
        .total_stacks(calls)
        .max_component_instance_size(1024 * 1024)
        .max_core_instance_size(1024 * 1024)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(MOST_MEMORY)
        .linear_memory_keep_resident(KEPT_RESIDENT)
        .table_keep_resident(KEPT_OF_TABLE)
        .pagemap_scan(if mode.plain { Enabled::No } else { Enabled::Auto });
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(mode.measures)
        .memory_reservation(MOST_MEMORY as u64)
        .memory_guard_size(64 * 1024)
        .cranelift_nan_canonicalization(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}
