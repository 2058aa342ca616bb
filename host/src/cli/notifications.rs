//! `hookswitch notifications`: the latest notifications and their status.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use hookswitch_core::{decide, domain::Status};
use jiff::{SignedDuration, Timestamp};

use super::{failure::Failure, output, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    operate::{Operate, stored_recipient},
    store::{ListedNotification, NotificationFilter},
    whatsapp,
};

/// The arguments of `hookswitch notifications`.
#[derive(Args, Debug)]
#[command(
    after_help = "The newest come first. With --json, each has the members id, created_at, username, name, recipient, \
                  template, status, code, detail, type, event_id."
)]
pub struct NotificationsArgs {
    /// Only notifications that failed
    #[arg(long)]
    failed: bool,
    /// Only notifications with this status, for example deferred, unknown, skipped or read
    #[arg(long, conflicts_with = "failed")]
    status: Option<Status>,
    /// How far back to look, for example 90s, 10m, 2h or 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = decide::duration)]
    since: SignedDuration,
    /// Only notifications to this person, by username, number or Meta's user id
    #[arg(long)]
    person: Option<String>,
    /// Only notifications with this template
    #[arg(long)]
    template: Option<String>,
    /// Maximum number of results
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Print each notification as a JSON object per line
    #[arg(long)]
    json: bool,
}

/// Prints the list.
///
/// # Errors
/// If the database cannot be reached.
pub async fn run(args: NotificationsArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let filter = NotificationFilter {
        since: time_before(Timestamp::now(), args.since)?,
        status: if args.failed { Some(Status::Failed) } else { args.status },
        person: args.person.map(|person| stored_recipient(&person)),
        template: args.template,
        before: None,
        limit: args.limit,
    };
    let database = Database::open(database, &mut |_| {}).await?;
    let listed = Operate::new(database.store.clone()).notifications(&filter, Duration::MAX).await;
    database.close().await;
    let listed = listed?.data;
    if args.json {
        output::json_lines(&listed)?;
    } else {
        print(&listed, args.limit);
    }
    Ok(ExitCode::SUCCESS)
}

/// The time that `--since` means.
pub fn time_before(now: Timestamp, since: SignedDuration) -> Result<Timestamp, Failure> {
    now.checked_sub(since).map_err(|error| Failure::usage(format!("--since is out of range: {error}")))
}

fn print(listed: &[ListedNotification], limit: i64) {
    if listed.is_empty() {
        println!("No notifications. Use --since to look further back.");
        return;
    }
    let mut table = table::table(&["CREATED", "STATUS", "TO", "TEMPLATE", "ID", "REASON"]);
    for notification in listed {
        let to = notification.username.as_ref().or(notification.recipient.as_ref());
        let why = match (notification.code, &notification.detail, notification.status) {
            (Some(code), ..) => format!("{code}: {}", whatsapp::meaning(code)),
            (None, Some(detail), status) if status != Status::Sending => table::one_line(detail).into_owned(),
            _ => String::new(),
        };
        table.add_row([
            table::time(notification.created_at),
            notification.status.to_string(),
            to.cloned().unwrap_or_default(),
            notification.template.clone(),
            notification.id.to_string(),
            why,
        ]);
    }
    table::print(&table);
    if i64::try_from(listed.len()).is_ok_and(|count| count == limit) {
        println!("\nThere may be more; use --limit. For details: hookswitch explain ID");
    }
}
