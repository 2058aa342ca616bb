//! `hookswitch check`: whether everything is set up, and how to fix what is not.

mod fix;
mod given;
mod print;

use std::{collections::BTreeSet, process::ExitCode};

use clap::Args;
use hookswitch_core::catalog::{self, Catalog};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use self::given::Given;
use super::{confirm::Confirmation, output};
use crate::{
    app::{self, Database},
    check::{self, Report, Severity, Subject},
    config::{Config, DatabaseConfig, RulesConfig, ServeArgs},
};

/// The arguments of `hookswitch check`.
#[derive(Args, Debug)]
#[command(
    long_about = "Check the whole set-up and say how to fix what is wrong\n\nThis covers settings, database, rules, groups, \
                  people, API keys, templates, the Cloud API, the webhook, hosts, schedules, and events and messages that \
                  wait or failed. Each finding ends with a command to paste or with what to do; the command has the \
                  settings that were given as flags. With --verbose a table shows which groups are told of which events.",
    after_help = "The status is 0 if nothing keeps messages from being sent, and 1 if there is a critical finding."
)]
pub struct CheckArgs {
    /// Show notes and all facts, too
    #[arg(long, short)]
    verbose: bool,
    /// Print a JSON document; its member schema increases with breaking changes
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    /// Fix what is safe to fix: apply migrations, create groups, submit missing templates to Meta after confirmation
    #[arg(long)]
    fix: bool,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Checks, fixes if asked, and prints.
///
/// # Errors
/// If the report cannot be printed.
pub async fn run(args: CheckArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let rules = args.serve.rules();
    let folders = match app::current_folders(rules, database).await {
        Ok(folders) => folders,
        // What is wrong with the database is found below.
        Err(_) if rules.follows() => app::folders(rules, database, false)?,
        Err(error) => return Err(error.into()),
    };
    let loading = spawn_blocking(move || catalog::load(&folders));
    let opened = Database::open_as_is(database, &mut |_| {}).await;
    let catalog = loading.await?;
    let of_share = match &opened {
        Ok(opened) if rules.follows() => of_share(rules, database, opened).await?,
        _ => None,
    };
    let settings = Config::new(args.serve.clone(), database.clone());
    let why = opened.as_ref().err().map(ToString::to_string).unwrap_or_default();
    if args.fix {
        let database = opened.as_ref().map_err(|_| why.as_str());
        fix::fix(&settings, &catalog, database, args.confirmation).await?;
    }
    let subject = Subject {
        settings: settings.as_ref().map(|config| &config.whatsapp),
        catalog: catalog.as_ref(),
        share: of_share.as_ref(),
        store: opened.as_ref().map(|database| &database.store).map_err(|_| why.clone()),
        data_dir: database.database_url.is_none().then_some(database.data_dir.as_path()),
    };
    let mut report = check::check(&subject, Timestamp::now()).await;
    let variables = carry(&Given::new(database), &mut report);
    if args.json {
        output::json(&report)?;
    } else {
        print::print(&report, args.verbose);
    }
    if !variables.is_empty() {
        let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
        eprintln!(
            "The commands do not show secrets. Before you paste them, set to the values that you gave as flags: {}",
            variables.join(", ")
        );
    }
    if args.fix {
        fix::tell_left(&report);
    }
    if let Ok(database) = opened {
        database.close().await;
    }
    Ok(if report.status == Some(Severity::Critical) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The rules of a release that decides for a share of the lanes, if they compile.
async fn of_share(
    rules: &RulesConfig,
    database: &DatabaseConfig,
    opened: &Database,
) -> anyhow::Result<Option<Catalog>> {
    // What is wrong with the database, or with the release, is found below and by the hosts.
    let Ok(Some(folders)) = app::share_folders(rules, database, &opened.store).await else { return Ok(None) };
    Ok(spawn_blocking(move || catalog::load_to_try(&folders)).await?.ok())
}

/// Gives the commands of a report the settings of this call; returns the variables that must be set for them.
fn carry(given: &Given, report: &mut Report) -> BTreeSet<String> {
    let mut variables = BTreeSet::new();
    let mut carried = |command: &str| {
        let command = given.carry(command);
        variables.extend(given.variables(&command).map(str::to_owned));
        command
    };
    for finding in report.findings_mut() {
        finding.command = finding.command.as_deref().map(&mut carried);
        if let (Some(advice), Some(at)) = (&mut finding.advice, finding.example) {
            let command = carried(&advice.split_off(at));
            advice.push_str(&command);
        }
    }
    variables
}
