//! The clock that interrupts guests. It ticks while a guest runs, and sleeps otherwise: an idle host is not woken.

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

/// Advances an engine's epoch every [`TICK`] while a call is under way. Ends when it is dropped.
pub(super) struct Clock {
    state: Arc<State>,
    thread: Thread,
}

#[derive(Default)]
struct State {
    /// Calls under way.
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
                    // Returns at once where a call began, or the clock ended, since the look above.
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

    /// Keeps the clock ticking for as long as the answer lives.
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

/// A call under way.
pub(super) struct Running<'a>(&'a State);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
