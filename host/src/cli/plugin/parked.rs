//! `hookswitch plugin parked` and `hookswitch plugin resume`: events that were parked when a plugin failed.

use std::process::ExitCode;

use clap::Args;
use hookswitch_core::catalog;
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::{
    app::{self, Database},
    check::count,
    cli::{failure::Failure, output, table},
    config::{DatabaseConfig, RulesConfig},
    store::{ParkedFacts, Store},
};

/// The arguments of `hookswitch plugin parked`.
#[derive(Args, Debug)]
pub struct ParkedArgs {
    /// Print each plugin as a JSON object per line
    #[arg(long)]
    json: bool,
}

/// The arguments of `hookswitch plugin resume`.
#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// Id of the plugin
    id: String,
    #[command(flatten)]
    rules: RulesConfig,
}

/// The parked events of a plugin, as they are listed.
#[derive(Serialize)]
struct ParkedJson<'a> {
    plugin: &'a str,
    events: i64,
    since: Timestamp,
}

impl<'a> From<&'a ParkedFacts> for ParkedJson<'a> {
    fn from(parked: &'a ParkedFacts) -> Self {
        ParkedJson { plugin: &parked.plugin, events: parked.count, since: parked.since }
    }
}

/// Lists how many events are parked, by plugin.
///
/// # Errors
/// If the database cannot be reached.
pub async fn list(args: ParkedArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |_| {}).await?;
    let parked = database.store.parked().await;
    database.close().await;
    let parked = parked?;
    match (args.json, parked.is_empty()) {
        (true, _) => output::json_lines(parked.iter().map(ParkedJson::from))?,
        (false, true) => println!("No parked events."),
        (false, false) => {
            let mut table = table::table(&["PLUGIN", "EVENTS", "SINCE"]);
            for facts in &parked {
                table.add_row([facts.plugin.clone(), facts.count.to_string(), table::time(facts.since)]);
            }
            table::print(&table);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Re-runs the parked events of a plugin; running hosts pick them up within a second.
///
/// # Errors
/// If the database cannot be reached, or no plugin has this id.
pub async fn resume(args: ResumeArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, &mut |_| {}).await?;
    let done = resume_known(&args, settings, &database.store).await;
    database.close().await;
    let count_of = count(i64::try_from(done?).unwrap_or(i64::MAX), "event", "events");
    println!("Re-running {count_of} of {}.", args.id);
    Ok(ExitCode::SUCCESS)
}

async fn resume_known(args: &ResumeArgs, settings: &DatabaseConfig, store: &Store) -> anyhow::Result<u64> {
    let resumed = store.resume_parked(&args.id).await?;
    if resumed > 0 {
        store.notify().await?;
        return Ok(resumed);
    }
    // Nothing is parked: either all is well, or the id is misspelt.
    let mut known: Vec<String> = store.parked().await?.into_iter().map(|facts| facts.plugin).collect();
    let folders = app::folders(&args.rules, settings, false)?;
    if let Ok(catalog) = spawn_blocking(move || catalog::load(&folders)).await? {
        known.extend(catalog.plugins.keys().cloned());
    }
    if !known.contains(&args.id) {
        let failure = Failure::usage(format!("unknown plugin {:?}", args.id));
        return Err(failure.did_you_mean(&args.id, known.iter().map(String::as_str)).into());
    }
    Ok(0)
}
