//! `hookswitch events`: events and what came of them, and routing them again.

mod export;
mod rerun;

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use hookswitch_core::{decide, domain::DecisionOutcome};
use jiff::{SignedDuration, Timestamp};

use super::{notifications::time_before, output, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    store::{EventFilter, EventPage, ListedEvent, Store},
};

/// The arguments of `hookswitch events`.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    long_about = "List events and what came of them, newest first\n\nWithout options, all events of the last 24 hours. \
                  --failed, --no-route and --nobody find those of which no message came.",
    after_help = "With --json, each has the members id, source, type, subject, received_at, outcome, reason, rule, reruns. \
                  outcome is failed, parked, no_route, nobody, skip, duplicate, collected or notify; of several decisions \
                  the first of these counts. It is null while the event is not routed.\n\
                  Why each person did or did not get a message: hookswitch explain ID"
)]
pub struct EventsArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Maximum number of results
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Print each event as a JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Route events again that failed, had no rule or reached nobody
    #[command(
        long_about = "Route events again that failed, had no rule or reached nobody\n\nThe rules as they are now decide \
                      anew. Messages that the event has led to are not repeated: each person gets what is missing. The \
                      earlier decisions stay in the event's history.",
        after_help = "Give ids, or say which: --failed, --no-route or --nobody, with the other filters."
    )]
    Rerun(rerun::RerunArgs),
    /// Export events and people to a file, with invented names and numbers
    #[command(
        long_about = "Export events and people to a file, with invented names and numbers\n\nThe file has a JSON object \
                      per line: the people, and past events with the answers that their rules got. With it, rules can be \
                      tried where there is no database, for example in a pull request. Usernames, names, numbers and e-mail \
                      addresses that Hookswitch knows or recognizes are invented, the same for the same value everywhere; what \
                      rules name by themselves stays. What else in your events is personal it cannot know: read the file \
                      before you share it.",
        after_help = "To try rules with it: hookswitch replay --events FILE --base FOLDER"
    )]
    Export(export::ExportArgs),
}

/// Which events.
#[derive(Args, Debug)]
struct FilterArgs {
    /// Only events for which a rule failed
    #[arg(long, group = "came_to")]
    failed: bool,
    /// Only events that no rule is for
    #[arg(long, group = "came_to")]
    no_route: bool,
    /// Only events with a decision that reached nobody
    #[arg(long, group = "came_to")]
    nobody: bool,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only events with this subject
    #[arg(long)]
    subject: Option<String>,
    /// Only events from this source
    #[arg(long)]
    source: Option<String>,
    /// How far back to look, for example 90s, 10m, 2h or 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = decide::duration)]
    since: SignedDuration,
}

impl FilterArgs {
    fn outcome(&self) -> Option<DecisionOutcome> {
        match (self.failed, self.no_route, self.nobody) {
            (true, ..) => Some(DecisionOutcome::Failed),
            (_, true, _) => Some(DecisionOutcome::NoRoute),
            (.., true) => Some(DecisionOutcome::Nobody),
            _ => None,
        }
    }

    fn filter(&self, now: Timestamp, limit: i64) -> anyhow::Result<EventFilter> {
        Ok(EventFilter {
            since: time_before(now, self.since)?,
            outcome: self.outcome(),
            kind: self.kind.clone(),
            subject: self.subject.clone(),
            source: self.source.clone(),
            before: None,
            limit,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached; for reruns, if an event is not found.
pub async fn run(args: EventsArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(Command::Rerun(rerun)) => rerun::run(rerun, database).await,
        Some(Command::Export(export)) => export::run(export, database).await,
        None => list(&args, database).await,
    }
}

async fn list(args: &EventsArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter(Timestamp::now(), args.limit)?;
    let database = Database::open(database, &mut |_| {}).await?;
    let listed = all(&database.store, filter).await;
    database.close().await;
    let listed = listed?;
    if args.json {
        output::json_lines(&listed)?;
    } else {
        print(&listed, args.limit);
    }
    Ok(ExitCode::SUCCESS)
}

/// The events of all pages, up to the filter's limit.
pub async fn all(store: &Store, mut filter: EventFilter) -> anyhow::Result<Vec<ListedEvent>> {
    let mut listed = Vec::new();
    loop {
        let EventPage { data, next } = store.list_events(&filter, Duration::MAX).await?;
        filter.limit -= i64::try_from(data.len())?;
        listed.extend(data);
        match next.filter(|_| filter.limit > 0) {
            Some(next) => filter.before = Some(next),
            None => return Ok(listed),
        }
    }
}

fn print(listed: &[ListedEvent], limit: i64) {
    if listed.is_empty() {
        println!("No events. Use --since to look further back.");
        return;
    }
    let mut table = table::table(&["RECEIVED", "TYPE", "SUBJECT", "OUTCOME", "ID", "REASON"]);
    for event in listed {
        let reason = match (&event.rule, &event.reason) {
            (Some(rule), Some(reason)) => format!("{rule}: {reason}"),
            (Some(text), None) | (None, Some(text)) => text.clone(),
            (None, None) => String::new(),
        };
        table.add_row([
            table::time(event.received_at),
            table::one_line(&event.kind).into_owned(),
            table::one_line(event.subject.as_deref().unwrap_or_default()).into_owned(),
            event.outcome.clone().unwrap_or_else(|| "not routed".to_owned()),
            table::one_line(&event.id).into_owned(),
            table::one_line(&reason).into_owned(),
        ]);
    }
    table::print(&table);
    if i64::try_from(listed.len()).is_ok_and(|count| count == limit) {
        println!("\nThere may be more; use --limit. For details: hookswitch explain ID");
    }
}
