//! Whether delivering slows down while many recipients wait, or while somebody holds an old snapshot open.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{Sizes, deliver::Way, table::Row};

/// How many recipients wait, first these, then these.
const WAITING: [(i32, &str, &str); 2] = [
    (10_000, "waiting-10k", "messages/s delivered, 10k recipients wait"),
    (100_000, "waiting-100k", "messages/s delivered, 100k recipients wait"),
];
/// While a snapshot is open: posted one after the other, for as long as it is.
const RUNS: [&str; 8] = [
    "snapshot-1",
    "snapshot-2",
    "snapshot-3",
    "snapshot-4",
    "snapshot-5",
    "snapshot-6",
    "snapshot-7",
    "snapshot-8",
];

/// Rows of messages per second, each beside what the first run gave, with nobody waiting.
pub async fn measure(
    way: &Way<'_>,
    address: SocketAddr,
    sizes: &Sizes,
    base: f64,
) -> anyhow::Result<Vec<Row>> {
    let events = (sizes.deliver / 2) as usize;
    let database = &way.stage.database;
    let mut rows = Vec::new();
    let mut waiting = 0;
    for (count, run, what) in WAITING {
        database.add_waiting(waiting, count).await?;
        waiting = count;
        // A host learns who waits as it takes its lanes, and looks once at each message since the checkpoints.
        let host = way.serve(address).await?;
        sleep(Duration::from_secs(3)).await;
        rows.push(Row::new(what, way.deliver(run, events).await?.delivered, Some(base)));
        drop(host);
    }
    database.forget_waiting().await?;

    let host = way.serve(address).await?;
    database.hold_snapshot().await?;
    let (start, long) = (Instant::now(), Duration::from_secs(sizes.snapshot_seconds));
    let mut last = base;
    for run in RUNS {
        last = way.deliver(run, events).await?.delivered;
        if start.elapsed() >= long {
            break;
        }
    }
    // What could not be posted because of the pair limit is waited for.
    sleep(long.saturating_sub(start.elapsed())).await;
    database.end_snapshot().await?;
    rows.push(Row::new("messages/s delivered, an old snapshot open", last, Some(base)));
    drop(host);
    Ok(rows)
}
