//! `hookswitch rules replay`: decides a stored event again with the answers that its rules got then.

use std::process::ExitCode;

use clap::Args;
use console::style;
use hookswitch_core::{
    catalog::{self, Catalog},
    decide::{Replay, decide, plugin::is_whole},
    domain::{Asked, DecisionOutcome, Outcome, Verdict},
};
use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::{failure::Failure, output};
use crate::{
    app::{self, Database},
    config::{DatabaseConfig, RulesConfig},
    routing::DIED,
    store::{DecisionHistory, EventHistory, Store},
};

/// A decision that no route is for the event.
const NO_ROUTE: &str = "no route";

/// The arguments of `hookswitch rules replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// Id of the event
    event_id: String,
    /// Source of the event, if events of several sources have this id
    #[arg(long)]
    source: Option<String>,
    /// Number of times to decide the event
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    times: u32,
    /// Print each decision as a JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Compares what the rules on disk decide with what was decided: status 1 if it differs.
///
/// # Errors
/// If the event is unknown, or the rules do not compile.
pub async fn run(args: ReplayArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, &mut |_| {}).await?;
    let found = find(&args, &database.store).await;
    database.close().await;
    let history = found?;
    let folders = app::current_folders(&args.rules, settings).await?;
    let replayed = spawn_blocking(move || {
        let catalog = catalog::load(&folders)
            .map_err(|findings| Failure::new(format!("invalid rules:\n{findings}")))?;
        Ok::<_, Failure>((compare(&catalog, &history, args.times), catalog.release, history))
    });
    let (compared, release, history) = replayed.await??;
    if args.json {
        output::json_lines(&compared)?;
    } else {
        print(&compared, &release, &history);
    }
    let same = compared.iter().all(|one| one.result == Comparison::Same);
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn find(args: &ReplayArgs, store: &Store) -> anyhow::Result<EventHistory> {
    let mut events = store.events_by_id(&args.event_id, args.source.as_deref()).await?;
    if events.len() > 1 {
        let what = format!("events of several sources have the id {}", args.event_id);
        return Err(Failure::new(what).help("add --source").into());
    }
    let Some(logged) = events.pop() else {
        return Err(Failure::new(format!("no event has the id {}", args.event_id)).into());
    };
    let history = store.event_history(logged, 0, 1).await?;
    if history.decisions.is_empty() {
        return Err(Failure::new(format!("the event {} is not decided yet", args.event_id)).into());
    }
    Ok(history)
}

/// How a decision of now compares with that of then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Comparison {
    Same,
    Different,
    /// It cannot be replayed.
    Unknown,
}

/// A decision of then beside that of now.
#[derive(Debug, Serialize)]
struct Compared {
    rule: Option<String>,
    result: Comparison,
    then: Option<String>,
    now: Option<String>,
    /// Why it cannot be replayed.
    reason: Option<String>,
}

/// Compares decision by decision, those that only the rules of now make included.
fn compare(catalog: &Catalog, history: &EventHistory, times: u32) -> Vec<Compared> {
    let mut compared = Vec::new();
    // A rule's answers stand beside the first of its decisions.
    let mut told: Option<&DecisionHistory> = None;
    let mut last = None;
    for (ordinal, then) in history.decisions.iter().enumerate() {
        if then.asked.is_some() || told.is_some_and(|first| first.rule != then.rule) {
            told = Some(then);
        }
        let first = told.unwrap_or(then);
        let said = said(then);
        let unknown = |reason: &str| Compared {
            rule: then.rule.clone(),
            result: Comparison::Unknown,
            then: Some(said.clone()),
            now: None,
            reason: Some(reason.to_owned()),
        };
        if then.rule.is_none() && then.reason.as_ref().is_some_and(|why| why.starts_with(DIED)) {
            compared.push(unknown("deciding it ended a host, and would end this process, too"));
            continue;
        }
        let asked = match asked(first) {
            Ok(asked) if is_whole(&asked) => asked,
            Ok(_) => {
                compared.push(unknown("its answers were too large to be stored completely"));
                continue;
            }
            Err(error) => {
                compared.push(unknown(&format!("its stored answers are unreadable: {error}")));
                continue;
            }
        };
        let mut now = String::new();
        for _ in 0..times {
            let verdicts =
                decide(&catalog.routes, &history.event, &Replay::new(asked.clone(), first.decided_at));
            now = verdicts.get(ordinal).map_or_else(|| "nothing".to_owned(), words);
            last = Some(verdicts);
            if now != said {
                break;
            }
        }
        let result = if now == said { Comparison::Same } else { Comparison::Different };
        compared.push(Compared {
            rule: then.rule.clone(),
            result,
            then: Some(said),
            now: Some(now),
            reason: None,
        });
    }
    for added in last.iter().flatten().skip(history.decisions.len()) {
        compared.push(Compared {
            rule: added.rule.as_ref().map(|rule| format!("{}:{}", rule.file, rule.line)),
            result: Comparison::Different,
            then: None,
            now: Some(words(added)),
            reason: None,
        });
    }
    compared
}

fn print(compared: &[Compared], release: &str, history: &EventHistory) {
    if let Some(decision) = history.decisions.iter().find(|decision| decision.release != release) {
        println!("decided by release {}; on disk is {release}", decision.release);
    }
    for Compared { rule, result, then, now, reason } in compared {
        let rule = rule.as_deref().unwrap_or("no rule");
        match result {
            Comparison::Same => println!("{} {rule}: same", style("✓").green()),
            Comparison::Different => println!(
                "{} {rule}: different\n  then {}\n  now  {}",
                style("✗").red(),
                then.as_deref().unwrap_or("nothing"),
                now.as_deref().unwrap_or("nothing")
            ),
            Comparison::Unknown => println!(
                "{} {rule}: cannot be replayed: {}",
                style("!").yellow(),
                reason.as_deref().unwrap_or_default()
            ),
        }
    }
}

/// The decision of then, without its recipients: they depend on who was in which group.
fn said(decision: &DecisionHistory) -> String {
    match (&decision.decision, &decision.reason) {
        _ if decision.outcome == DecisionOutcome::NoRoute.as_str() => NO_ROUTE.to_owned(),
        (Some(decision), _) => decision.get().to_owned(),
        (None, Some(reason)) => reason.clone(),
        (None, None) => decision.outcome.clone(),
    }
}

fn asked(then: &DecisionHistory) -> serde_json::Result<Vec<Asked>> {
    then.asked.as_ref().map_or_else(|| Ok(Vec::new()), |asked| serde_json::from_str(asked.get()))
}

/// A verdict of now, as [`said`] has that of then.
fn words(verdict: &Verdict) -> String {
    match &verdict.outcome {
        Outcome::Notify(decision) => {
            serde_json::to_string(decision).unwrap_or_else(|_| Value::Null.to_string())
        }
        Outcome::Cancel(cancel) => serde_json::to_string(cancel).unwrap_or_else(|_| Value::Null.to_string()),
        Outcome::Skip(why) | Outcome::Failed(why) | Outcome::Parked { why, .. } => why.clone(),
        Outcome::NoRoute => NO_ROUTE.to_owned(),
    }
}
