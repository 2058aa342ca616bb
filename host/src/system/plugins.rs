//! Tells of plugins that this host has stopped calling: `plugin.parked`. Has the events decided that waited for a
//! plugin's compiler.

use std::{collections::HashSet, sync::Arc, time::Duration};

use hookswitch_core::{
    catalog::{InForce, Live},
    decide::plugin::{Held, Parked},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::emit::{new_events, plugin_parked};
use crate::store::Store;

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells of parked plugins, and resumes those that are compiled at last, until `stop`. `grew` is called when the event log has grown.
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
    let mut compiling: HashSet<String> = HashSet::new();
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = stop.cancelled() => return,
        }
        // Those of a release that decides for a share of the lanes, too.
        let current = catalog.in_force();
        let compiled: Vec<String> =
            compiling.iter().filter(|id| !is_compiling(&current, id)).cloned().collect();
        for id in compiled {
            match store.resume_parked(&id, None).await {
                Ok(_) => compiling.remove(&id),
                Err(error) => {
                    tracing::warn!(%error, "failed to resume a plugin that is compiled; trying again");
                    continue;
                }
            };
            grew();
        }
        let plugins = || current.all().flat_map(|catalog| &catalog.plugins);
        compiling.extend(plugins().map(|(id, _)| id).filter(|id| is_compiling(&current, id)).cloned());
        let mut parked: Vec<Parked> = plugins().filter_map(|(_, plugin)| plugin.parked()).collect();
        let mut known = HashSet::new();
        parked.retain(|parked| known.insert((parked.plugin.clone(), parked.revision.clone())));
        let key = |parked: &Parked| (parked.plugin.clone(), parked.revision.clone());
        let now = store.now();
        let new: Vec<&Parked> = parked.iter().filter(|parked| !told.contains(&key(parked))).collect();
        let events: Vec<_> = new.iter().filter_map(|parked| plugin_parked(parked, now)).collect();
        if !events.is_empty() {
            if let Err(error) = store.append_own(&new_events(&events)).await {
                tracing::warn!(%error, "failed to tell of a parked plugin; trying again");
                continue;
            }
            grew();
        }
        told = parked.iter().map(key).collect();
    }
}

fn is_compiling(in_force: &InForce, id: &str) -> bool {
    let mut plugins = in_force.all().filter_map(|catalog| catalog.plugins.get(id));
    plugins.any(|plugin| plugin.held() == Some(&Held::Compiling))
}
