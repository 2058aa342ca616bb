//! A host that follows: it loads whichever release is active, and the one that decides for a share of the lanes, within a
//! second, or says why it cannot.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hookswitch_core::{
    catalog::{Catalog, Folders, Live, NotLoaded, Wanted},
    decide::plugin::Sandbox,
};
use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Cache, ReleaseError, short};
use crate::store::{Activation, Store, StoreError};

/// A release that was not loaded, and why.
type NotBrought = (String, ReleaseError);

/// Interval of the looks at the last activation: whoever activates also wakes the hosts.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait after a failure that may pass.
const AGAIN: Duration = Duration::from_secs(5);

/// A release that this host could not load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its short name.
    pub release: String,
    /// Why.
    pub why: String,
}

/// What lets a host follow the activations.
#[derive(Clone)]
pub struct Follower {
    store: Store,
    cache: Cache,
    sandbox: Option<Sandbox>,
    woken: Arc<Notify>,
    compiled: Arc<Notify>,
    refused: Arc<Mutex<Option<Refusal>>>,
}

impl Follower {
    /// A follower of the activations in this database.
    pub fn new(store: Store, cache: Cache, sandbox: Option<Sandbox>) -> Follower {
        let (woken, compiled, refused) = Default::default();
        Follower { store, cache, sandbox, woken, compiled, refused }
    }

    /// Notified when somebody says that another release is active.
    pub fn woken(&self) -> Arc<Notify> {
        self.woken.clone()
    }

    /// The active release if this host could not load it.
    pub fn refused(&self) -> Option<Refusal> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the active release, and the one that decides for a share if it can; returns the place of their activation, too.
    ///
    /// # Errors
    /// If no release is active, or the active one cannot be loaded.
    pub async fn open(&self) -> Result<(Arc<Live>, i64), ReleaseError> {
        let active = self.active().await?.ok_or(ReleaseError::NoneActive)?;
        let of_folders = |folders, wanted: Wanted| move || Live::open_release(folders, &wanted);
        let live = self.loaded(&wanted(&active.release, active.forced), of_folders).await?;
        match self.bring(&live, &active, false).await {
            Ok(()) => Ok((live, active.seq)),
            Err(not_brought) => {
                let may_pass = not_brought.1.may_pass();
                self.refuse(&live, &active, &not_brought);
                // Looked at again at once.
                Ok((live, if may_pass { 0 } else { active.seq }))
            }
        }
    }

    /// Brings into `live` what is activated, until `stop`; `seq` is the activation that is live.
    pub async fn run(self, live: Arc<Live>, mut seq: i64, stop: CancellationToken) {
        if let Some(sandbox) = &self.sandbox {
            let compiled = self.compiled.clone();
            sandbox.when_compiled(Arc::new(move || compiled.notify_one()));
        }
        // Of a plugin that was compiled before somebody listened nothing is heard.
        let mut is_due = self.sandbox.as_ref().is_some_and(Sandbox::has_compiled);
        let mut not_before = Instant::now();
        loop {
            if Instant::now() >= not_before {
                match self.look(&live, seq, is_due).await {
                    Ok(seen) => (seq, is_due) = (seen, false),
                    Err(error) if error.may_pass() => {
                        tracing::debug!(%error, "failed to look at the active release");
                        not_before = Instant::now() + AGAIN;
                    }
                    Err(error) => tracing::debug!(%error, "cannot load the active release"),
                }
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = self.woken.notified() => {}
                () = self.compiled.notified() => is_due = true,
                () = stop.cancelled() => return,
            }
        }
    }

    /// Brings in what is activated if that is not the activation that was seen; returns the one that is.
    async fn look(&self, live: &Arc<Live>, seen: i64, is_due: bool) -> Result<i64, ReleaseError> {
        let last = self.store.last_activation().await?;
        if last == seen && !is_due {
            return Ok(seen);
        }
        let Some(active) = self.active().await? else { return Ok(last) };
        match self.bring(live, &active, is_due).await {
            Ok(()) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
                live.forget_errors();
                let cache = self.cache.clone();
                let seq = active.seq;
                spawn_blocking(move || cache.clean(&active.releases()));
                Ok(seq)
            }
            Err(not_brought) => {
                self.refuse(live, &active, &not_brought);
                // What is wrong with a release stays wrong; for the rest it is tried again.
                if not_brought.1.may_pass() { Err(not_brought.1) } else { Ok(active.seq) }
            }
        }
    }

    /// Notes, and logs once, which release could not be loaded.
    fn refuse(&self, live: &Live, active: &Activation, (release, error): &NotBrought) {
        let refusal = Refusal { release: short(release).to_owned(), why: error.to_string() };
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref() != Some(&refusal) {
            let (release, kept) = (&refusal.release, &live.current().release);
            match active.release.starts_with(release) {
                true => tracing::error!("cannot load the release {release}; {kept} stays live here\n{error}"),
                false => tracing::error!(
                    "cannot load the release {release}, which is to decide for a share of the lanes; {kept} decides for \
                     all of them here\n{error}"
                ),
            }
        }
        *refused = Some(refusal);
    }

    /// Loads what is not loaded, or everything anew, and swaps it in. What cannot be loaded leaves in force what was: for the
    /// release of a share that is the main one.
    async fn bring(&self, live: &Arc<Live>, active: &Activation, is_anew: bool) -> Result<(), NotBrought> {
        let main = self.catalog(live, wanted(&active.release, active.forced), is_anew).await?;
        let before = live.in_force();
        let of_share = active.share.as_ref();
        let kept = of_share.zip(before.share()).and_then(|(wanted, (_, catalog))| {
            (catalog.id == wanted.release).then(|| (wanted.lanes, catalog.clone()))
        });
        let is_same = Arc::ptr_eq(before.main(), &main)
            && before.share().map(|(share, catalog)| (share, &catalog.id))
                == kept.as_ref().map(|(share, catalog)| (*share, &catalog.id));
        if !is_same {
            live.put_in_force(main.clone(), kept.clone());
        }
        let Some(of_share) = of_share.filter(|_| is_anew || kept.is_none()) else { return Ok(()) };
        let catalog = self.catalog(live, wanted(&of_share.release, of_share.forced), is_anew).await?;
        live.put_in_force(main, Some((of_share.lanes, catalog)));
        Ok(())
    }

    /// The catalog of a release: the one in force, or loaded.
    async fn catalog(
        &self,
        live: &Arc<Live>,
        wanted: Wanted,
        is_anew: bool,
    ) -> Result<Arc<Catalog>, NotBrought> {
        let in_force = live.in_force();
        if let Some(known) = in_force.all().find(|catalog| !is_anew && catalog.id == wanted.id) {
            return Ok(known.clone());
        }
        let live = live.clone();
        let of_folders = |folders, wanted: Wanted| {
            let live = live.clone();
            move || live.load(&folders, &wanted)
        };
        self.loaded(&wanted, of_folders).await.map_err(|error| (wanted.id, error))
    }

    /// What is made of the folders of a release; if its files are not its own, they are brought once more.
    async fn loaded<T: Send + 'static, F>(
        &self,
        wanted: &Wanted,
        of_folders: impl Fn(Folders, Wanted) -> F,
    ) -> Result<T, ReleaseError>
    where
        F: FnOnce() -> Result<T, NotLoaded> + Send + 'static,
    {
        let mut is_second = false;
        loop {
            let folders = self.cache.folders(&self.store, &wanted.id, self.sandbox.clone()).await?;
            match spawn_blocking(of_folders(folders, wanted.clone())).await.map_err(lost)? {
                Ok(loaded) => return Ok(loaded),
                Err(NotLoaded::Changed(_)) if !is_second => {
                    self.cache.discard(&wanted.id);
                    is_second = true;
                }
                Err(error) => return Err(ReleaseError::NotLoaded(error)),
            }
        }
    }

    async fn active(&self) -> Result<Option<Activation>, StoreError> {
        self.store.last_active().await
    }
}

fn wanted(release: &str, may_fail_cases: bool) -> Wanted {
    Wanted { id: release.to_owned(), may_fail_cases }
}

fn lost(error: tokio::task::JoinError) -> ReleaseError {
    ReleaseError::Io { what: "cannot load the release".to_owned(), error: error.into() }
}
