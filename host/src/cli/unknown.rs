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
    operate::{Operate, Resolution},
    store::UnknownNotification,
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
    let operate = Operate::new(database.store.clone());
    let done = match args.command {
        Command::List { json } => list(&operate, json).await,
        Command::Resend(chosen) => act(&operate, chosen, "Resent", Resolution::Resend).await,
        Command::Drop(chosen) => act(&operate, chosen, "Dropped", Resolution::Drop).await,
    };
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn act(operate: &Operate, chosen: Chosen, done: &str, resolution: Resolution) -> anyhow::Result<()> {
    let ids: Vec<NotificationId> = chosen.ids.into_iter().map(NotificationId).collect();
    let ids = (!chosen.all).then_some(&ids[..]);
    let resolved = operate.resolve_unknown(&operate.user().await?, ids, resolution, None).await?;
    println!("{done} {}.", count(resolved.count, "message", "messages"));
    if !resolved.others.is_empty() {
        let others: Vec<String> = resolved.others.iter().map(ToString::to_string).collect();
        let what = format!("delivery is not in doubt: {}", others.join(", "));
        return Err(Failure::new(what).help("for their status: hookswitch explain ID").into());
    }
    Ok(())
}

async fn list(operate: &Operate, json: bool) -> anyhow::Result<()> {
    let unknown = operate.unknown(0, PAGE).await?;
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
