//! Keeps the logs from growing for ever: what is older than so many days is dropped, by one host at a time.
//!
//! The logs are not cut into partitions by day: their unique keys (an event's id and source, an attempt's status)
//! reach over all days, and a partitioned table can only hold keys that name the day. So rows are deleted, oldest
//! first, in small transactions; what is freed is used again, because vacuum runs after 2 % (see the migration).

use std::time::Duration;

use hookswitch_core::domain::{LANES, Lane, NotificationId};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::store::{Pruned, Store, StoreError};

const EVERY: Duration = Duration::from_secs(600);
/// So many events are looked at in one transaction.
const BATCH: i64 = 500;
/// The least pause between two transactions; the usual one is as long as the transaction took, so that at most half
/// of one connection is busy with it.
const PAUSE: Duration = Duration::from_millis(5);

/// Drops what is older than `keep`, until `stop`.
pub async fn prune(store: Store, keep: SignedDuration, stop: CancellationToken) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.cancelled() => return,
        }
        // The database's clock: a host whose own is ahead drops nothing too early.
        let Ok(before) = store.now().checked_sub(keep) else { continue };
        match pass(&store, before, &stop).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, %before, "dropped old events with all that came of them"),
            Err(error) => tracing::warn!(%error, "failed to drop what is old; trying again in 10 minutes"),
        }
    }
}

async fn pass(store: &Store, before: Timestamp, stop: &CancellationToken) -> Result<u64, StoreError> {
    let mut events = 0;
    for lane in (0..LANES).map(Lane) {
        let mut after = 0;
        loop {
            if stop.is_cancelled() {
                return Ok(events);
            }
            let began = Instant::now();
            let Some(Pruned { events: dropped, next }) =
                store.prune_events(lane, after, before, BATCH).await?
            else {
                return Ok(events);
            };
            events += dropped;
            let Some(next) = next else { break };
            after = next;
            sleep(began.elapsed().max(PAUSE)).await;
        }
    }
    let mut after = NotificationId(Uuid::nil());
    while let Some(next) = store.prune_deliveries(after, before, BATCH).await? {
        after = next;
        sleep(PAUSE).await;
        if stop.is_cancelled() {
            return Ok(events);
        }
    }
    // What operators did is kept for a year, whatever --keep says.
    while store.prune_actions().await? > 0 {
        sleep(PAUSE).await;
        if stop.is_cancelled() {
            return Ok(events);
        }
    }
    while store.prune_withdrawals(before, BATCH).await? > 0 {
        sleep(PAUSE).await;
        if stop.is_cancelled() {
            return Ok(events);
        }
    }
    while store.prune_releases(before).await? > 0 {
        sleep(PAUSE).await;
        if stop.is_cancelled() {
            return Ok(events);
        }
    }
    while store.prune_replays(before, BATCH).await? > 0 {
        sleep(PAUSE).await;
        if stop.is_cancelled() {
            return Ok(events);
        }
    }
    while store.prune_shadows(before, BATCH).await? > 0 {
        sleep(PAUSE).await;
        if stop.is_cancelled() {
            return Ok(events);
        }
    }
    store.prune_schedules(before).await?;
    store.prune_rule_failures(before).await?;
    Ok(events)
}
