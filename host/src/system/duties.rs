//! What any of the hosts does that comes first: tells of messages and rules that failed, forgets values that must not
//! stay, and sends what was held and is resumed. One short look says whether there is any of it, so that hosts that have nothing to do ask PostgreSQL for little.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{failures::tell_failures, rule_failures::tell_rule_failures, secrets::Forgetting};
use crate::store::Store;

const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Does what there is to do until `stop`. `grew` is called when the event log has grown.
pub async fn do_duties(store: Store, grew: Arc<dyn Fn() + Send + Sync>, stop: CancellationToken) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut forgetting = Forgetting::default();
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = stop.cancelled() => return,
        }
        let duties = match store.duties().await {
            Ok(duties) => duties,
            Err(error) => {
                tracing::warn!(%error, "failed to look for failures to tell of; trying again");
                continue;
            }
        };
        if duties.failures {
            match tell_failures(&store).await {
                Ok(true) => grew(),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "failed to tell of failed messages; trying again"),
            }
        }
        if duties.rule_failures {
            match tell_rule_failures(&store).await {
                Ok(true) => grew(),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "failed to tell of rules that failed; trying again"),
            }
        }
        if duties.secrets
            && let Err(error) = forgetting.step(&store).await
        {
            tracing::warn!(%error, "failed to forget values that must not stay; trying again");
        }
        if duties.stopped
            && let Err(error) = store.wake_stopped().await
        {
            tracing::warn!(%error, "failed to resume messages that were held; trying again");
        }
    }
}
