//! `hookswitch unknown`: messages whose delivery could not be confirmed.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hookswitch_core::domain::NotificationId;
use uuid::Uuid;

use super::{failure::Failure, output, table};
use crate::{
    app::Database,
    check::count,
    config::DatabaseConfig,
    store::{Store, StoreError, UnknownNotification},
};

/// Rows read at once.
const PAGE: i64 = 10_000;

/// The arguments of `hookswitch unknown`.
#[derive(Args, Debug)]
#[command(
    long_about = "List, resend or drop messages whose delivery could not be confirmed\n\nMeta did not respond when they \
                  were sent. A webhook may still say whether they were. If none comes within --unknown-after of the \
                  host, the template's on_unknown applies: resend, hold (the message waits here) or drop."
)]
pub struct UnknownArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List messages whose delivery could not be confirmed, oldest first
    List {
        /// Print each message as a JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Resend messages: recipients who have one get it twice
    Resend(Chosen),
    /// Drop messages: recipients who do not have one never get it
    Drop(Chosen),
}

#[derive(Args, Debug)]
struct Chosen {
    /// Ids of the messages
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<Uuid>,
    /// All messages of the list
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

/// Runs the command. Status 1 if a named message is not in the list.
///
/// # Errors
/// If the database cannot be reached.
pub async fn run(args: UnknownArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |_| {}).await?;
    let store = &database.store;
    let done = match args.command {
        Command::List { json } => list(store, json).await,
        Command::Resend(chosen) => act(store, chosen, "Resent", Store::resend_unknown).await,
        Command::Drop(chosen) => {
            let why = "dropped by an operator: its delivery could not be confirmed";
            act(store, chosen, "Dropped", async |store, ids| store.drop_unknown(ids, why).await).await
        }
    };
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn act(
    store: &Store,
    chosen: Chosen,
    done: &str,
    work: impl AsyncFn(&Store, &[NotificationId]) -> Result<Vec<NotificationId>, StoreError>,
) -> anyhow::Result<()> {
    let mut acted = 0;
    let mut others: Vec<String> = Vec::new();
    let mut ids: Vec<NotificationId> = chosen.ids.into_iter().map(NotificationId).collect();
    loop {
        if chosen.all {
            ids = store.unknown(PAGE).await?.into_iter().map(|unknown| unknown.id).collect();
        }
        let changed = work(store, &ids).await?;
        acted += changed.len();
        if !chosen.all {
            others.extend(ids.iter().filter(|id| !changed.contains(id)).map(ToString::to_string));
        }
        // Of all, those that remain came in the meantime, or another process has them.
        if !chosen.all || changed.is_empty() {
            break;
        }
    }
    store.notify().await?;
    println!("{done} {}.", count(acted, "message", "messages"));
    if !others.is_empty() {
        let what = format!("delivery is not in doubt: {}", others.join(", "));
        return Err(Failure::new(what).help("for their status: hookswitch explain ID").into());
    }
    Ok(())
}

async fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let unknown = store.unknown(PAGE).await?;
    match (json, unknown.is_empty()) {
        (true, _) => output::json_lines(&unknown)?,
        (false, true) => println!("No messages: delivery of each is confirmed."),
        (false, false) => print(&unknown),
    }
    Ok(())
}

fn print(unknown: &[UnknownNotification]) {
    let mut table = table::table(&["SENT", "TO", "TEMPLATE", "ATTEMPT", "ID", "WAITS FOR"]);
    for notification in unknown {
        let to = notification.username.as_ref().or(notification.recipient.as_ref());
        table.add_row([
            notification.since.map(table::time).unwrap_or_default(),
            to.cloned().unwrap_or_default(),
            notification.template.clone(),
            notification.attempt.to_string(),
            notification.id.to_string(),
            match notification.reason.as_str() {
                "hold" => "you: hookswitch unknown resend ID, or drop ID".to_owned(),
                _ => format!("a webhook, until {}", table::time(notification.due_at)),
            },
        ]);
    }
    table::print(&table);
    if i64::try_from(unknown.len()).is_ok_and(|listed| listed == PAGE) {
        println!("\nThere may be more than {PAGE}.");
    }
}
