//! A host that serves a folder: each catalog that it loads is stored and activated as a release, so that decisions name
//! releases that can be shown and compared, and hosts that follow decide by the same rules.

use std::{sync::Arc, time::Duration};

use hookswitch_core::catalog::{self, Catalog, Live, Outline};
use tokio::{task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{Read, ReleaseError, Verdict, add};
use crate::store::{ActivationWay, NewActivation, Store};

/// How long to wait after a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// Stores and activates what `live` loads from its folder, until `stop`. `who` is the host's name.
pub async fn register(store: Store, live: Arc<Live>, who: String, stop: CancellationToken) {
    let mut swapped = live.swapped();
    loop {
        swapped.mark_unchanged();
        let pause = match registered(&store, &live, &who).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, "failed to store the live rules as a release; trying again");
                Some(AGAIN)
            }
        };
        let again = async {
            match pause {
                Some(pause) => sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Its sender is a part of `live`.
            _ = swapped.changed() => {}
            () = again => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn registered(store: &Store, live: &Arc<Live>, who: &str) -> Result<(), ReleaseError> {
    let current = live.current();
    if store.find_releases(&current.id).await?.is_empty() {
        let Some(read) = read(live, &current).await? else { return Ok(()) };
        add(store, &read, who, None, None).await?;
    }
    // What was swapped in meanwhile is registered next.
    loop {
        let last = store.last_active().await?;
        // One that decides for a share beside it stays: this host takes no part in that.
        if last.as_ref().is_some_and(|last| last.release == current.id) {
            return Ok(());
        }
        let new = NewActivation {
            release: &current.id,
            who,
            way: ActivationWay::Serve,
            forced: false,
            reason: None,
            share: None,
            after: last.map_or(0, |last| last.seq),
        };
        if store.activate_release(&new, None).await? {
            return Ok(store.notify_of_release().await?);
        }
    }
}

/// The files of the live catalog; `None` if they have changed since, so that another catalog follows.
async fn read(live: &Arc<Live>, current: &Arc<Catalog>) -> Result<Option<Read>, ReleaseError> {
    let (live, current) = (live.clone(), current.clone());
    let read = spawn_blocking(move || {
        let snapshot = catalog::snapshot(live.folders()).ok().filter(|snapshot| snapshot.id == current.id)?;
        let verdict = Verdict::live(&current);
        let outline = Some(Outline::new(&current, &snapshot));
        Some(Read { snapshot: Arc::new(snapshot), verdict, outline, findings: None })
    });
    read.await
        .map_err(|error| ReleaseError::Io { what: "cannot read the folder".to_owned(), error: error.into() })
}
