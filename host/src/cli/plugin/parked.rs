//! `hookswitch plugin parked` and `hookswitch plugin resume`: events that were parked when a plugin failed.

use std::process::ExitCode;

use clap::Args;
use hookswitch_core::catalog;
use tokio::task::spawn_blocking;

use crate::{
    app::{self, Database},
    check::count,
    cli::{failure::Failure, output, table},
    config::{DatabaseConfig, RulesConfig},
    operate::Operate,
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

/// Lists how many events are parked, by plugin.
///
/// # Errors
/// If the database cannot be reached.
pub async fn list(args: ParkedArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |_| {}).await?;
    let parked = Operate::new(database.store.clone()).parked().await;
    database.close().await;
    let parked = parked?;
    match (args.json, parked.is_empty()) {
        (true, _) => output::json_lines(&parked)?,
        (false, true) => println!("No parked events."),
        (false, false) => {
            let mut table = table::table(&["PLUGIN", "EVENTS", "SINCE"]);
            for of in &parked {
                table.add_row([of.plugin.clone(), of.events.to_string(), table::time(of.since)]);
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
    let done = resume_known(&args, settings, &Operate::new(database.store.clone())).await;
    database.close().await;
    let count_of = count(i64::try_from(done?).unwrap_or(i64::MAX), "event", "events");
    println!("Re-running {count_of} of {}.", args.id);
    Ok(ExitCode::SUCCESS)
}

async fn resume_known(
    args: &ResumeArgs,
    settings: &DatabaseConfig,
    operate: &Operate,
) -> anyhow::Result<u64> {
    let resumed = operate.resume_plugin(&operate.user().await?, &args.id).await?;
    if resumed > 0 {
        return Ok(resumed);
    }
    // Nothing is parked: either all is well, or the id is misspelt.
    let mut known: Vec<String> = operate.parked().await?.into_iter().map(|of| of.plugin).collect();
    let folders = app::current_folders(&args.rules, settings).await?;
    if let Ok(catalog) = spawn_blocking(move || catalog::load(&folders)).await? {
        known.extend(catalog.plugins.keys().cloned());
    }
    if !known.contains(&args.id) {
        let failure = Failure::usage(format!("unknown plugin {:?}", args.id));
        return Err(failure.did_you_mean(&args.id, known.iter().map(String::as_str)).into());
    }
    Ok(0)
}
