//! `hookswitch notifications`: the last ones, and what became of them.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use hookswitch_core::{
    decide,
    domain::{Status, number},
};
use jiff::{SignedDuration, Timestamp};

use super::table;
use crate::{
    app::Database,
    config::DatabaseConfig,
    store::{ListedNotification, NotificationFilter},
    whatsapp,
};

/// Lists notifications, newest first.
#[derive(Args, Debug)]
#[command(
    after_help = "With --json, each is an object on a line of its own: id, created_at, username, name, \
                        recipient, template, status, code, detail, type, event_id."
)]
pub struct NotificationsArgs {
    /// Only those that failed.
    #[arg(long)]
    failed: bool,
    /// Only those with this status, such as deferred, unknown, skipped or read.
    #[arg(long, conflicts_with = "failed")]
    status: Option<Status>,
    /// How far back, such as 90s, 10m, 2h or 7d.
    #[arg(long, default_value = "24h", value_parser = decide::duration)]
    since: SignedDuration,
    /// Only those to this person, by username or by number.
    #[arg(long)]
    person: Option<String>,
    /// Only those of this template.
    #[arg(long)]
    template: Option<String>,
    /// So many at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Writes each as a JSON object on a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Prints the list.
///
/// # Errors
/// Where the database cannot be reached.
pub async fn run(args: NotificationsArgs) -> anyhow::Result<ExitCode> {
    let filter = NotificationFilter {
        since: Timestamp::now()
            .checked_sub(args.since)
            .map_err(|error| anyhow!("reckon --since: {error}"))?,
        status: if args.failed { Some(Status::Failed) } else { args.status },
        // A number as people write it is stored as digits; what is none is a username or Meta's user id.
        person: args
            .person
            .map(|person| number(&person).map_or_else(|_| person.trim().to_owned(), |number| number.wa_id)),
        template: args.template,
        limit: args.limit,
    };
    let database = Database::open(&args.database, &mut |_| {}).await?;
    let listed = database.store.list_notifications(&filter).await;
    database.close().await;
    let listed = listed?;
    if args.json {
        for notification in &listed {
            println!("{}", serde_json::to_string(notification)?);
        }
    } else {
        print(&listed, args.limit);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(listed: &[ListedNotification], limit: i64) {
    if listed.is_empty() {
        println!("There are none. --since looks further back.");
        return;
    }
    let mut table = table::table(&["MADE", "STATUS", "TO", "TEMPLATE", "ID", "WHY"]);
    for notification in listed {
        let to = notification.username.as_ref().or(notification.recipient.as_ref());
        let why = match (notification.code, &notification.detail, notification.status) {
            (Some(code), ..) => format!("{code}: {}", whatsapp::meaning(code)),
            (None, Some(detail), status) if status != Status::Sending => table::one_line(detail).into_owned(),
            _ => String::new(),
        };
        table.add_row([
            format!("{:.0}", notification.created_at),
            notification.status.to_string(),
            to.cloned().unwrap_or_default(),
            notification.template.clone(),
            notification.id.to_string(),
            why,
        ]);
    }
    table::print(&table);
    if i64::try_from(listed.len()).is_ok_and(|count| count == limit) {
        println!("\nThere may be more: --limit shows them. hookswitch explain ID tells all about one.");
    }
}
