//! The parts of a running host: started, watched, and stopped within one time limit. A part that panics or ends by itself
//! ends the host, so that a supervisor starts it anew: a host that works in part looks alive and is not.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// What the parts that were not told to stop yet may still do when the time of all is over: give back the lanes, above all.
const GRACE: Duration = Duration::from_secs(1);

/// The part that has failed, where one has.
pub type Failed = Arc<OnceLock<&'static str>>;

/// All parts, in the order in which they are stopped.
#[derive(Default)]
pub struct Parts {
    tasks: JoinSet<()>,
    started: Vec<Part>,
    names: HashMap<Id, &'static str>,
    /// Those that have ended.
    gone: Vec<Id>,
    failed: Failed,
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

    /// Where the name of a part stands that has failed.
    pub fn failure(&self) -> Failed {
        self.failed.clone()
    }

    /// Waits until a part ends though nobody told it to, logs why, and returns its name.
    pub async fn ended(&mut self) -> &'static str {
        match self.tasks.join_next_with_id().await {
            Some(ended) => {
                let name = self.tell(ended);
                self.failed.get_or_init(|| name);
                name
            }
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

    /// Stops the parts one after the other; each finishes before the next is told to. When `within` is over, the others
    /// are told all at once, and those that have not ended a second later are aborted. Where a part has failed, the first
    /// is stopped last: it answers those who ask for the host's state.
    pub async fn stop(mut self, within: Duration) {
        let deadline = Instant::now() + within;
        let mut parts = std::mem::take(&mut self.started);
        if self.failed.get().is_some() && !parts.is_empty() {
            parts.rotate_left(1);
        }
        let mut in_time = true;
        for Part { id, stop } in &parts {
            stop.cancel();
            in_time = in_time && self.has_ended(*id, deadline).await;
        }
        for Part { id, .. } in &parts {
            if !self.has_ended(*id, deadline + GRACE).await {
                tracing::warn!(part = self.names.get(id), "failed to finish in time");
            }
        }
        self.tasks.abort_all();
    }

    /// Waits until a part has ended, or until `deadline`.
    async fn has_ended(&mut self, part: Id, deadline: Instant) -> bool {
        while !self.gone.contains(&part) {
            match timeout_at(deadline, self.tasks.join_next_with_id()).await {
                Ok(Some(Ok((done, ())))) => self.gone.push(done),
                Ok(Some(Err(error))) => {
                    self.tell(Err(error));
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        true
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

    #[tokio::test]
    async fn parts_that_never_end_take_no_longer_together_than_one() {
        let mut parts = Parts::default();
        for _ in 0..50 {
            parts.start("never", |_| std::future::pending());
        }
        timeout(Duration::from_secs(10), parts.stop(Duration::from_millis(100))).await.unwrap();
    }

    #[tokio::test]
    async fn who_answers_for_the_host_is_stopped_last_where_a_part_has_failed() {
        let mut parts = Parts::default();
        let failure = parts.failure();
        let order = Arc::new(Mutex::new(Vec::new()));
        for name in ["http", "routing"] {
            let order = order.clone();
            parts.start(name, |stop| async move {
                stop.cancelled().await;
                order.lock().unwrap().push(name);
            });
        }
        parts.start("dispatch", |_| async { panic!("as told") });
        assert_eq!((parts.ended().await, failure.get()), ("dispatch", Some(&"dispatch")));
        parts.stop(Duration::from_secs(10)).await;
        assert_eq!(order.lock().unwrap()[..], ["routing", "http"]);
    }
}
