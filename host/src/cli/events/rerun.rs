//! `hookswitch events rerun`.

use std::process::ExitCode;

use clap::Args;
use hookswitch_core::domain::{DecisionOutcome, EventKey};
use jiff::Timestamp;

use super::{FilterArgs, all};
use crate::{
    app::Database,
    check::count,
    cli::{confirm::Confirmation, failure::Failure},
    config::DatabaseConfig,
    operate::Operate,
    store::{EventFilter, Store},
};

/// The arguments of `hookswitch events rerun`.
#[derive(Args, Debug)]
pub struct RerunArgs {
    /// Ids of events
    #[arg(value_name = "ID", conflicts_with_all = ["came_to", "kind", "subject"])]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    confirmation: Confirmation,
}

/// Runs the command. Status 1 if an id is unknown, or nothing about an event is to be mended.
///
/// # Errors
/// If no events are chosen, or the database cannot be reached.
pub async fn run(args: RerunArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    if args.ids.is_empty() && args.filter.outcome().is_none() {
        return Err(Failure::usage("no events chosen")
            .help("give ids, or --failed, --no-route or --nobody")
            .into());
    }
    let filter = args.filter.filter(Timestamp::now(), i64::MAX)?;
    let database = Database::open(database, &mut |_| {}).await?;
    let done = match args.ids.is_empty() {
        true => rerun_matching(&database.store, filter, args.confirmation).await,
        false => rerun_named(&database.store, &args.ids, args.filter.source.as_deref()).await,
    };
    database.close().await;
    done
}

async fn rerun_matching(
    store: &Store,
    filter: EventFilter,
    confirmation: Confirmation,
) -> anyhow::Result<ExitCode> {
    let what = match filter.outcome {
        Some(DecisionOutcome::NoRoute) => "had no rule",
        Some(DecisionOutcome::Nobody) => "reached nobody",
        _ => "failed",
    };
    let listed = all(store, filter).await?;
    if listed.is_empty() {
        println!("No events {what}. Use --since to look further back.");
        return Ok(ExitCode::SUCCESS);
    }
    let events = count(listed.len(), "event", "events");
    if !confirmation.confirm(&format!("Route {events} again that {what}?"))? {
        return Ok(ExitCode::FAILURE);
    }
    let keys: Vec<EventKey> =
        listed.into_iter().map(|event| EventKey { id: event.id, source: event.source }).collect();
    let operate = Operate::new(store.clone());
    let asked = operate.rerun(&operate.user().await?, &keys).await?.len();
    tell(asked);
    Ok(ExitCode::SUCCESS)
}

async fn rerun_named(store: &Store, ids: &[String], source: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut keys = Vec::new();
    for id in ids {
        let mut events = store.events_by_id(id, source).await?;
        match (events.pop(), events.pop()) {
            (Some(logged), None) => keys.push(logged.event.key),
            (Some(one), Some(other)) => {
                return Err(Failure::new(format!("events of several sources have the id {id}"))
                    .help(format!(
                        "add --source, for example {} or {}",
                        other.event.key.source, one.event.key.source
                    ))
                    .into());
            }
            (None, _) => {
                return Err(Failure::new(format!("no event has the id {id}"))
                    .help("for events that can be routed again: hookswitch events --failed")
                    .into());
            }
        }
    }
    let operate = Operate::new(store.clone());
    let asked = operate.rerun(&operate.user().await?, &keys).await?;
    tell(asked.len());
    let others: Vec<&str> =
        keys.iter().filter(|key| !asked.contains(key)).map(|key| key.id.as_str()).collect();
    if !others.is_empty() {
        let what = format!("nothing to route again, or asked for already: {}", others.join(", "));
        return Err(Failure::new(what).help("for what became of an event: hookswitch explain ID").into());
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(asked: usize) {
    println!("{} will be routed again by a running host.", count(asked, "event", "events"));
}
