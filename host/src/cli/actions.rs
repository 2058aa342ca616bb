//! `hookswitch actions`: what operators did.

use std::process::ExitCode;

use clap::Args;
use hookswitch_core::decide;
use jiff::{SignedDuration, Timestamp};

use super::{notifications::time_before, output, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    operate::Operate,
    store::{Action, ActionFilter},
};

/// The arguments of `hookswitch actions`.
#[derive(Args, Debug)]
#[command(
    after_help = "The newest come first. Actions are kept for a year. With --json, each has the members id, at, who, way, \
                  action, what, reason, count."
)]
pub struct ActionsArgs {
    /// How far back to look, for example 90s, 10m, 2h or 7d
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = decide::duration)]
    since: SignedDuration,
    /// Only actions of this API key or user, as the list shows it
    #[arg(long)]
    who: Option<String>,
    /// Only this kind of action, for example failed.redrive
    #[arg(long)]
    action: Option<String>,
    /// Maximum number of results
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Print each action as a JSON object per line
    #[arg(long)]
    json: bool,
}

/// Prints the list.
///
/// # Errors
/// If the database cannot be reached.
pub async fn run(args: ActionsArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let filter = ActionFilter {
        since: time_before(Timestamp::now(), args.since)?,
        who: args.who,
        action: args.action,
        before: None,
        limit: args.limit,
    };
    let database = Database::open(database, &mut |_| {}).await?;
    let listed = Operate::new(database.store.clone()).actions(&filter).await;
    database.close().await;
    let listed = listed?;
    if args.json {
        output::json_lines(&listed)?;
    } else {
        print(&listed, args.limit);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(listed: &[Action], limit: i64) {
    if listed.is_empty() {
        println!("No actions. Use --since to look further back.");
        return;
    }
    let mut table = table::table(&["AT", "WHO", "ACTION", "COUNT", "WHAT", "REASON"]);
    for action in listed {
        table.add_row([
            table::time(action.at),
            table::one_line(&action.who).into_owned(),
            action.action.clone(),
            action.count.to_string(),
            table::one_line(action.what.get()).into_owned(),
            table::one_line(action.reason.as_deref().unwrap_or_default()).into_owned(),
        ]);
    }
    table::print(&table);
    if i64::try_from(listed.len()).is_ok_and(|count| count == limit) {
        println!("\nThere may be more; use --limit.");
    }
}
