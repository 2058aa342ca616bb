//! `hookswitch explain`: the full history of an event on one page.

use std::process::ExitCode;

use clap::Args;
use console::style;
use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use uuid::Uuid;

use super::{events, failure::Failure, output, page};
use crate::{
    app::Database,
    config::DatabaseConfig,
    operate::case_of_event,
    store::{EventFilter, EventHistory, LoggedEvent, Store},
};

/// The arguments of `hookswitch explain`.
#[derive(Args, Debug)]
#[command(
    long_about = "Explain why each person did or did not get a message\n\nIt shows the rule and its line, what the rule \
                  looked up and what it got, each person with the reason, each attempt to send with Meta's response, and \
                  the receipts.\n\nWith --as-case it prints what `rules check` needs to decide the event again: add it to a \
                  file in a folder `cases` of the rules. Names, numbers and e-mail addresses that Hookswitch knows or \
                  recognizes are invented; read the rest before you share it."
)]
pub struct ExplainArgs {
    /// Id of an event or a notification, Meta's id of a message (wamid.…), or an event's subject
    id: String,
    /// Source of the event, if events of several sources have this id
    #[arg(long)]
    source: Option<String>,
    /// Maximum number of messages
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Continue after this place, which the previous page names
    #[arg(long, value_name = "PLACE", default_value_t = 0, hide_default_value = true)]
    after: i64,
    /// Print a JSON document, like GET /v1/events/ID
    #[arg(long)]
    json: bool,
    /// Print a case for the rules: the event, its answers and its outcome, with invented people
    #[arg(long, conflicts_with = "json")]
    as_case: bool,
}

/// Prints the page; status 1 if the id is unknown.
///
/// # Errors
/// If the database cannot be reached, the id is unknown, or several events have it.
pub async fn run(args: ExplainArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |_| {}).await?;
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
    let logged = match by_notification {
        Some(found) => found,
        None => {
            let mut events = store.events_by_id(&args.id, args.source.as_deref()).await?;
            if events.len() > 1 {
                let sources: Vec<&str> =
                    events.iter().map(|logged| logged.event.key.source.as_str()).collect();
                return Err(Failure::new(format!("events of several sources have the id {}", args.id))
                    .help(format!("add --source, for example {}", sources.join(" or ")))
                    .into());
            }
            let by_subject = match events.pop() {
                Some(found) => Some(found),
                None => newest_about(store, &args.id, args.source.as_deref()).await?,
            };
            by_subject.ok_or_else(|| {
                Failure::new(format!(
                    "no event, notification or message has the id or the subject {}",
                    args.id
                ))
                .help("for the latest: hookswitch events, hookswitch notifications")
            })?
        }
    };
    let mut history = store.event_history(logged.clone(), args.after, args.limit).await?;
    // The notification that was asked for may be on a later page.
    if let Some(id) = notification.filter(|id| history.next.is_some() && !contains(&history, *id))
        && let Some(place) = store.place_of(id).await?.filter(|place| *place > args.after)
    {
        history = store.event_history(logged, place - 1, args.limit).await?;
    }
    if args.as_case {
        let case = case_of_event(&history).map_err(|why| {
            Failure::new(format!("cannot make a case of it: {why}"))
                .help("to see whether a host is running: hookswitch check")
        })?;
        print!("{case}");
    } else if args.json {
        output::json(&history)?;
    } else {
        print!("{}", page::page(&history, notification));
        if let Some(next) = history.next {
            println!(
                "\nThere may be more messages; use --after {next} for the next page, or a higher --limit."
            );
        }
        if history.decisions.is_empty() && history.waits.is_none() {
            println!(
                "\n{}",
                style("Not routed yet. To see whether a host is running: hookswitch check").yellow()
            );
        }
    }
    Ok(())
}

/// The newest event with a subject.
async fn newest_about(
    store: &Store,
    subject: &str,
    source: Option<&str>,
) -> anyhow::Result<Option<LoggedEvent>> {
    let filter = EventFilter {
        since: Timestamp::UNIX_EPOCH,
        outcome: None,
        kind: None,
        subject: Some(subject.to_owned()),
        source: source.map(str::to_owned),
        before: None,
        limit: 1,
    };
    let Some(event) = events::all(store, filter).await?.pop() else { return Ok(None) };
    eprintln!(
        "The newest event with this subject. For all: hookswitch events --since 90d --subject {subject}\n"
    );
    Ok(store.events_by_id(&event.id, Some(&event.source)).await?.pop())
}

fn contains(history: &EventHistory, id: NotificationId) -> bool {
    history.decisions.iter().flat_map(|decision| &decision.notifications).any(|n| n.id == id)
}

/// The notification of an id, if it is the id of a notification or a message.
async fn notification(store: &Store, id: &str) -> anyhow::Result<Option<NotificationId>> {
    if id.starts_with("wamid.") {
        return Ok(store.notification_of_wamid(id).await?);
    }
    Ok(id.parse::<Uuid>().ok().map(NotificationId))
}
