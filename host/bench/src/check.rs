//! How long the set-up check takes with a full database.

use std::{path::Path, process::Stdio, time::Instant};

use anyhow::Context;
use hookswitch::config::stranger;
use hookswitch_simulator::Settings;

use crate::{
    program::{Stage, free_address},
    rules,
    table::{Row, median},
};

const PEOPLE: i64 = 100_000;
const NOTIFICATIONS: i64 = 1_000_000;
/// How often the check is run; the median counts.
const ROUNDS: usize = 5;

/// Fills a database, and times the check beside one look at each notification.
///
/// # Errors
/// Where a part cannot be started.
pub async fn measure(program: &Path) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::open(program).await?;
    eprintln!("making {PEOPLE} people and {NOTIFICATIONS} notifications");
    stage.database.fill(PEOPLE, NOTIFICATIONS).await?;
    let rules = stage.folder.path().join("rules");
    rules::write(&rules)?;
    let simulator = stage.simulator(free_address()?)?;

    let (mut checks, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        stage.database.count_notifications().await?;
        floors.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let ran = stranger(program)
            .args(["check", "--json"])
            .env("DATABASE_URL", &stage.url)
            .env("HOOKSWITCH_RULES", &rules)
            .env("WHATSAPP_API_URL", &simulator.url)
            .envs(Settings::default().environment())
            .stdout(Stdio::null())
            .status()
            .context("run the check")?;
        // No host runs: the check says so.
        anyhow::ensure!(ran.code() == Some(1), "run the check: it ended with {ran}");
        checks.push(start.elapsed().as_secs_f64());
    }
    drop(simulator);
    stage.close().await?;
    Ok(vec![Row::new("s for a check of a full database", median(&mut checks), Some(median(&mut floors)))])
}
