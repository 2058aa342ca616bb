//! Tells of plugins that this host has stopped calling: `plugin.parked`.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::emit::{new_events, plugin_parked};
use crate::{catalog::Live, decide::plugin::Parked, store::Store};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells of parked plugins until `stop`. `grew` is called when the event log has grown.
pub async fn tell_parked(
    store: Store,
    catalog: Arc<Live>,
    grew: Arc<dyn Fn() + Send + Sync>,
    stop: CancellationToken,
) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // By plugin and revision; one that is resumed and parked again is told again.
    let mut told: HashSet<(String, String)> = HashSet::new();
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = stop.cancelled() => return,
        }
        let parked: Vec<Parked> =
            catalog.current().plugins.values().filter_map(|plugin| plugin.parked()).collect();
        let key = |parked: &Parked| (parked.plugin.clone(), parked.revision.clone());
        let now = Timestamp::now();
        let new: Vec<&Parked> = parked.iter().filter(|parked| !told.contains(&key(parked))).collect();
        let events: Vec<_> = new.iter().filter_map(|parked| plugin_parked(parked, now)).collect();
        if !events.is_empty() {
            if let Err(error) = store.append_events(&new_events(&events), false).await {
                tracing::warn!(%error, "failed to tell of a parked plugin; trying again");
                continue;
            }
            grew();
        }
        told = parked.iter().map(key).collect();
    }
}
