//! `hookswitch replay`: what other rules would have made of past events.

mod bubbles;
mod diff;
mod file;
mod markdown;
pub(super) mod print;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread::available_parallelism,
};

use clap::{Args, Subcommand};
use hookswitch_core::{
    catalog::{self, Catalog},
    decide::{self, plugin::Http},
    domain::uuid_at,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{failure::Failure, notifications::time_before, output, table};
use crate::{
    app::{self, Database},
    config::{DatabaseConfig, RulesConfig},
    operate::{
        ActivationError, Checker, Operate, Price, ReplayChoice, ReplayDetail, ReplayError, ReplayTask,
        ReplayTotals, check_prices,
    },
    releases::short,
};

/// Threads that decide, at most.
const THREADS: usize = 2;
/// Steps of the progress bar.
const STEPS: u64 = 1_000;

/// The arguments of `hookswitch replay`.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    long_about = "Show what other rules would have made of past events\n\nDecides past events by the rules in the folder, or by \
                  a release, with the answers that the rules got then, and compares the messages with those of the rules that \
                  decided then: no longer sent, newly sent, to other people, at another time, with other words. Nothing is \
                  sent. The report is kept with the events.\n\nPeople, groups and opt-outs are taken as they are now, for both \
                  sides. Deduplication keys, digests, limits (at_most), quiet hours and windows are taken as they were then; \
                  keys that are new are worked out from the events that were looked at. What the rules ask a service and did \
                  not ask then is counted and not guessed.\n\nWith --events, the events come from a file (hookswitch events \
                  export), no database is asked, and both the rules in the folder and those in --base decide.",
    after_help = "For one event, decision by decision: hookswitch rules replay EVENT_ID"
)]
pub struct ReplayArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    file: file::FileArgs,
    #[command(flatten)]
    end: EndArgs,
    #[command(flatten)]
    tried: TriedArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List replays, the newest first
    List(ListArgs),
    /// Show the report of a replay
    Show(ShowArgs),
    /// Carry on a replay that was interrupted
    Resume(ResumeArgs),
    /// Show in which numbers two replays differ
    Diff(diff::DiffArgs),
}

/// Which rules are tried.
#[derive(Args, Debug)]
struct TriedArgs {
    /// The release to try, by at least 4 of its first digits, instead of the folders
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Which past events.
#[derive(Args, Debug)]
pub(super) struct PastArgs {
    /// How far back to look, for example 90s, 10m, 2h or 7d
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = decide::duration)]
    since: SignedDuration,
    /// How long ago the last of the events was received [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = decide::duration)]
    until: Option<SignedDuration>,
    /// Only events of this type, for example order.created or payment.*; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only one of so many events, always the same ones
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sample: u32,
}

/// Which events are replayed, and how.
#[derive(Args, Debug)]
struct WhichArgs {
    #[command(flatten)]
    past: PastArgs,
    /// Let plugins ask services what they did not ask then
    #[arg(long)]
    network: bool,
    /// CSV file with Meta's prices: country (first digits of numbers, or *), category, price, currency
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

/// How the report is given.
#[derive(Args, Debug)]
struct EndArgs {
    /// Exit with 1 if something changes, or if events could not be compared
    #[arg(long)]
    fail_on_change: bool,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    /// Print a summary in Markdown, for a comment on a change
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Maximum number of results
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Print each replay as a JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// The number of the replay
    id: i64,
    #[command(flatten)]
    end: EndArgs,
}

#[derive(Args, Debug)]
struct ResumeArgs {
    /// The number of the replay
    id: i64,
    #[command(flatten)]
    end: EndArgs,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Runs the command. Status 1 with `--fail-on-change` if something changes.
///
/// # Errors
/// If the database cannot be reached, the rules do not compile, or the replay is interrupted.
pub async fn run(args: ReplayArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let args = match args.file.chosen() {
        Some(files) => {
            let prices = prices(args.which.prices.as_deref())?;
            return file::replay(files, prices, &args.tried.rules, &args.end, settings).await;
        }
        None => args,
    };
    let database = Database::open(settings, &mut |step| eprintln!("{step}")).await?;
    let operate = Operate::new(database.store.clone());
    let done = command(args, &operate, settings).await;
    database.close().await;
    done
}

async fn command(args: ReplayArgs, operate: &Operate, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    match args.command {
        None => replay(args.which, &args.end, &args.tried, operate, settings).await,
        Some(Command::Resume(args)) => resume(&args, operate, settings).await,
        Some(Command::List(args)) => {
            let replays = operate.replays(None, args.limit).await?;
            if args.json {
                output::json_lines(&replays)?
            } else {
                print::list(&replays)
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Diff(args)) => {
            let (one, other) = (found(operate, args.one).await?, found(operate, args.other).await?);
            diff::show(&one.compared_with(other), args.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Show(ShowArgs { id, end })) => finish(&found(operate, id).await?, &end),
    }
}

async fn replay(
    which: WhichArgs,
    end: &EndArgs,
    tried: &TriedArgs,
    operate: &Operate,
    settings: &DatabaseConfig,
) -> anyhow::Result<ExitCode> {
    let choice = choice(which)?;
    let catalog = match &tried.release {
        Some(release) => {
            let checker = checker(&tried.rules, settings)?;
            operate.load_release(release, &checker).await.map_err(unloaded)?.1
        }
        None => folder(&tried.rules, settings).await?,
    };
    let (by, runner) = (operate.user().await?, uuid_at(Timestamp::now()));
    let id = operate.create_replay(&by, &catalog.id, &choice, Some(runner)).await?;
    let task = operate.own_replay(id, runner).await?.ok_or_else(|| gone(id))?;
    carry_on(operate, settings, &tried.rules, catalog, (task, runner), choice.network).await?;
    finish(&found(operate, id).await?, end)
}

async fn resume(args: &ResumeArgs, operate: &Operate, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let ResumeArgs { id, end, rules } = args;
    let kept = found(operate, *id).await?;
    if kept.replay.state != "running" {
        return finish(&kept, end);
    }
    let Some(held) = operate.take_replay(*id).await? else {
        return Err(Failure::new(format!("another process is at the replay {id}")).into());
    };
    let checker = checker(rules, settings)?;
    let catalog = match operate.load_release(&held.0.release, &checker).await {
        Ok((_, catalog)) => catalog,
        Err(ActivationError::Unknown(_)) => folder(rules, settings).await?,
        Err(error) => return Err(unloaded(error).into()),
    };
    if catalog.id != held.0.release {
        operate.give_back_replay(*id, held.1).await?;
        let what = format!("the replay {id} tries other rules: release {}", short(&held.0.release));
        let help = format!("the rules in {} are release {}", rules.rules.display(), catalog.release);
        return Err(Failure::new(what).help(help).into());
    }
    carry_on(operate, settings, rules, catalog, held, kept.replay.choice.network).await?;
    finish(&found(operate, *id).await?, end)
}

/// Makes the replay, with a progress bar.
async fn carry_on(
    operate: &Operate,
    settings: &DatabaseConfig,
    rules: &RulesConfig,
    catalog: Catalog,
    (task, runner): (ReplayTask, Uuid),
    network: bool,
) -> anyhow::Result<()> {
    let network: Option<Arc<dyn Http>> = match network {
        true => Some(app::network(&rules.sandbox)?),
        false => None,
    };
    let threads = threads();
    let mut replayer = operate.replayer(app::releases(settings), Arc::new(catalog), network, threads)?;
    let bar = bar()?;
    let (id, stop) = (task.id, CancellationToken::new());
    let interrupt = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.cancel();
        }
    });
    let done = replayer
        .carry_on(task, runner, &stop, &mut |part, totals| {
            bar.set_message(format!("{} events, {} change", totals.events, totals.changed));
            bar.set_position((part * STEPS as f64) as u64);
        })
        .await;
    bar.finish_and_clear();
    let resume = format!("to carry it on: hookswitch replay resume {id}");
    match done {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(format!("the replay {id} was interrupted")).help(resume).into()),
        Err(error @ ReplayError::Store(_)) => Err(Failure::new(error.to_string()).help(resume).into()),
        Err(error) => Err(error.into()),
    }
}

/// A bar of [`STEPS`] steps.
fn bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {percent} %, {msg}, {eta} to go")?;
    Ok(ProgressBar::new(STEPS).with_style(style))
}

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from).min(THREADS)
}

fn finish(kept: &ReplayDetail, end: &EndArgs) -> anyhow::Result<ExitCode> {
    let ReplayDetail { replay, report } = kept;
    match end {
        EndArgs { json: true, .. } => output::json(kept)?,
        EndArgs { markdown: true, .. } => {
            let tried = format!("release {}", replay.release);
            let since = format!("received since {}", table::time(replay.choice.since));
            println!("{}", markdown::summary(&tried, &since, &replay.totals, report).trim_end());
        }
        _ => print::report(kept),
    }
    Ok(end.status(&replay.totals))
}

impl EndArgs {
    fn status(&self, totals: &ReplayTotals) -> ExitCode {
        let differs = totals.has_changes() || totals.not_compared.total() > totals.not_compared.unrouted;
        if self.fail_on_change && differs { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

async fn found(operate: &Operate, id: i64) -> anyhow::Result<ReplayDetail> {
    Ok(operate.replay(id).await?.ok_or_else(|| gone(id))?)
}

fn gone(id: i64) -> Failure {
    Failure::new(format!("no replay has the number {id}")).help("to list them: hookswitch replay list")
}

fn choice(which: WhichArgs) -> anyhow::Result<ReplayChoice> {
    let WhichArgs { past, network, prices: file } = which;
    Ok(ReplayChoice { network, prices: prices(file.as_deref())?, ..past.choice()? })
}

fn prices(file: Option<&Path>) -> anyhow::Result<Vec<Price>> {
    let Some(path) = file else { return Ok(Vec::new()) };
    let wrong = |why: String| Failure::usage(format!("cannot read {}: {why}", path.display()));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| wrong(error.to_string()))?;
    let read = reader.deserialize().collect::<Result<Vec<Price>, _>>();
    let prices = read.map_err(|error| wrong(error.to_string()))?;
    check_prices(&prices).map_err(wrong)?;
    Ok(prices)
}

impl PastArgs {
    /// These events, counted back from now.
    ///
    /// # Errors
    /// If there can be none.
    pub(super) fn choice(self) -> anyhow::Result<ReplayChoice> {
        let now = Timestamp::now();
        let PastArgs { since, until, types, sample } = self;
        if until.is_some_and(|until| until >= since) {
            return Err(Failure::usage("--until must be shorter than --since").into());
        }
        let until = until.map(|until| time_before(now, until)).transpose()?;
        let since = time_before(now, since)?;
        Ok(ReplayChoice { since, until, types, one_of: sample, network: false, prices: Vec::new() })
    }
}

fn checker(rules: &RulesConfig, settings: &DatabaseConfig) -> anyhow::Result<Checker> {
    let sandbox = app::sandbox(&rules.sandbox, settings, false)?;
    Ok(Checker { cache: app::releases(settings), sandbox })
}

/// The rules in the folder or, where a host would follow, the active release.
async fn folder(rules: &RulesConfig, settings: &DatabaseConfig) -> anyhow::Result<Catalog> {
    let folders = app::current_folders(rules, settings).await?;
    let loaded = spawn_blocking(move || catalog::load_to_try(&folders)).await?;
    Ok(loaded.map_err(|findings| Failure::new(format!("invalid rules:\n{findings}")))?)
}

fn unloaded(error: ActivationError) -> Failure {
    let unknown = matches!(error, ActivationError::Unknown(_) | ActivationError::Ambiguous(_));
    let failure = Failure::new(error.to_string());
    if unknown { failure.help("to list releases: hookswitch release list") } else { failure }
}
