//! Stores what this host has counted, once a minute, for charts.

use std::{collections::HashMap, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::{TemplateCounts, Totals},
    store::{Store, StoreError},
};

const EVERY: Duration = Duration::from_secs(60);

/// Stores what `totals` has counted, until `stop` and once more then. What could not be stored is added to the next minute.
pub async fn tally(store: Store, totals: Totals, stop: CancellationToken) {
    let (mut stored, mut templates) = (HashMap::new(), HashMap::new());
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopped = tokio::select! {
            _ = every.tick() => false,
            () = stop.cancelled() => true,
        };
        let added = async {
            add(&store, &totals, &mut stored).await?;
            add_templates(&store, &totals, &mut templates).await
        };
        if let Err(error) = added.await {
            tracing::debug!(%error, "failed to store what was counted; it is added to the next minute");
        }
        if stopped {
            return;
        }
        let pruned = async {
            store.prune_tally().await?;
            store.prune_template_days().await
        };
        if let Err(error) = pruned.await {
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

async fn add_templates(
    store: &Store,
    totals: &Totals,
    stored: &mut HashMap<String, TemplateCounts>,
) -> Result<(), StoreError> {
    let counted = totals.of_templates();
    let new: Vec<(String, TemplateCounts)> = counted
        .iter()
        .filter_map(|(template, counts)| {
            let before = stored.get(template).copied().unwrap_or_default();
            Some((template.clone(), counts.since(before)?))
        })
        .collect();
    if !new.is_empty() {
        store.add_template_day(&new).await?;
        *stored = counted;
    }
    Ok(())
}
