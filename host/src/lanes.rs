//! Which lanes this host holds. A heartbeat renews the leases, takes what is free up to a fair share, and
//! gives back what is above it. Leases are for order and for little contention; correctness is unique keys.

mod beat;
mod grown;
mod identity;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hookswitch_core::domain::{LANES, Lane, LaneShare};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::identity::Identity;
pub use self::{
    beat::Beat,
    grown::{Grew, Grown, Unread},
};
use crate::store::{HostSeen, Incarnation, LEASE, Store, StoreError, WebhookFacts};

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
    /// The server that the checkpoints were read from. Where another answers, which may lack the end of the logs, places
    /// in them mean nothing until the lanes are held anew.
    pub incarnation: Option<Incarnation>,
}

/// The names of the hosts that use this database now; a host that was killed on this machine is not one of them.
///
/// # Errors
/// Where PostgreSQL does not answer.
#[cfg(feature = "simulator")]
pub async fn living(store: &Store) -> Result<Vec<String>, StoreError> {
    if store.hosts_alive().await? == 0 {
        return Ok(Vec::new());
    }
    let own = Identity::own();
    let is_gone = |identity: &str| {
        own.as_ref().zip(Identity::read(identity)).is_some_and(|(own, other)| own.says_gone(&other))
    };
    let hosts = store.hosts().await?.into_iter();
    Ok(hosts.filter(|(_, _, identity)| !is_gone(identity)).map(|(_, name, _)| name).collect())
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

/// A release, and another one that decides for a share of the lanes.
pub type LiveReleases = (String, Option<(String, LaneShare)>);

/// What a heartbeat tells beside that this host lives.
#[derive(Clone)]
pub struct News {
    /// The release of the rules that are live here, and the one that decides for a share of the lanes.
    pub releases: Arc<dyn Fn() -> LiveReleases + Send + Sync>,
    /// Whether the rules come from the database, and not from a folder.
    pub follows: bool,
    /// The active release that could not be loaded here, and why.
    pub refused: Arc<dyn Fn() -> Option<(String, String)> + Send + Sync>,
    /// What was seen of Meta's webhooks since the last call.
    pub webhooks: Arc<dyn Fn() -> Option<WebhookFacts> + Send + Sync>,
}

/// Holds lanes until it is stopped.
pub struct Holder {
    store: Store,
    host: Uuid,
    name: String,
    identity: Option<Identity>,
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
        (
            Holder {
                store,
                host,
                name: own_name(),
                identity: Identity::own(),
                progress,
                news,
                leases,
                terms: 0,
            },
            receiver,
        )
    }

    /// Holds lanes until `stop`, then gives them back.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Err(error) = self.inherit().await {
            tracing::debug!(%error, "failed to look for killed hosts; their lanes are free in 15 s");
        }
        let mut incarnation = self.store.incarnation();
        loop {
            incarnation.mark_unchanged();
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
                Ok(()) = incarnation.changed() => {}
                () = stop.cancelled() => break,
            }
        }
        self.leave().await;
    }

    /// Frees the lanes of hosts that were killed on this machine, so that a restart need not wait for their
    /// leases to end.
    async fn inherit(&self) -> Result<(), StoreError> {
        let Some(own) = &self.identity else { return Ok(()) };
        let all: Vec<Lane> = (0..LANES).map(Lane).collect();
        for (host, name, identity) in self.store.hosts().await? {
            if host != self.host && Identity::read(&identity).is_some_and(|other| own.says_gone(&other)) {
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
        let refused = (self.news.refused)();
        let (release, share) = (self.news.releases)();
        let incarnation = self
            .store
            .host_seen(&HostSeen {
                id: self.host,
                name: &self.name,
                identity: &self.identity.as_ref().map(Identity::text).unwrap_or_default(),
                release: &release,
                share: share.as_ref().map(|(release, share)| (release.as_str(), *share)),
                follows: self.news.follows,
                refused: refused.as_ref().map(|(release, why)| (release.as_str(), why.as_str())),
            })
            .await?;
        if let Some(seen) = (self.news.webhooks)() {
            self.store.webhooks_seen(&seen).await?;
        }
        let hosts = self.store.hosts_alive().await?.max(1);
        let renewed = self.store.renew_lanes(self.host).await?;
        let (mut lanes, known) = {
            let held = self.leases.borrow();
            (held.lanes.clone(), held.incarnation.clone())
        };
        if known.as_ref().is_some_and(|known| *known != incarnation) {
            tracing::warn!(
                "another PostgreSQL answers, or the same anew: reading from its logs how far they are"
            );
            self.store.skip_seqs().await?;
            lanes.clear();
        }
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
        self.leases.send_replace(Leases {
            lanes,
            until: Some(asked + LEASE - MARGIN),
            hosts,
            incarnation: Some(incarnation),
        });
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

/// A host's name, for people: the machine's and the process's id.
pub fn own_name() -> String {
    let machine = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    format!("{}:{}", machine.unwrap_or_default(), std::process::id())
}
