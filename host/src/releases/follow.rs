//! A host that follows: it loads whichever release is active, within a second, or says why it cannot.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hookswitch_core::{
    catalog::{Live, NotLoaded, Wanted},
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

    /// Loads the active release; returns the place of its activation, too.
    ///
    /// # Errors
    /// If no release is active, or it cannot be loaded.
    pub async fn open(&self) -> Result<(Arc<Live>, i64), ReleaseError> {
        let active = self.active().await?.ok_or(ReleaseError::NoneActive)?;
        let wanted = wanted(&active);
        let mut is_second = false;
        loop {
            let folders = self.cache.folders(&self.store, &wanted.id, self.sandbox.clone()).await?;
            let of = wanted.clone();
            let opened = spawn_blocking(move || Live::open_release(folders, &of)).await.map_err(lost)?;
            match opened {
                Ok(live) => return Ok((live, active.seq)),
                Err(NotLoaded::Changed(_)) if !is_second => {
                    self.cache.discard(&wanted.id);
                    is_second = true;
                }
                Err(error) => return Err(ReleaseError::NotLoaded(error)),
            }
        }
    }

    /// Swaps the active release into `live`, until `stop`; `seq` is the activation that is live.
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

    /// Swaps the active release in if its activation is not the one that was seen; returns the one that is.
    async fn look(&self, live: &Arc<Live>, seen: i64, is_due: bool) -> Result<i64, ReleaseError> {
        let last = self.store.last_activation().await?;
        if last == seen && !is_due {
            return Ok(seen);
        }
        let Some(active) = self.active().await? else { return Ok(last) };
        if !is_due && live.current().id == active.release {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return Ok(active.seq);
        }
        match self.swap(live, &active).await {
            Ok(()) => {
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let cache = self.cache.clone();
                spawn_blocking(move || cache.clean(&active.release));
                Ok(active.seq)
            }
            Err(error) => {
                let refusal = Refusal { release: short(&active.release).to_owned(), why: error.to_string() };
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                if refused.as_ref() != Some(&refusal) {
                    let (release, kept) = (&refusal.release, &live.current().release);
                    tracing::error!("cannot load the release {release}; {kept} stays live here\n{error}");
                }
                *refused = Some(refusal);
                // What is wrong with a release stays wrong; for the rest it is tried again.
                if error.may_pass() { Err(error) } else { Ok(active.seq) }
            }
        }
    }

    async fn swap(&self, live: &Arc<Live>, active: &Activation) -> Result<(), ReleaseError> {
        let wanted = wanted(active);
        let mut is_second = false;
        loop {
            let folders = self.cache.folders(&self.store, &wanted.id, self.sandbox.clone()).await?;
            let (live, of) = (live.clone(), wanted.clone());
            match spawn_blocking(move || live.swap(&folders, &of)).await.map_err(lost)? {
                Ok(()) => return Ok(()),
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

fn wanted(active: &Activation) -> Wanted {
    Wanted { id: active.release.clone(), may_fail_cases: active.forced }
}

fn lost(error: tokio::task::JoinError) -> ReleaseError {
    ReleaseError::Io { what: "cannot load the release".to_owned(), error: error.into() }
}
