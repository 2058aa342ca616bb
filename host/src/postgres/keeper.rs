//! The thread that PostgreSQL is tied to: it starts the server, starts it again if it dies, and stops it.

use std::{
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{Builder, JoinHandle, sleep},
    time::{Duration, Instant},
};

use nix::sys::signal::{Signal, kill};

use super::{
    PostgresError,
    adopt::{pid, running},
    cluster::Cluster,
    files::{exclusively, file},
};

/// How often the keeper looks whether the server is alive.
const LOOK: Duration = Duration::from_millis(500);

/// How long it waits before it starts a dead server again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long each way to stop may take: fast (open transactions are undone, a checkpoint is written), then
/// immediate (the next start recovers).
const STOP: [(Signal, Duration); 2] =
    [(Signal::SIGINT, Duration::from_secs(10)), (Signal::SIGQUIT, Duration::from_secs(5))];

/// Keeps a server running. Dropping it stops the server and waits for that.
pub(super) struct Keeper {
    /// A message means: from now on, start the server again when it dies. The end of the channel: stop.
    orders: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    pid: Arc<AtomicU32>,
}

impl Keeper {
    /// Starts the server in a thread that lives as long as it: on Linux the server ends with that thread.
    pub(super) fn start(cluster: Cluster) -> Result<Keeper, PostgresError> {
        let (orders, receiver) = channel();
        let (failed, result) = channel();
        let process = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&process);
        let data_dir = cluster.data_dir.clone();
        let thread = Builder::new()
            .name("postgres".to_owned())
            .spawn(move || match cluster.spawn() {
                Ok(child) => {
                    shared.store(child.id(), Ordering::Release);
                    drop(failed);
                    keep(&cluster, child, &receiver, &shared);
                    cluster.remove_socket_dir();
                }
                Err(error) => drop(failed.send(error)),
            })
            .map_err(file("start a thread for the server in", &data_dir))?;
        match result.recv() {
            Ok(error) => Err(error),
            Err(_) => Ok(Keeper { orders: Some(orders), thread: Some(thread), pid: process }),
        }
    }

    /// The server's process id at the moment.
    pub(super) fn pid(&self) -> u32 {
        self.pid.load(Ordering::Acquire)
    }

    /// From now on, start the server again when it dies.
    pub(super) fn watch(&self) {
        if let Some(orders) = &self.orders {
            // Where the thread has ended already there is nothing to watch.
            let _ = orders.send(());
        }
    }

    /// Whether the server ended while nobody watched it.
    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported by it, and there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

fn keep(cluster: &Cluster, child: Child, orders: &Receiver<()>, shared: &AtomicU32) {
    let mut watched = false;
    let mut child = Some(child);
    loop {
        match orders.recv_timeout(if child.is_some() { LOOK } else { PAUSE }) {
            Ok(()) => watched = true,
            Err(RecvTimeoutError::Disconnected) => return child.into_iter().for_each(stop),
            Err(RecvTimeoutError::Timeout) => match child.take() {
                Some(mut running) => match running.try_wait() {
                    Ok(None) => child = Some(running),
                    _ if !watched => return,
                    status => {
                        let status = status.ok().flatten().map(|status| status.to_string());
                        tracing::warn!(status, log = %cluster.log().display(), "PostgreSQL has ended; starting it again");
                    }
                },
                None => match again(cluster) {
                    Ok(Some(started)) => {
                        shared.store(started.id(), Ordering::Release);
                        child = Some(started);
                    }
                    Ok(None) => return tracing::warn!("another process has started PostgreSQL"),
                    Err(error) => tracing::error!(%error, "failed to start PostgreSQL again"),
                },
            },
        }
    }
}

/// Starts the server again, unless another process was faster.
fn again(cluster: &Cluster) -> Result<Option<Child>, PostgresError> {
    let _lock = exclusively(&cluster.data_dir.join("postgres.lock"), || {})?;
    match running(&cluster.data_dir, &mut |_| {})? {
        Some(_) => Ok(None),
        None => cluster.spawn().map(Some),
    }
}

fn stop(mut child: Child) {
    for (signal, patience) in STOP {
        // Not yet waited for, so the id is still this server's.
        let _ = kill(pid(child.id()), signal);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(5));
        }
        tracing::warn!(%signal, "PostgreSQL did not stop");
    }
    let _ = child.kill();
    let _ = child.wait();
}
