//! Whether delivering slows down while many recipients wait, or while somebody holds an old snapshot open.

use std::time::{Duration, Instant};

use super::{BenchArgs, Row, Running, Stage, wait_ready};

/// So many recipients wait, first these, then these.
const WAITING: [(usize, &str, &str); 2] = [
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
pub(super) async fn measure(
    stage: &Stage,
    serve: &mut dyn FnMut() -> anyhow::Result<Running>,
    args: &BenchArgs,
    base: f64,
) -> anyhow::Result<Vec<Row>> {
    let events = (args.deliver / 2) as usize;
    let mut rows = Vec::new();
    let mut waiting = 0;
    for (count, run, what) in WAITING {
        stage.store.seed_waiting(waiting..count).await?;
        waiting = count;
        // A host learns who waits as it takes its lanes, and looks once at each message since the checkpoints.
        let host = serve()?;
        wait_ready(&stage.client, &host.url).await?;
        while stage.store.backlog().await?.notifications > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        rows.push(Row::new(what, stage.deliver(run, events).await?.delivered, Some(base)));
    }
    stage.store.forget_waiting().await?;

    let host = serve()?;
    wait_ready(&stage.client, &host.url).await?;
    let snapshot = stage.store.hold_snapshot().await?;
    let (start, long) = (Instant::now(), Duration::from_secs(args.snapshot_seconds));
    let mut last = base;
    for run in RUNS {
        last = stage.deliver(run, events).await?.delivered;
        if start.elapsed() >= long {
            break;
        }
    }
    // What could not be posted for the pair limit's sake is waited for.
    tokio::time::sleep(long.saturating_sub(start.elapsed())).await;
    stage.store.end_snapshot(snapshot).await?;
    rows.push(Row::new("messages/s delivered, an old snapshot open", last, Some(base)));
    Ok(rows)
}
