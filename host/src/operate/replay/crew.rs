//! Threads for work that must not delay what else runs on this machine: they yield to all others.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use tokio::sync::oneshot;

/// By how much the threads yield to others, from 0 to 19.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

type Work = Box<dyn FnOnce() + Send>;

/// Threads of low priority. They end when it is dropped.
pub(super) struct Crew {
    work: Sender<Work>,
    /// Number of threads.
    pub size: usize,
}

impl Crew {
    /// Starts threads.
    ///
    /// # Errors
    /// If the system has no room for them.
    pub fn new(size: usize) -> std::io::Result<Crew> {
        let (work, todo) = mpsc::channel::<Work>();
        let todo = Arc::new(Mutex::new(todo));
        for _ in 0..size {
            let todo = todo.clone();
            thread::Builder::new().name("replay".to_owned()).spawn(move || {
                yield_to_others();
                while let Some(work) = next(&todo) {
                    work();
                }
            })?;
        }
        Ok(Crew { work, size })
    }

    /// Does something on one of the threads; `None` if it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        let caught = move || {
            // A panic ends only this piece of work.
            if let Ok(value) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
                let _ = done.send(value);
            }
        };
        self.work.send(Box::new(caught)).ok()?;
        result.await.ok()
    }
}

fn next(todo: &Mutex<Receiver<Work>>) -> Option<Work> {
    todo.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// On Linux each thread has a priority of its own.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "the standard library has no call for it")]
fn yield_to_others() {
    // SAFETY: it takes numbers and touches no memory; 0 is the calling thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_others() {}
