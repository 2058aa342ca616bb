//! Measures Hookswitch on this machine: runs a built program against the simulator, and prints what it does, each figure
//! beside its floor measured in the same run. Needs nothing running; everything it starts is its own.

mod check;
mod crowd;
mod database;
mod decisions;
mod deliver;
mod fair;
mod floor;
mod large;
mod load;
mod program;
mod quiet;
mod replay;
mod rules;
mod table;
mod usage;
mod viewers;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use hookswitch::cli::{self, CompileArgs};

/// Measure Hookswitch on this machine, each figure beside its floor.
#[derive(Parser, Clone, Debug)]
#[command(name = "hookswitch-bench", version)]
struct Arguments {
    /// The program to measure [default: `hookswitch` beside this one].
    #[arg(long, global = true)]
    program: Option<PathBuf>,

    #[command(flatten)]
    sizes: Sizes,

    /// What to measure [default: all but `check`, `decisions`, `large`, `replay` and `viewers`].
    #[command(subcommand)]
    part: Option<Part>,
}

/// How much of everything.
#[derive(clap::Args, Clone, Copy, Debug)]
struct Sizes {
    /// Events for intake alone.
    #[arg(long, global = true, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    accept: u32,

    /// Events of ten recipients each for the whole way.
    #[arg(long, global = true, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=40_000))]
    deliver: u32,

    /// Seconds for which an old snapshot is held open while messages are delivered.
    #[arg(long, global = true, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    snapshot_seconds: u64,

    /// Bulk messages that wait while normal ones are sent.
    #[arg(long, global = true, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..))]
    backlog: u32,

    /// Past events that are replayed.
    #[arg(long, global = true, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    past: u32,
}

#[derive(Subcommand, Clone, Debug)]
enum Part {
    /// Accept events: intake alone.
    Accept,
    /// Deliver messages: the whole way, also while many wait and while an old snapshot is open.
    Deliver,
    /// Idle, and a steady hundred messages per second.
    Quiet,
    /// A normal message beside a bulk backlog, a slow plugin, and a number that never answers. Run it in the project's folder.
    Fair,
    /// Deliver events that tell 10,000 people each, and many that tell 1,000.
    Large,
    /// Decide: a route, a script and a plugin. Run it in the project's folder.
    Decisions,
    /// Run the set-up check with 100,000 people and a million notifications.
    Check,
    /// Replay past events by the same rules, and by rules with other words.
    Replay,
    /// Deliver messages without and with 20 people who look at the console.
    Viewers,
    #[command(hide = true)]
    Floor(Own),
    #[command(hide = true)]
    Intake(Own),
    /// The compiler of plugins: the program that loads them runs itself so.
    #[command(name = cli::COMPILE, hide = true)]
    Compile(CompileArgs),
}

/// The database that this run made for itself. It is named on the command line only: `DATABASE_URL` may be a real one.
#[derive(clap::Args, Clone, Debug)]
struct Own {
    /// Its URL.
    url: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Part::Compile(compile)) = &arguments.part {
        return cli::compile(compile);
    }
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: failed to {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { program, sizes, part }: Arguments) -> anyhow::Result<()> {
    match part {
        Some(Part::Floor(database)) => return floor::serve(&database.url).await,
        Some(Part::Intake(database)) => return floor::serve_intake(&database.url).await,
        Some(Part::Decisions) => return tokio::task::spawn_blocking(decisions::measure).await?,
        _ => {}
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: take the ratios, or run it with --release");
    }
    let program = program::find(program)?;
    let all = part.is_none();
    let mut rows = Vec::new();
    if all || matches!(part, Some(Part::Accept)) {
        rows.extend(floor::measure(&program, sizes.accept).await?);
    }
    if all || matches!(part, Some(Part::Deliver)) {
        rows.extend(deliver::measure(&program, &sizes).await?);
    }
    if all || matches!(part, Some(Part::Quiet)) {
        rows.extend(quiet::measure(&program).await?);
    }
    if all || matches!(part, Some(Part::Fair)) {
        rows.extend(fair::measure(&program, sizes.backlog).await?);
    }
    if matches!(part, Some(Part::Large)) {
        rows.extend(large::measure(&program).await?);
    }
    if matches!(part, Some(Part::Check)) {
        rows.extend(check::measure(&program).await?);
    }
    if matches!(part, Some(Part::Replay)) {
        rows.extend(replay::measure(&program, sizes.past).await?);
    }
    if matches!(part, Some(Part::Viewers)) {
        rows.extend(viewers::measure(&program, &sizes).await?);
    }
    table::print(&rows);
    Ok(())
}
