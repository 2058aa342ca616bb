//! The whole way, from POST to the simulator, beside PostgreSQL inserting the same rows.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    Sizes, crowd, load,
    program::{Running, Stage, free_address, received},
    rules::{self, GROUPS, MEMBERS, event},
    table::{Row, percentile},
    usage::usage,
};

/// Events that are posted when the host is idle, one after the other.
const IDLE_EVENTS: usize = 200;

/// Rates, latency, WAL, CPU and memory of the whole way.
pub async fn measure(program: &Path, sizes: &Sizes) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::open(program).await?;
    stage.database.add_people(GROUPS as i32, MEMBERS as i32).await?;
    rules::write(&stage.folder.path().join("rules"))?;
    let address = free_address()?;
    let simulator = stage.simulator(address)?;
    let host = stage.serve(address, &simulator.url, &[]).await?;

    eprintln!("posting {IDLE_EVENTS} events one by one to an idle host");
    let (p50, p99) = idle(&stage, &host.url, &simulator.url).await?;
    let way = Way { stage: &stage, host: host.url.clone(), simulator: simulator.url.clone() };
    let events = sizes.deliver as usize;
    let messages = (events * MEMBERS) as f64;
    let (host_before, pg_before) = (usage(host.pid()), usage(stage.postgres()));
    let wal_before = stage.database.wal_position().await?;
    let base = way.deliver("deliver", events).await?;
    sleep(Duration::from_secs(1)).await;
    let wal = stage.database.wal_position().await? - wal_before;
    let (host_after, pg_after) = (usage(host.pid()), usage(stage.postgres()));

    eprintln!("inserting the same notification and delivery rows in the same batches: the floor");
    let floor = stage.database.message_floor().await?;
    let per_thousand = |after: f64, before: f64| (after - before) / messages * 1_000.0;
    let mut rows = vec![
        Row::new("events/s accepted on the way", base.accepted, None),
        Row::new(
            "events/s routed (ten recipients each)",
            base.routed,
            Some(floor.notifications / MEMBERS as f64),
        ),
        Row::new("messages/s delivered", base.delivered, Some(floor.messages)),
        Row::new("WAL bytes per message", wal / messages, Some(floor.wal_bytes)),
        Row::new("ms from POST to the simulator, idle, p50", p50, None),
        Row::new("ms from POST to the simulator, idle, p99", p99, None),
        Row::new(
            "CPU s per 1,000 messages, host",
            per_thousand(host_after.cpu_seconds, host_before.cpu_seconds),
            None,
        ),
        Row::new(
            "CPU s per 1,000 messages, PostgreSQL",
            per_thousand(pg_after.cpu_seconds, pg_before.cpu_seconds),
            None,
        ),
        Row::new("MiB resident, host", host_after.resident_mib, None),
    ];
    drop(host);
    rows.extend(crowd::measure(&way, address, sizes, base.delivered).await?);
    drop(simulator);
    stage.close().await?;
    Ok(rows)
}

/// What messages are delivered with.
pub struct Way<'a> {
    /// The database and the program.
    pub stage: &'a Stage,
    /// The host's URL.
    pub host: String,
    /// The simulator's.
    pub simulator: String,
}

/// What posting events gave, per second.
pub struct Delivered {
    accepted: f64,
    routed: f64,
    /// Messages that the simulator took.
    pub delivered: f64,
}

impl Way<'_> {
    /// Posts events of ten recipients each, and waits until the simulator has all of their messages.
    ///
    /// # Errors
    /// Where that takes more than ten minutes.
    pub async fn deliver(&self, run: &'static str, events: usize) -> anyhow::Result<Delivered> {
        let messages = events * MEMBERS;
        eprintln!("delivering {messages} messages of {events} events ({run})");
        let Stage { client, database, key, .. } = self.stage;
        let start = Instant::now();
        let before = received(client, &self.simulator).await?;
        let routed_before = database.count_routed().await?;
        let posting = tokio::spawn({
            let (client, url, key) = (client.clone(), format!("{}/v1/events", self.host), key.clone());
            async move { load::post(&client, &url, &key, events, move |n| event(run, n)).await }
        });
        let mut routed_time = None;
        loop {
            if routed_time.is_none() && database.count_routed().await? - routed_before >= events as i64 {
                routed_time = Some(start.elapsed());
            }
            if received(client, &self.simulator).await? - before >= messages {
                break;
            }
            anyhow::ensure!(
                start.elapsed() < Duration::from_secs(600),
                "deliver all messages within ten minutes"
            );
            sleep(Duration::from_millis(50)).await;
        }
        let time = start.elapsed();
        let routed_time = routed_time.unwrap_or(time);
        Ok(Delivered {
            accepted: posting.await??.rate(),
            routed: events as f64 / routed_time.as_secs_f64(),
            delivered: messages as f64 / time.as_secs_f64(),
        })
    }

    /// A host, ready.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn serve(&self, address: std::net::SocketAddr) -> anyhow::Result<Running> {
        self.stage.serve(address, &self.simulator, &[]).await
    }
}

/// Posts to an idle host, and returns p50 and p99 of the time to the first of the ten sends, in milliseconds.
async fn idle(stage: &Stage, host: &str, simulator: &str) -> anyhow::Result<(f64, f64)> {
    let client = &stage.client;
    let mut times = Vec::with_capacity(IDLE_EVENTS);
    for n in 0..IDLE_EVENTS {
        let before = received(client, simulator).await?;
        let posted = Timestamp::now();
        load::post_one(client, &format!("{host}/v1/events"), &stage.key, event("idle", n)).await?;
        while received(client, simulator).await? < before + MEMBERS {
            sleep(Duration::from_millis(2)).await;
        }
        // Whatever of the statuses is still under way ends before the next post.
        sleep(Duration::from_millis(30)).await;
        let newest: Value = client
            .get(format!("{simulator}/_simulator/messages?after={before}"))
            .send()
            .await?
            .json()
            .await?;
        let first = newest["data"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|message| message["received_at"].as_str()?.parse::<Timestamp>().ok())
            .min()
            .context("read when the simulator received the messages")?;
        times.push(first.duration_since(posted).as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok((percentile(&times, 50), percentile(&times, 99)))
}
