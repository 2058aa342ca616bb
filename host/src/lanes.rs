//! Which lanes this host holds. A heartbeat renews the leases, takes what is free up to a fair share, and
//! gives back what is above it. Leases are for order and for little contention; correctness is unique keys.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    domain::{LANES, Lane},
    store::{LEASE, Store, StoreError, WebhookFacts},
};

/// While the share is right.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// While there is something to take, to give back or to reach.
const EAGER_HEARTBEAT: Duration = Duration::from_secs(1);
/// A lease counts as lost so long before it ends, for what the clock and the network may take.
const MARGIN: Duration = Duration::from_secs(3);
/// How long to wait for what is under way in a lane before giving it back all the same.
const HAND_OVER: Duration = Duration::from_secs(5);

/// The lanes that this host holds now.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    /// Each with its term: whoever reads a lane in a new term begins anew, from what the database has.
    pub lanes: BTreeMap<Lane, Term>,
    /// Until when they are certainly ours.
    pub until: Option<Instant>,
    /// How many hosts share the lanes.
    pub hosts: usize,
}

/// One holding of a lane, from taking it to losing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Differs between two terms of one lane.
    pub number: u64,
}

impl Leases {
    /// Whether the lanes are certainly ours at this moment.
    pub fn are_ours(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Whether a lane is certainly ours at this moment.
    pub fn hold(&self, lane: Lane, now: Instant) -> bool {
        self.are_ours(now) && self.lanes.contains_key(&lane)
    }
}

/// How many sends are under way in each lane: a lane is handed over when there are none.
#[derive(Debug)]
pub struct Progress {
    under_way: Vec<AtomicUsize>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress { under_way: (0..LANES).map(|_| AtomicUsize::new(0)).collect() }
    }
}

impl Progress {
    /// One more send is under way.
    pub fn began(&self, lane: Lane) {
        self.under_way(lane).fetch_add(1, Ordering::AcqRel);
    }

    /// One send's outcome is written.
    pub fn ended(&self, lane: Lane) {
        self.under_way(lane).fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether nothing is under way.
    pub fn idle(&self, lane: Lane) -> bool {
        self.under_way(lane).load(Ordering::Acquire) == 0
    }

    fn under_way(&self, lane: Lane) -> &AtomicUsize {
        &self.under_way[lane.0 as usize]
    }
}

/// What a heartbeat tells beside that this host lives.
#[derive(Clone)]
pub struct News {
    /// The release of the rules that are live here.
    pub release: Arc<dyn Fn() -> String + Send + Sync>,
    /// What was seen of Meta's webhooks since the last call.
    pub webhooks: Arc<dyn Fn() -> Option<WebhookFacts> + Send + Sync>,
}

/// Holds lanes until it is stopped.
pub struct Holder {
    store: Store,
    host: Uuid,
    name: HostName,
    progress: Arc<Progress>,
    news: News,
    leases: watch::Sender<Leases>,
    terms: u64,
}

impl Holder {
    /// A holder for this host, and where it tells what it holds.
    pub fn new(
        store: Store,
        host: Uuid,
        progress: Arc<Progress>,
        news: News,
    ) -> (Holder, watch::Receiver<Leases>) {
        let (leases, receiver) = watch::channel(Leases::default());
        (Holder { store, host, name: HostName::own(), progress, news, leases, terms: 0 }, receiver)
    }

    /// Holds lanes until `stop`, then gives them back.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Err(error) = self.inherit().await {
            tracing::debug!(%error, "failed to look for killed hosts; their lanes are free in 15 s");
        }
        loop {
            let pause = match timeout(LEASE - MARGIN, self.beat()).await {
                Ok(Ok(true)) => HEARTBEAT,
                Ok(Ok(false)) => EAGER_HEARTBEAT,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "failed to renew the lanes");
                    EAGER_HEARTBEAT
                }
                Err(_) => {
                    tracing::warn!("failed to renew the lanes: PostgreSQL did not answer in time");
                    EAGER_HEARTBEAT
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => break,
            }
        }
        self.leave().await;
    }

    /// Frees the lanes of hosts that were killed on this machine, so that a restart need not wait for their
    /// leases to end.
    async fn inherit(&self) -> Result<(), StoreError> {
        let all: Vec<Lane> = (0..LANES).map(Lane).collect();
        for (host, name) in self.store.hosts().await? {
            if host != self.host && self.name.says_gone(&name) {
                tracing::info!(%name, "taking over from a host that was killed here");
                self.store.release_lanes(host, &all).await?;
                self.store.host_gone(host).await?;
            }
        }
        Ok(())
    }

    /// One heartbeat; tells whether this host holds its share.
    async fn beat(&mut self) -> Result<bool, StoreError> {
        let asked = Instant::now();
        self.store.host_seen(self.host, &self.name.to_string(), &(self.news.release)()).await?;
        if let Some(seen) = (self.news.webhooks)() {
            self.store.webhooks_seen(&seen).await?;
        }
        let hosts = self.store.hosts_alive().await?.max(1);
        let renewed = self.store.renew_lanes(self.host).await?;
        let mut lanes = self.leases.borrow().lanes.clone();
        lanes.retain(|lane, _| renewed.contains(lane));
        // Also what is ours without our knowing: taken or given back by a statement whose answer was lost.
        for held in renewed {
            self.hold(&mut lanes, held);
        }
        let share = (LANES as usize).div_ceil(hosts);
        if lanes.len() < share {
            for held in self.store.take_lanes(self.host, share - lanes.len()).await? {
                self.hold(&mut lanes, held);
            }
        }
        let surplus: Vec<Lane> =
            lanes.keys().rev().take(lanes.len().saturating_sub(share)).copied().collect();
        lanes.retain(|lane, _| !surplus.contains(lane));
        let held = lanes.len();
        self.leases.send_replace(Leases { lanes, until: Some(asked + LEASE - MARGIN), hosts });
        if !surplus.is_empty() {
            self.hand_over(&surplus).await?;
        }
        // With a share rounded up, somebody may rightly hold less.
        Ok(held >= LANES as usize / hosts)
    }

    fn hold(&mut self, lanes: &mut BTreeMap<Lane, Term>, held: Lane) {
        if let Entry::Vacant(vacant) = lanes.entry(held) {
            self.terms += 1;
            vacant.insert(Term { number: self.terms });
        }
    }

    /// Gives lanes back once nothing is under way in them.
    async fn hand_over(&self, lanes: &[Lane]) -> Result<(), StoreError> {
        let give_up = Instant::now() + HAND_OVER;
        while !lanes.iter().all(|lane| self.progress.idle(*lane)) && Instant::now() < give_up {
            sleep(Duration::from_millis(10)).await;
        }
        self.store.release_lanes(self.host, lanes).await
    }

    async fn leave(&self) {
        let lanes: Vec<Lane> = (0..LANES).map(Lane).collect();
        self.leases.send_replace(Leases::default());
        let left = async {
            self.store.release_lanes(self.host, &lanes).await?;
            self.store.host_gone(self.host).await
        };
        match timeout(HAND_OVER, left).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "failed to release the lanes; they are free in 15 s"),
            Err(_) => tracing::warn!("failed to release the lanes in time; they are free in 15 s"),
        }
    }
}

/// A host's name: the machine's and the process's id.
struct HostName {
    machine: String,
    pid: i32,
}

impl HostName {
    fn own() -> HostName {
        let machine = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        HostName { machine: machine.unwrap_or_default(), pid: std::process::id().cast_signed() }
    }

    /// Whether a host of this name was on this machine, and its process is gone.
    fn says_gone(&self, name: &str) -> bool {
        let Some((machine, pid)) = name.rsplit_once(':') else { return false };
        let Ok(pid) = pid.parse::<i32>() else { return false };
        // In a container every process may have the same id: then it is our predecessor's.
        machine == self.machine
            && !machine.is_empty()
            && (pid == self.pid || kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.machine, self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dead_process_of_this_machine_is_gone() {
        let own = HostName { machine: "here".into(), pid: 100 };
        let parent = nix::unistd::getppid();
        assert!(own.says_gone("here:100"));
        assert!(own.says_gone("here:2147483647"));
        assert!(!own.says_gone(&format!("here:{parent}")));
        assert!(!own.says_gone("there:2147483647"));
        assert!(!own.says_gone("here"));
    }
}
