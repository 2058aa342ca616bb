//! Replaying past events: by the rules that decided them, by rules with other words, and beside a host that delivers.

use std::{
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use hookswitch::config::stranger;
use tokio::time::sleep;

use crate::{
    deliver::Way,
    load,
    program::{Stage, free_address},
    rules::{self, GROUPS, MEMBERS, event},
    table::{Row, median},
    usage::usage,
};

/// Events that a host decides; the others are copies of them.
const DECIDED: usize = 1_000;

/// Past events that are replayed again and again beside a host.
const BESIDE: i64 = 100_000;
/// Events that the host delivers meanwhile, and as often without a replay.
const LIVE: usize = 2_000;
/// Names of these runs, in turns: without a replay, and beside one.
const RUNS: [(&str, &str); 3] = [("alone-1", "beside-1"), ("alone-2", "beside-2"), ("alone-3", "beside-3")];

/// Events per second, and the memory of the command, for this many events by a script.
pub async fn measure(program: &Path, events: u32) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::open(program).await?;
    stage.database.add_people(GROUPS as i32, MEMBERS as i32).await?;
    let rules = stage.folder.path().join("rules");
    rules::write(&rules)?;
    let address = free_address()?;
    let simulator = stage.simulator(address)?;
    let host = stage.serve(address, &simulator.url, &[]).await?;
    let url = format!("{}/v1/events", host.url);
    load::post(&stage.client, &url, &stage.key, DECIDED, |n| event("replay", n)).await?;
    while stage.database.count_routed().await? < DECIDED as i64 {
        sleep(Duration::from_millis(200)).await;
    }
    drop(host);
    eprintln!("making {events} past events of {DECIDED}");
    stage.database.repeat_events(i64::from(events) / DECIDED as i64).await?;
    stage.database.settle().await?;

    let (same, mib) = replay(&stage, &rules).await?;
    let template = rules.join("bench/templates/bench.j2");
    let words = std::fs::read_to_string(&template).context("read the template")?;
    std::fs::write(&template, words.replace("thank you", "many thanks")).context("write the template")?;
    let (words, mib_words) = replay(&stage, &rules).await?;
    drop(simulator);
    stage.close().await?;
    let (alone, beside) = live(program).await?;
    let events = f64::from(events);
    Ok(vec![
        Row::new("events replayed/s by the same rules", events / same, None),
        Row::new("MiB resident meanwhile", mib, None),
        Row::new("events replayed/s with other words for ten people each", events / words, None),
        Row::new("MiB resident meanwhile", mib_words, None),
        Row::new("messages/s delivered beside a replay", beside, Some(alone)),
    ])
}

/// Messages per second of a host alone, and beside a replay; the medians.
async fn live(program: &Path) -> anyhow::Result<(f64, f64)> {
    let stage = Stage::open(program).await?;
    stage.database.add_people(GROUPS as i32, MEMBERS as i32).await?;
    let rules = stage.folder.path().join("rules");
    rules::write(&rules)?;
    let address = free_address()?;
    let simulator = stage.simulator(address)?;
    let host = stage.serve(address, &simulator.url, &[]).await?;
    let way = Way { stage: &stage, host: host.url.clone(), simulator: simulator.url.clone() };
    way.deliver("past", DECIDED).await?;
    stage.database.repeat_events(BESIDE / DECIDED as i64).await?;
    stage.database.settle().await?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for (without, with) in RUNS {
        alone.push(way.deliver(without, LIVE).await?.delivered);
        let delivered = tokio::select! {
            delivered = way.deliver(with, LIVE) => delivered?,
            error = again(&stage, &rules) => return Err(error),
        };
        beside.push(delivered.delivered);
    }
    drop((host, simulator));
    stage.close().await?;
    Ok((median(&mut alone), median(&mut beside)))
}

/// Replays all of it, again and again.
async fn again(stage: &Stage, rules: &Path) -> anyhow::Error {
    loop {
        if let Err(error) = replay(stage, rules).await {
            return error;
        }
    }
}

/// A replay that ends when it is dropped.
struct Replaying(Child);

impl Drop for Replaying {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Replays all of it: the seconds that takes, and the most memory that the command has meanwhile.
async fn replay(stage: &Stage, rules: &Path) -> anyhow::Result<(f64, f64)> {
    let start = Instant::now();
    let child = stranger(&stage.program)
        .args(["replay", "--since", "1d"])
        .env("DATABASE_URL", &stage.url)
        .env("HOOKSWITCH_RULES", rules)
        .env("HOOKSWITCH_PLUGINS", stage.folder.path().join("plugins"))
        .env("HOOKSWITCH_DATA_DIR", stage.folder.path().join("replays"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("run the replay")?;
    let mut replaying = Replaying(child);
    let mut most: f64 = 0.0;
    loop {
        if let Some(status) = replaying.0.try_wait().context("wait for the replay")? {
            anyhow::ensure!(status.success(), "run the replay: it ended with {status}");
            return Ok((start.elapsed().as_secs_f64(), most));
        }
        most = most.max(usage(replaying.0.id()).resident_mib);
        sleep(Duration::from_millis(100)).await;
    }
}
