//! The clock that interrupts guests. It ticks only while a guest runs: an idle host is not woken.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
};

use wasmtime::Engine;

use super::TICK;

/// Advances an engine's epoch at each [`TICK`] while a call is running. Ends when dropped.
pub(super) struct Clock {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Default)]
struct State {
    /// Number of running calls.
    running: AtomicUsize,
    ended: AtomicBool,
}

impl Clock {
    /// Starts the clock's thread, which sleeps until the first call.
    pub fn start(engine: Engine) -> io::Result<Clock> {
        let state = Arc::new(State::default());
        let shared = state.clone();
        let ticker = move || {
            while !shared.ended.load(Ordering::Acquire) {
                if shared.running.load(Ordering::Acquire) == 0 {
                    // Returns at once if a call has begun, or the clock has ended, since the check above.
                    thread::park();
                    continue;
                }
                engine.increment_epoch();
                thread::sleep(TICK);
            }
        };
        let thread = thread::Builder::new().name("plugin-clock".to_owned()).spawn(ticker)?;
        Ok(Clock { state, thread: thread.thread().clone() })
    }

    /// Keeps the clock ticking until the returned guard is dropped.
    pub fn run(&self) -> Running<'_> {
        if self.state.running.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        Running(&self.state)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// A running call.
pub(super) struct Running<'a>(&'a State);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
