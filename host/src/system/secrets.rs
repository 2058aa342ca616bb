//! Forgets the messages with values that must not stay, once they are settled.

use std::time::Duration;

use hookswitch_core::domain::NotificationId;
use jiff::SignedDuration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::Store;

const EVERY: Duration = Duration::from_secs(3);
/// Messages that are looked at each time. With more, for example because they wait for a window, the next look goes on.
const PAGE: i64 = 2_000;
/// How long a message that Meta took is kept for another attempt, should Meta report a failure: then it counts as settled
/// though nobody knows whether it arrived.
const TAKEN_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Forgets what is settled, until `stop`.
pub async fn forget_secrets(store: Store, stop: CancellationToken) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = NotificationId(Uuid::nil());
    let mut after = first;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.cancelled() => return,
        }
        let Ok(taken_before) = store.now().checked_sub(TAKEN_FOR) else { continue };
        match store.forget_secrets(after, taken_before, PAGE).await {
            Ok(next) => after = next.unwrap_or(first),
            Err(error) => tracing::warn!(%error, "failed to forget values that must not stay; trying again"),
        }
    }
}
