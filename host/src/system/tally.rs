//! Stores what this host has counted, once a minute, for charts.

use std::{collections::HashMap, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::Totals,
    store::{Store, StoreError},
};

const EVERY: Duration = Duration::from_secs(60);

/// Stores what `totals` has counted, until `stop` and once more then. What could not be stored is added to the next minute.
pub async fn tally(store: Store, totals: Totals, stop: CancellationToken) {
    let mut stored = HashMap::new();
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopped = tokio::select! {
            _ = every.tick() => false,
            () = stop.cancelled() => true,
        };
        if let Err(error) = add(&store, &totals, &mut stored).await {
            tracing::debug!(%error, "failed to store what was counted; it is added to the next minute");
        }
        if stopped {
            return;
        }
        if let Err(error) = store.prune_tally().await {
            tracing::debug!(%error, "failed to remove old counts; trying again in a minute");
        }
    }
}

type Key = (&'static str, &'static str);

async fn add(store: &Store, totals: &Totals, stored: &mut HashMap<Key, u64>) -> Result<(), StoreError> {
    let counted: Vec<(Key, u64)> = totals.read().collect();
    let new: Vec<(&str, &str, i64)> = counted
        .iter()
        .filter_map(|((kind, label), n)| {
            let new = n.saturating_sub(stored.get(&(*kind, *label)).copied().unwrap_or(0));
            (new > 0).then(|| (*kind, *label, i64::try_from(new).unwrap_or(i64::MAX)))
        })
        .collect();
    if !new.is_empty() {
        store.add_tally(&new).await?;
        stored.extend(counted);
    }
    Ok(())
}
