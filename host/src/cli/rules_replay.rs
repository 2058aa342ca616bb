//! `hookswitch rules replay`: decides an event again, with the answers that its rules got then.

use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use console::style;
use hookswitch_core::{
    catalog::{self, Catalog},
    decide::{Replay, decide, plugin::is_whole},
    domain::{Asked, Event, Outcome},
};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::{
    app::{self, Database},
    config::{DatabaseConfig, RulesConfig},
    routing::DIED,
    store::{DecisionHistory, EventHistory},
};

/// `hookswitch rules replay …`
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// The event's id.
    event_id: String,
    /// The event's source, where several have events with this id.
    #[arg(long)]
    source: Option<String>,
    /// How often to decide it, each time the same.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    times: u32,
    #[command(flatten)]
    rules: RulesConfig,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Compares what the rules on disk decide with what was decided: status 0 where it is the same, 1 where it is not.
///
/// # Errors
/// Where there is no such event, or the rules do not compile.
pub async fn run(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let database = Database::open(&args.database, &mut |_| {}).await?;
    let mut events = database.store.events_by_id(&args.event_id, args.source.as_deref()).await?;
    if events.len() > 1 {
        bail!("replay {}: events of several sources have this id; add --source", args.event_id);
    }
    let (logged, received_at) =
        events.pop().with_context(|| format!("replay {}: there is no event with this id", args.event_id))?;
    let history = database.store.event_history(logged, received_at, 0, 1).await?;
    database.close().await;
    let folders = app::folders(&args.rules, false)?;
    let same = spawn_blocking(move || {
        let catalog = catalog::load(&folders).map_err(|findings| anyhow!("load the rules:\n{findings}"))?;
        Ok::<bool, anyhow::Error>(compare(&catalog, &history, args.times))
    })
    .await??;
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Compares decision by decision.
fn compare(catalog: &Catalog, history: &EventHistory, times: u32) -> bool {
    if let Some(decision) = history.decisions.iter().find(|decision| decision.release != catalog.release) {
        println!("decided by the release {}, and on disk is {}", decision.release, catalog.release);
    }
    let mut same = true;
    // A rule's answers stand beside the first of its decisions.
    let mut told: Option<&DecisionHistory> = None;
    for (ordinal, then) in history.decisions.iter().enumerate() {
        if then.asked.is_some() || told.is_some_and(|first| first.rule != then.rule) {
            told = Some(then);
        }
        let first = told.unwrap_or(then);
        let rule = then.rule.as_deref().unwrap_or("no rule");
        if then.rule.is_none() && then.reason.as_ref().is_some_and(|why| why.starts_with(DIED)) {
            // It would end this process, too.
            same = false;
            println!("{} cannot be replayed: {}", style("!").yellow(), said(then));
            continue;
        }
        if !is_whole(&asked(first)) {
            same = false;
            println!(
                "{} {rule}: cannot be replayed: what it was told is too much to be kept whole",
                style("!").yellow()
            );
            continue;
        }
        let mut now = String::new();
        let said = said(then);
        for _ in 0..times {
            now = again(catalog, &history.event, first, ordinal);
            if now != said {
                break;
            }
        }
        if now == said {
            println!("{} {rule}: the same", style("✓").green());
        } else {
            same = false;
            println!("{} {rule}:\n  then {said}\n  now  {now}", style("✗").red());
        }
    }
    same
}

/// What was said, without who came of it: that depends on who is in which group.
fn said(decision: &DecisionHistory) -> String {
    match (&decision.decision, &decision.reason) {
        (Some(decision), _) => decision.get().to_owned(),
        (None, Some(reason)) => reason.clone(),
        (None, None) => decision.outcome.clone(),
    }
}

fn asked(then: &DecisionHistory) -> Vec<Asked> {
    then.asked.as_ref().and_then(|asked| serde_json::from_str(asked.get()).ok()).unwrap_or_default()
}

fn again(catalog: &Catalog, event: &Event, then: &DecisionHistory, ordinal: usize) -> String {
    let verdicts = decide(&catalog.routes, event, &Replay::new(asked(then), then.decided_at));
    match verdicts.get(ordinal).map(|verdict| &verdict.outcome) {
        Some(Outcome::Notify(decision)) => {
            serde_json::to_string(decision).unwrap_or_else(|_| Value::Null.to_string())
        }
        Some(Outcome::Skip(why) | Outcome::Failed(why) | Outcome::Parked { why, .. }) => why.clone(),
        Some(Outcome::NoRoute) => format!("no route is for the type {}", event.kind),
        None => "nothing".to_owned(),
    }
}
