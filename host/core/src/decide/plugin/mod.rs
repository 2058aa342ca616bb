//! Plugins: WebAssembly components that decide, in a sandbox.
//!
//! One [`Sandbox`] a process: wasmtime's engine, its pool of instances, the clock that interrupts guests. A [`Plugin`] is a
//! component, compiled and linked once. Each call gets a fresh store and instance: nothing is left behind for the next.
//!
//! What bounds a call: its running time (the guest is interrupted each [`TICK`], and what it has used is counted as the
//! Rhai budget counts it, so that a busy machine fails nobody), the time on the wall (a guest that waits in a host
//! call is not interrupted, it is dropped), memory and tables, the bytes that cross in host calls, the questions it may
//! ask, and the size of its answer. Beyond its memory limit a call holds some 8 MiB of the host's at most: what crosses in one
//! host call, an answer of a service, what is recorded. A plugin has a quarter of the places of the pool: whoever
//! hangs in all of them keeps no other plugin from being called.
//!
//! What bounds compiling: it is done in a child process with an allowance (`compiler`). A component that is beyond it is refused
//! alone.
//!
//! WASI is linked, because languages' runtimes want it, and gives nothing: no files, no environment, no sockets; its
//! clock stands at the call's time and its random numbers come from the event, so that a replay is exact.

mod address;
mod call;
mod clock;
mod compile;
mod compiler;
mod grants;
mod host;
mod http;
mod kept;
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
    load::LoadError,
    manifest::{Limits, Manifest, OnFailure, Table},
    record::is_whole,
    sandbox::Sandbox,
    state::{Counts, Held, Parked, Plugin},
};

/// How often a running guest is interrupted.
pub const TICK: Duration = Duration::from_millis(2);
/// How many plugins run at once in a process.
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
