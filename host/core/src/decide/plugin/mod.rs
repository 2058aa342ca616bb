//! Plugins: WebAssembly components that decide about events in a sandbox.
//!
//! A process has one [`Sandbox`]: wasmtime's engine, its pool of instances, and the clock that interrupts guests. A
//! [`Plugin`] is a component, compiled and linked once. Each call has a new store and instance: nothing remains for the
//! next.
//!
//! Limits of a call: its running time (the guest is interrupted at each [`TICK`], and its time is counted as in the Rhai
//! budget, so that a busy machine fails nobody), its wall time (a guest that waits in a host call is not interrupted but
//! dropped), memory and tables, the bytes passed in host calls, the number of questions, and the size of its answer. In
//! addition to its memory limit a call uses at most some 8 MiB of the host's memory: the data of one host call, an answer
//! of a service, and the record. A revision of a plugin can use a quarter of the pool: if all of its calls hang, other
//! plugins are still called.
//!
//! Compiling runs in a child process with an allowance (`compiler`). A component that exceeds it is refused without
//! affecting others.
//!
//! WASI is linked, because the runtimes of languages need it, but provides nothing: no files, no environment, no sockets;
//! its clock stands still at the call's time and its random numbers are derived from the event, so that a replay is
//! exact.

mod address;
mod call;
mod clock;
mod compile;
mod compiler;
mod grants;
mod host;
mod http;
mod kept;
mod lines;
mod load;
mod manifest;
mod output;
mod record;
mod sandbox;
mod state;
mod words;

use std::time::Duration;

pub use self::{
    address::{Allowed, is_public},
    compiler::{Allowance, COMMAND, Mode, run as compile},
    grants::{Grants, is_secret_name},
    http::{Answering, Http, HttpAnswer, HttpError, HttpRequest, left},
    lines::LogLine,
    load::LoadError,
    manifest::{Limits, Manifest, OnFailure, Table},
    record::is_whole,
    sandbox::Sandbox,
    state::{Counts, Held, Parked, Plugin, Stopped},
};

/// Interval at which a running guest is interrupted.
pub const TICK: Duration = Duration::from_millis(2);
/// Maximum number of plugin calls at once in a process.
pub const CALLS: usize = 64;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../sdk/wit",
        world: "plugin",
        imports: {
            "hookswitch:plugin/http.send": async,
            default: trappable,
        },
        exports: { default: async },
    });
}
