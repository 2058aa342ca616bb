//! `hookswitch explain`: why each person did or did not get what an event said, on one page.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use console::style;
use hookswitch_core::domain::NotificationId;
use uuid::Uuid;

use super::page;
use crate::{
    app::Database,
    config::DatabaseConfig,
    store::{EventHistory, Store},
};

/// Tells why each person did or did not get a message: the rule with its line, what it asked and was told, the people
/// with the reason of each, each attempt with Meta's answer, and the receipts.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The id of an event or a notification, or Meta's id of a message (wamid.…).
    id: String,
    /// The event's source, where several have events with this id.
    #[arg(long)]
    source: Option<String>,
    /// Messages to show, at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Goes on after the messages that were shown before.
    #[arg(long, value_name = "PLACE", default_value_t = 0, hide_default_value = true)]
    after: i64,
    /// Writes it as JSON, as GET /v1/events/ID does.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Prints the page; status 1 where there is no such thing.
///
/// # Errors
/// Where the database cannot be reached, or the id is not known or names several events.
pub async fn run(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    let database = Database::open(&args.database, &mut |_| {}).await?;
    let done = explain(&args, &database.store).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn explain(args: &ExplainArgs, store: &Store) -> anyhow::Result<()> {
    let notification = notification(store, &args.id).await?;
    let by_notification = match notification {
        Some(id) => store.event_of_notification(id).await?,
        None => None,
    };
    let (logged, received_at) = match by_notification {
        Some(found) => found,
        None => {
            let mut events = store.events_by_id(&args.id, args.source.as_deref()).await?;
            if events.len() > 1 {
                let sources: Vec<&str> =
                    events.iter().map(|(logged, _)| logged.event.key.source.as_str()).collect();
                bail!(
                    "explain {}: events of several sources have this id; add --source, such as {}",
                    args.id,
                    sources.join(" or ")
                );
            }
            events.pop().with_context(|| {
                format!(
                    "explain {}: there is no event, notification or message with this id; hookswitch notifications \
                     lists the last ones",
                    args.id
                )
            })?
        }
    };
    let mut history = store.event_history(logged.clone(), received_at, args.after, args.limit).await?;
    // The one that was asked for may be far behind.
    if let Some(id) = notification.filter(|id| history.next.is_some() && !tells_of(&history, *id))
        && let Some(place) = store.place_of(id).await?.filter(|place| *place > args.after)
    {
        history = store.event_history(logged, received_at, place - 1, args.limit).await?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&history)?);
    } else {
        print!("{}", page::page(&history, notification));
        if let Some(next) = history.next {
            println!(
                "\nThere may be more messages: --limit shows more at once, --after {next} those that follow."
            );
        }
        if history.decisions.is_empty() && history.waits.is_none() {
            println!(
                "\n{}",
                style("No host has routed it yet; hookswitch check says whether one runs.").yellow()
            );
        }
    }
    Ok(())
}

fn tells_of(history: &EventHistory, id: NotificationId) -> bool {
    history.decisions.iter().flat_map(|decision| &decision.notifications).any(|n| n.id == id)
}

/// The notification that an id means, if it is a notification's or a message's.
async fn notification(store: &Store, id: &str) -> anyhow::Result<Option<NotificationId>> {
    if id.starts_with("wamid.") {
        return Ok(store.notification_of_wamid(id).await?);
    }
    Ok(id.parse::<Uuid>().ok().map(NotificationId))
}
