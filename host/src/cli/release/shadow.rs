//! `hookswitch release shadow`: a release decides beside the live one, and sends nothing.

use clap::{Args, Subcommand};
use console::style;
use hookswitch_core::{decide, domain::LaneShare};
use jiff::SignedDuration;

use super::{checker, failure, words};
use crate::{
    cli::{
        failure::Failure,
        output,
        replay::print::{HELD, body, counted},
        table::{one_line, time},
    },
    config::{DatabaseConfig, SandboxConfig},
    operate::{ActivationError, EventDifference, NewShadow, NoShadow, Operate, ShadowDetail, ShadowReport},
    releases::short,
};

/// Events that are listed.
const LISTED: usize = 20;

/// The arguments of `hookswitch release shadow`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ShadowArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: StartArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show the shadow that is under way, or the last one
    Show(ShowArgs),
    /// Stop the shadow that is under way
    Stop,
}

#[derive(Args, Debug)]
struct StartArgs {
    /// The release, by at least 4 of its first digits
    #[arg(required = true)]
    release: Option<String>,
    /// How long, for example 90s, 10m, 2h or 1d; at most 30d
    #[arg(long = "for", value_name = "DURATION", required = true, value_parser = decide::duration)]
    time: Option<SignedDuration>,
    /// The part of the subjects that is looked at: 1% to 99%; without it, all
    #[arg(long, value_name = "PERCENT")]
    share: Option<LaneShare>,
    /// What there is to say about it
    #[arg(long, value_parser = words)]
    note: Option<String>,
    #[command(flatten)]
    sandbox: SandboxConfig,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn shadow(
    args: ShadowArgs,
    operate: &Operate,
    settings: &DatabaseConfig,
) -> anyhow::Result<()> {
    match args.command {
        Some(Command::Show(ShowArgs { json })) => {
            let shown = operate.shadow().await?.ok_or_else(none)?;
            if json { output::json(&shown)? } else { show(&shown) }
        }
        Some(Command::Stop) => {
            let by = operate.user().await?;
            let stopped = operate.stop_shadow(&by).await?;
            let stopped = stopped.ok_or_else(|| Failure::new("no shadow is under way"))?;
            println!(
                "Stopped the shadow of release {}. What it found: hookswitch release shadow show",
                stopped.release
            );
        }
        None => start(args.start, operate, settings).await?,
    }
    Ok(())
}

async fn start(args: StartArgs, operate: &Operate, settings: &DatabaseConfig) -> anyhow::Result<()> {
    let StartArgs { release, time: length, share, note, sandbox } = args;
    let (Some(release), Some(length)) = (release, length) else {
        return Err(Failure::usage("name a release and --for, or use show or stop").into());
    };
    let checker = checker(&sandbox, settings)?;
    let by = operate.user().await?;
    let new = NewShadow { time: length, share, note: note.as_deref() };
    let started = operate.start_shadow(&by, &release, new, &checker).await.map_err(refused)?;
    println!(
        "Release {} decides beside {} until {}, and sends nothing.\nWhat it finds: hookswitch release shadow show",
        started.release,
        started.live,
        time(started.until)
    );
    if operate.hosts().await?.iter().all(|host| !host.alive) {
        eprintln!("No host is running; the shadow begins when one does.");
    }
    Ok(())
}

fn none() -> Failure {
    Failure::new("no release has been a shadow yet")
        .help("to start one: hookswitch release shadow RELEASE --for 2h")
}

fn refused(error: NoShadow) -> anyhow::Error {
    let help = match &error {
        NoShadow::Release(ActivationError::CasesFail { .. }) => {
            "not started: mend what is wrong, and create another release"
        }
        NoShadow::Release(_) => return release_failure(error),
        NoShadow::Time => return Failure::usage(format!("--for: {error}")).into(),
        NoShadow::NothingBeside => "to activate a release: hookswitch release activate RELEASE",
        NoShadow::Share(_) => "see hookswitch release list",
        NoShadow::UnderWay => {
            "to stop it: hookswitch release shadow stop; to see it: hookswitch release shadow show"
        }
    };
    Failure::new(error.to_string()).help(help).into()
}

fn release_failure(error: NoShadow) -> anyhow::Error {
    match error {
        NoShadow::Release(error) => failure(error),
        error => error.into(),
    }
}

fn show(shown: &ShadowDetail) {
    let ShadowDetail { shadow, report, events } = shown;
    head(shadow);
    body(&shadow.totals, report, HELD);
    if !events.is_empty() {
        println!("\n{}", style("Events that differ").bold());
        events.iter().take(LISTED).for_each(event);
        let more = events.len().saturating_sub(LISTED);
        if more > 0 {
            println!("{more} more; use --json for the first 1,000.");
        }
    }
}

fn head(shadow: &ShadowReport) {
    let ShadowReport { release, live, compared, differences, failures, .. } = shadow;
    let [release, live] = [release, live].map(|of| style(short(of)).bold());
    let share = LaneShare::of_lanes(shadow.lanes).map(|share| format!(", for {share}")).unwrap_or_default();
    println!(
        "Shadow of release {release} beside {live}{share}, started {} by {}",
        time(shadow.started_at),
        one_line(&shadow.who)
    );
    if let Some(note) = &shadow.note {
        println!("note: {}", one_line(note));
    }
    match &shadow.ended {
        Some(ended) => println!("Ended {}: {}", time(ended.at), one_line(&ended.words())),
        None if shadow.stalled => println!("Until {}. No host is at it: is one running?", time(shadow.until)),
        None => println!("Under way until {}", time(shadow.until)),
    }
    if let Some(trouble) = &shadow.trouble {
        println!("{} {}", style("failed, trying again:").yellow(), one_line(trouble));
    }
    println!(
        "{} compared: {} differ{}, {} fail{}",
        style(counted(*compared, "event", "events")).bold(),
        differences,
        if *differences == 1 { "s" } else { "" },
        failures,
        if *failures == 1 { "s" } else { "" },
    );
    if let (Some(live), Some(own)) = (shadow.live_ms, shadow.own_ms) {
        println!("rules: {own:.2} ms of CPU time for an event, live {live:.2} ms");
    }
}

fn event(of: &EventDifference) {
    let EventDifference { event, changes, fails, .. } = of;
    let number = changes.total();
    let what = match (fails, number) {
        (true, _) => "fails".to_owned(),
        (false, 0) => "differs".to_owned(),
        (false, _) => format!("{} changed", counted(number, "message", "messages")),
    };
    let why = event.reason.as_deref().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
    println!("   {} {}: {what}{why}", one_line(&event.kind), one_line(&event.id));
}
