//! Events that make very many messages at once: the memory of the host, and what another event waits for meanwhile.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::sleep;

use crate::{
    load,
    program::{Stage, free_address, received},
    rules,
    table::{Row, percentile},
    usage::usage,
};

/// Events at once, and people whom each of them tells.
const SIZES: [(usize, usize, [&str; 3]); 2] = [
    (
        64,
        10_000,
        [
            "64 events to 10,000 people: MiB resident, at most",
            "  messages/s delivered",
            "  ms until another event is routed, p99",
        ],
    ),
    (
        512,
        1_000,
        [
            "512 events to 1,000 people: MiB resident, at most",
            "  messages/s delivered",
            "  ms until another event is routed, p99",
        ],
    ),
];
/// So many messages of each person are waited for: Meta's pair limit keeps the others for longer.
const EACH: usize = 64;
/// From one look at the host's memory to the next.
const LOOK: Duration = Duration::from_millis(100);
/// From one event of another lane to the next.
const OTHER: Duration = Duration::from_millis(500);

/// All of their messages are planned, and those that the pair limit lets go are delivered.
///
/// # Errors
/// Where that takes more than half an hour.
pub async fn measure(program: &Path) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (events, people, names) in SIZES {
        let figures = deliver(program, events, people).await?;
        rows.extend(names.into_iter().zip(figures).map(|(name, figure)| Row::new(name, figure, None)));
    }
    Ok(rows)
}

async fn deliver(program: &Path, events: usize, people: usize) -> anyhow::Result<[f64; 3]> {
    let stage = Stage::open(program).await?;
    stage.database.add_people(1, i32::try_from(people)?).await?;
    rules::write_fair(&stage.folder.path().join("rules"))?;
    let address = free_address()?;
    let simulator = stage.simulator(address)?;
    let host = stage.serve(address, &simulator.url, &[]).await?;
    let most = Arc::new(AtomicU64::new(0));
    let watch = tokio::spawn({
        let (pid, most) = (host.pid(), most.clone());
        async move {
            loop {
                most.fetch_max(usage(pid).resident_mib as u64, Ordering::Relaxed);
                sleep(LOOK).await;
            }
        }
    });

    eprintln!("delivering {} messages of {events} events", events * people);
    let url = format!("{}/v1/events", host.url);
    let start = Instant::now();
    let text = "x".repeat(500);
    let body = move |n: usize| {
        json!({"type": "bench.bulk", "source": "/bench", "id": format!("large-{n}"), "subject": format!("large-{n}"),
            "data": {"number": text}})
        .to_string()
    };
    load::post(&stage.client, &url, &stage.key, events, body).await?;
    let (mut n, mut times) = (0, Vec::new());
    let (planned, delivered) = (i64::try_from(events * people)?, events.min(EACH) * people);
    // One more for each of the others.
    while received(&stage.client, &simulator.url).await? < delivered + n
        || stage.database.count_planned(2).await? < planned
    {
        anyhow::ensure!(
            start.elapsed() < Duration::from_secs(1_800),
            "deliver all messages within half an hour"
        );
        let id = format!("other-{n}");
        let other = json!({"type": "bench.normal", "source": "/bench", "id": id, "subject": id,
            "data": {"to": format!("44700{n:07}"), "number": "1"}});
        let posted = Instant::now();
        load::post_one(&stage.client, &url, &stage.key, other.to_string()).await?;
        while !stage.database.is_routed(&id).await? {
            anyhow::ensure!(
                posted.elapsed() < Duration::from_secs(120),
                "route another event within two minutes"
            );
            sleep(Duration::from_millis(5)).await;
        }
        times.push(posted.elapsed().as_secs_f64() * 1_000.0);
        n += 1;
        sleep(OTHER).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    watch.abort();
    times.sort_by(f64::total_cmp);
    drop(host);
    drop(simulator);
    stage.close().await?;
    let most = most.load(Ordering::Relaxed) as f64;
    Ok([most, delivered as f64 / seconds, percentile(&times, 99)])
}
