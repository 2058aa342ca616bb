//! `hookswitch bench check`: how long the set-up check takes with a full database.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context;
use tokio::task::spawn_blocking;

use super::{Row, Running, median, print, write_rules};
use crate::{
    config::{DatabaseConfig, Secret},
    postgres,
    simulator::Settings,
};

const PEOPLE: i64 = 100_000;
const NOTIFICATIONS: i64 = 1_000_000;
/// How often the check is run; the median counts.
const ROUNDS: usize = 5;

/// Fills a database, and times the check beside one look at each notification.
///
/// # Errors
/// Where a part cannot be started.
pub async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("hookswitch-bench-").tempdir().context("make a folder")?;
    let data_dir = folder.path().join("data");
    let server =
        spawn_blocking(move || postgres::start(&data_dir, &mut |step| eprintln!("{step}"))).await??;
    let url = server.url(postgres::DATABASE);
    let database = DatabaseConfig {
        database_url: Some(Secret::from(url.as_str())),
        data_dir: folder.path().join("unused"),
    };
    let opened = crate::app::Database::open(&database, &mut |step| eprintln!("{step}")).await?;
    eprintln!("making {PEOPLE} people and {NOTIFICATIONS} notifications");
    opened.store.fill_bench(PEOPLE, NOTIFICATIONS).await?;
    let rules = folder.path().join("rules");
    write_rules(&rules)?;
    let program = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(&program);
    command.args(["simulate", "--listen", "127.0.0.1:0"]);
    let simulator = Running::start(&mut command)?;

    let (mut checks, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        opened.store.count_notifications().await?;
        floors.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let ran = Command::new(&program)
            .args(["check", "--json"])
            .env("DATABASE_URL", &url)
            .env("HOOKSWITCH_RULES", &rules)
            .env("WHATSAPP_API_URL", &simulator.url)
            .envs(Settings::default().environment())
            .stdout(Stdio::null())
            .status()
            .context("run the check")?;
        // Nobody runs a host: the check says so.
        anyhow::ensure!(ran.code() == Some(1), "run the check: it ended with {ran}");
        checks.push(start.elapsed().as_secs_f64());
    }
    print(&[Row::new("s for a check of a full database", median(&mut checks), Some(median(&mut floors)))]);
    drop(simulator);
    drop(opened);
    spawn_blocking(move || server.stop()).await?;
    Ok(())
}
