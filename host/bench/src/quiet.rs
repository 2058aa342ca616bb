//! What a host costs when there is little to do.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    load,
    program::{Stage, free_address, received},
    rules::{self, GROUPS, MEMBERS, event},
    table::Row,
    usage::{usage, wake_ups},
};

/// How long each of the two is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// Events per second of ten messages each: a hundred messages per second.
const STEADY: f64 = 10.0;

/// Wake-ups and CPU of an idle host, and CPU per 1,000 messages at a steady hundred per second.
pub async fn measure(program: &Path) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::open(program).await?;
    stage.database.add_people(GROUPS as i32, MEMBERS as i32).await?;
    rules::write(&stage.folder.path().join("rules"))?;
    let address = free_address()?;
    let simulator = stage.simulator(address)?;
    let host = stage.serve(address, &simulator.url, &[]).await?;
    sleep(Duration::from_secs(10)).await;

    eprintln!("watching an idle host for {} s", WATCHED.as_secs());
    let seconds = WATCHED.as_secs_f64();
    let (host_before, pg_before) = (usage(host.pid()), usage(stage.postgres()));
    let (woken, commits) = (wake_ups(host.pid()), stage.database.commits().await?);
    sleep(WATCHED).await;
    let (host_after, pg_after) = (usage(host.pid()), usage(stage.postgres()));
    // What the look itself commits is not the host's.
    let commits = stage.database.commits().await? - commits - 1.0;
    let mut rows = vec![
        Row::new("wake-ups/s, idle", (wake_ups(host.pid()) - woken) / seconds, None),
        Row::new("database transactions/s, idle", commits / seconds, None),
        Row::new(
            "CPU ms per s, idle, host",
            (host_after.cpu_seconds - host_before.cpu_seconds) * 1_000.0 / seconds,
            None,
        ),
        Row::new(
            "CPU ms per s, idle, PostgreSQL",
            (pg_after.cpu_seconds - pg_before.cpu_seconds) * 1_000.0 / seconds,
            None,
        ),
        Row::new("MiB resident, idle host", host_after.resident_mib, None),
    ];

    // So that each recipient is one who was written to before.
    let url = format!("{}/v1/events", host.url);
    let events = (STEADY * seconds) as usize;
    load::post(&stage.client, &url, &stage.key, events, |n| event("warm", n)).await?;
    while received(&stage.client, &simulator.url).await? < events * MEMBERS {
        sleep(Duration::from_millis(500)).await;
    }
    sleep(Duration::from_secs(5)).await;

    eprintln!("posting {STEADY} events of ten messages per second for {} s", WATCHED.as_secs());
    let (host_before, pg_before) = (usage(host.pid()), usage(stage.postgres()));
    let start = Instant::now();
    let mut n = 0;
    while start.elapsed() < WATCHED {
        load::post_one(&stage.client, &url, &stage.key, event("steady", n)).await?;
        n += 1;
        sleep(Duration::from_secs_f64(n as f64 / STEADY).saturating_sub(start.elapsed())).await;
    }
    sleep(Duration::from_secs(1)).await;
    let (host_after, pg_after) = (usage(host.pid()), usage(stage.postgres()));
    let thousands = (n * MEMBERS) as f64 / 1_000.0;
    rows.push(Row::new(
        "CPU s per 1,000 messages at a steady 100/s, host",
        (host_after.cpu_seconds - host_before.cpu_seconds) / thousands,
        None,
    ));
    rows.push(Row::new(
        "CPU s per 1,000 messages at a steady 100/s, PostgreSQL",
        (pg_after.cpu_seconds - pg_before.cpu_seconds) / thousands,
        None,
    ));
    drop(host);
    drop(simulator);
    stage.close().await?;
    Ok(rows)
}
