//! The parts of a running host: started, watched, and stopped within one time limit. A part that panics or ends by itself
//! ends the host, so that a supervisor starts it anew: a host that works in part looks alive and is not.

use std::{collections::HashMap, future::Future, time::Duration};

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// What each part may still do when the time of all is over: give back the lanes, above all.
const GRACE: Duration = Duration::from_millis(300);

/// All parts, in the order in which they are stopped.
#[derive(Default)]
pub struct Parts {
    tasks: JoinSet<()>,
    started: Vec<Part>,
    names: HashMap<Id, &'static str>,
    /// Those that have ended.
    gone: Vec<Id>,
}

struct Part {
    id: Id,
    stop: CancellationToken,
}

impl Parts {
    /// Starts a part that runs until it is told to stop.
    pub fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        name: &'static str,
        run: impl FnOnce(CancellationToken) -> F,
    ) {
        let stop = CancellationToken::new();
        let id = self.tasks.spawn(run(stop.clone())).id();
        self.names.insert(id, name);
        self.started.push(Part { id, stop });
    }

    /// Starts a part that may end at any moment when the host stops, and not before.
    pub fn help(&mut self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        self.start(name, |stop| async move {
            tokio::select! {
                () = run => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Waits until a part ends though nobody told it to, logs why, and returns its name.
    pub async fn ended(&mut self) -> &'static str {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.tell(ended),
            None => std::future::pending().await,
        }
    }

    fn tell(&mut self, ended: Result<(Id, ()), JoinError>) -> &'static str {
        self.gone.push(ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id));
        let name = |id: &Id| self.names.get(id).copied().unwrap_or("unknown");
        match ended {
            Ok((id, ())) => {
                tracing::error!(part = name(&id), "a part of this host ended by itself");
                name(&id)
            }
            Err(error) => {
                tracing::error!(part = name(&error.id()), %error, "a part of this host failed");
                name(&error.id())
            }
        }
    }

    /// Stops the parts one after the other; each finishes before the next is told to. Those that have not after `within`
    /// are aborted.
    pub async fn stop(mut self, within: Duration) {
        let deadline = Instant::now() + within;
        for Part { id, stop } in std::mem::take(&mut self.started) {
            stop.cancel();
            let limit = deadline.max(Instant::now() + GRACE);
            while !self.gone.contains(&id) {
                match timeout_at(limit, self.tasks.join_next_with_id()).await {
                    Ok(Some(Ok((done, ())))) => self.gone.push(done),
                    Ok(Some(Err(error))) => {
                        self.tell(Err(error));
                    }
                    Ok(None) => break,
                    Err(_) => {
                        tracing::warn!(part = self.names.get(&id), "failed to finish in time");
                        break;
                    }
                }
            }
        }
        self.tasks.abort_all();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::{Arc, Mutex};

    use tokio::time::{sleep, timeout};

    use super::*;

    async fn until_stopped(stop: CancellationToken) {
        stop.cancelled().await;
    }

    #[tokio::test]
    async fn a_part_that_panics_or_ends_is_named() {
        let mut parts = Parts::default();
        parts.start("lives", until_stopped);
        parts.start("panics", |_| async { panic!("as told") });
        assert_eq!(parts.ended().await, "panics");
        parts.help("ends", async {});
        assert_eq!(parts.ended().await, "ends");
        parts.help("waits", std::future::pending());
        assert!(timeout(Duration::from_millis(50), parts.ended()).await.is_err());
        timeout(Duration::from_secs(5), parts.stop(Duration::from_secs(60))).await.unwrap();
    }

    #[tokio::test]
    async fn parts_stop_in_order_within_one_limit() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut parts = Parts::default();
        for name in ["first", "second"] {
            let order = order.clone();
            parts.start(name, |stop| async move {
                stop.cancelled().await;
                sleep(Duration::from_millis(20)).await;
                order.lock().unwrap().push(name);
            });
        }
        parts.start("never", |_| std::future::pending());
        let last = order.clone();
        parts.start("lanes", |stop| async move {
            stop.cancelled().await;
            last.lock().unwrap().push("lanes");
        });
        let stopped = timeout(Duration::from_secs(30), parts.stop(Duration::from_secs(1))).await;
        assert_eq!((stopped, &order.lock().unwrap()[..]), (Ok(()), &["first", "second", "lanes"][..]));
    }
}
