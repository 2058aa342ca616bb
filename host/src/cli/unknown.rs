//! `hookswitch unknown`: messages of which nobody can tell whether they were sent.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use hookswitch_core::domain::NotificationId;
use uuid::Uuid;

use super::table;
use crate::{
    app::Database,
    config::DatabaseConfig,
    store::{Store, UnknownNotification},
};

const LIMIT: i64 = 10_000;

/// Lists messages that were sent without an answer, and says what is to become of them.
///
/// A webhook may tell yet what came of such a message. Where none comes within --unknown-seconds of the host, the
/// template's `on_unknown` decides: resend, hold (it waits here) or drop.
#[derive(Args, Debug)]
pub struct UnknownArgs {
    #[command(subcommand)]
    command: UnknownCommand,
}

#[derive(Subcommand, Debug)]
enum UnknownCommand {
    /// Lists them, oldest first.
    List {
        /// Writes each as a JSON object on a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseConfig,
    },
    /// Sends them again: who has one already gets it twice.
    Resend(Which),
    /// Gives them up: who has not got one never will.
    Drop(Which),
}

#[derive(Args, Debug)]
struct Which {
    /// The notifications' ids.
    #[arg(required_unless_present = "all")]
    ids: Vec<Uuid>,
    /// All that are unknown.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Runs one of them. Status 1 where a notification that was named is not unknown.
///
/// # Errors
/// Where the database cannot be reached.
pub async fn run(args: UnknownArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        UnknownCommand::List { json, database } => {
            let database = Database::open(&database, &mut |_| {}).await?;
            let unknown = database.store.unknown(LIMIT).await;
            database.close().await;
            list(&unknown?, json)?;
            Ok(ExitCode::SUCCESS)
        }
        UnknownCommand::Resend(which) => act(which, "sent again", Store::resend_unknown).await,
        UnknownCommand::Drop(which) => {
            let why = "given up by an operator: nobody can tell whether it was sent";
            act(which, "given up", async |store, ids| store.drop_unknown(ids, why).await).await
        }
    }
}

async fn act(
    which: Which,
    what: &str,
    work: impl AsyncFnOnce(&Store, &[NotificationId]) -> Result<Vec<NotificationId>, crate::store::StoreError>,
) -> anyhow::Result<ExitCode> {
    let database = Database::open(&which.database, &mut |_| {}).await?;
    let store = &database.store;
    let done = async {
        let ids: Vec<NotificationId> = match which.all {
            true => store.unknown(LIMIT).await?.into_iter().map(|unknown| unknown.id).collect(),
            false => which.ids.into_iter().map(NotificationId).collect(),
        };
        let done = work(store, &ids).await?;
        store.notify().await?;
        Ok::<_, crate::store::StoreError>((ids, done))
    }
    .await;
    database.close().await;
    let (ids, done) = done?;
    println!("{} of {} {what}.", done.len(), ids.len());
    let others: Vec<String> = ids.iter().filter(|id| !done.contains(id)).map(ToString::to_string).collect();
    if !others.is_empty() {
        bail!(
            "find these among the unknown: {}; hookswitch explain ID tells where they stand",
            others.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn list(unknown: &[UnknownNotification], json: bool) -> anyhow::Result<()> {
    if json {
        for notification in unknown {
            println!("{}", serde_json::to_string(notification)?);
        }
        return Ok(());
    }
    if unknown.is_empty() {
        println!("There are none: of each message it is known whether it was sent.");
        return Ok(());
    }
    let mut table = table::table(&["SENT", "TO", "TEMPLATE", "ATTEMPT", "ID", "WAITS"]);
    for notification in unknown {
        let to = notification.username.as_ref().or(notification.recipient.as_ref());
        table.add_row([
            notification.since.map(|since| format!("{since:.0}")).unwrap_or_default(),
            to.cloned().unwrap_or_default(),
            notification.template.clone(),
            notification.attempt.to_string(),
            notification.id.to_string(),
            match notification.reason.as_str() {
                "hold" => "for you: unknown resend ID, or unknown drop ID".to_owned(),
                _ => format!("for a webhook, until {:.0}", notification.due_at),
            },
        ]);
    }
    table::print(&table);
    Ok(())
}
