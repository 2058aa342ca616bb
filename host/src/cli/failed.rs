//! `hookswitch failed`: messages that failed permanently.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use hookswitch_core::{decide, domain::NotificationId};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::{
    failure::Failure,
    notifications::{stored_recipient, time_before},
    output, table,
};
use crate::{
    app::Database,
    check::count,
    config::DatabaseConfig,
    store::{DeadLetter, DeadLetterFilter, NotificationRow, Store},
    whatsapp,
};

/// Rows read at once.
const PAGE: i64 = 500;
/// Maximum number of transactions per second.
const STEPS: u32 = 5;

/// The arguments of `hookswitch failed`.
#[derive(Args, Debug)]
pub struct FailedArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List messages that failed permanently, oldest failure first
    #[command(
        after_help = "With --json, each has the members id, failed_at, username, name, recipient, template, code, detail."
    )]
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// Maximum number of results
        #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// Print each message as a JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Send failed messages again, as new messages that refer to the old
    #[command(
        after_help = "A person who is linked to another number now is reached there. Messages that have expired are \
                      skipped, and those to people who are deactivated or have no number linked. Ctrl-C loses nothing: \
                      repeat the command for the rest."
    )]
    Redrive {
        #[command(flatten)]
        chosen: Chosen,
        /// Maximum messages per second; leave room for other traffic
        #[arg(long, value_name = "RATE", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rate: u32,
    },
    /// Discard failed messages: check and list no longer show them
    #[command(after_help = "Their history is kept: hookswitch explain ID")]
    Discard {
        #[command(flatten)]
        chosen: Chosen,
        /// Reason, for the record
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Args, Debug)]
struct FilterArgs {
    /// Ids of messages
    #[arg(value_name = "ID")]
    ids: Vec<Uuid>,
    /// Only messages with this template
    #[arg(long)]
    template: Option<String>,
    /// Only messages to this person, by username, number or Meta's user id
    #[arg(long, value_name = "PERSON")]
    person: Option<String>,
    /// Only messages with this error code of Meta
    #[arg(long)]
    code: Option<i32>,
    /// How far back to look, for example 90s, 10m, 2h or 7d
    #[arg(long, value_name = "DURATION", value_parser = decide::duration)]
    since: Option<SignedDuration>,
}

/// A filter that is not empty, or all messages.
#[derive(Args, Debug)]
struct Chosen {
    #[command(flatten)]
    filter: FilterArgs,
    /// All failed messages
    #[arg(long)]
    all: bool,
}

impl FilterArgs {
    fn filter(self, now: Timestamp) -> anyhow::Result<DeadLetterFilter> {
        let since = match self.since {
            None => Timestamp::UNIX_EPOCH,
            Some(since) => time_before(now, since)?,
        };
        Ok(DeadLetterFilter {
            since,
            made_before: now,
            template: self.template,
            person: self.person.map(|person| stored_recipient(&person)),
            code: self.code,
            ids: self.ids.into_iter().map(NotificationId).collect(),
        })
    }

    fn is_empty(&self) -> bool {
        let FilterArgs { ids, template, person, code, since } = self;
        ids.is_empty() && template.is_none() && person.is_none() && code.is_none() && since.is_none()
    }
}

impl Chosen {
    fn filter(self, now: Timestamp) -> anyhow::Result<DeadLetterFilter> {
        if self.filter.is_empty() && !self.all {
            return Err(Failure::usage("no messages chosen")
                .help("give ids, --template, --person, --code or --since, or --all")
                .into());
        }
        self.filter.filter(now)
    }
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, or no message is chosen.
pub async fn run(args: FailedArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let chosen = Request::new(args.command, Timestamp::now())?;
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let done = command(chosen, &database.store).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// What is asked for, checked.
enum Request {
    List { filter: DeadLetterFilter, limit: i64, json: bool },
    Redrive { filter: DeadLetterFilter, rate: u32 },
    Discard { filter: DeadLetterFilter, reason: Option<String>, at: Timestamp },
}

impl Request {
    fn new(command: Command, now: Timestamp) -> anyhow::Result<Request> {
        Ok(match command {
            Command::List { filter, limit, json } => {
                Request::List { filter: filter.filter(now)?, limit, json }
            }
            Command::Redrive { chosen, rate } => Request::Redrive { filter: chosen.filter(now)?, rate },
            Command::Discard { chosen, reason } => {
                Request::Discard { filter: chosen.filter(now)?, reason, at: now }
            }
        })
    }
}

async fn command(request: Request, store: &Store) -> anyhow::Result<()> {
    match request {
        Request::List { filter, limit, json } => {
            let letters = store.dead_letters(&filter, None, limit).await?;
            if json {
                return print_json(&letters);
            }
            print(&letters, store.count_dead_letters(&filter).await?);
            Ok(())
        }
        Request::Redrive { filter, rate } => redrive(store, &filter, rate).await,
        Request::Discard { filter, reason, at } => discard(store, &filter, reason.as_deref(), at).await,
    }
}

fn print_json(letters: &[DeadLetter]) -> anyhow::Result<()> {
    let line = |letter: &DeadLetter| {
        let message = &letter.notification;
        json!({
            "id": message.id, "failed_at": letter.failed_at, "username": message.username, "name": message.name,
            "recipient": message.recipient, "template": message.template, "code": letter.code,
            "detail": letter.detail,
        })
    };
    Ok(output::json_lines(letters.iter().map(line))?)
}

fn print(letters: &[DeadLetter], all: u64) {
    if letters.is_empty() {
        println!("No failed messages.");
        return;
    }
    let mut table = table::table(&["FAILED", "TO", "TEMPLATE", "ID", "REASON"]);
    for letter in letters {
        let message = &letter.notification;
        let why = match (letter.code, &letter.detail) {
            (Some(code), _) => format!("{code}: {}", whatsapp::meaning(code)),
            (None, Some(detail)) => table::one_line(detail).into_owned(),
            (None, None) => String::new(),
        };
        table.add_row([
            table::time(letter.failed_at),
            message.username.as_ref().or(message.recipient.as_ref()).cloned().unwrap_or_default(),
            message.template.clone(),
            message.id.to_string(),
            why,
        ]);
    }
    table::print(&table);
    if all > letters.len() as u64 {
        println!(
            "\n{} of {}; use --limit for more.",
            letters.len(),
            count(i64::try_from(all).unwrap_or(i64::MAX), "message", "messages")
        );
    }
}

/// A progress bar for messages.
fn bar(length: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} messages, {eta} to go")?;
    Ok(ProgressBar::new(length).with_style(style))
}

async fn redrive(store: &Store, filter: &DeadLetterFilter, rate: u32) -> anyhow::Result<()> {
    let bar = bar(store.count_dead_letters(filter).await?)?;
    let step = rate.div_ceil(STEPS);
    let mut pace = interval(Duration::from_secs_f64(f64::from(step) / f64::from(rate)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut after, mut redriven, mut left) = (None, 0, 0);
    loop {
        pace.tick().await;
        // Read right before: somebody may be deactivated, or a message arrive after all, while this goes on.
        let letters = store.dead_letters(filter, after, i64::from(step)).await?;
        let Some(last) = letters.last() else { break };
        after = Some(last.place());
        let now = Timestamp::now();
        let pairs: Vec<_> = letters.iter().filter_map(|letter| again(letter, now)).collect();
        left += letters.len() - pairs.len();
        redriven += store.redrive(&pairs, now).await?;
        bar.inc(letters.len() as u64);
        // If it fails, the hosts find the messages when they poll.
        let _ = store.notify().await;
    }
    bar.finish_and_clear();
    println!("Resent {}.", count(redriven, "message", "messages"));
    if left > 0 {
        println!(
            "Skipped {}: expired, or to people who are deactivated or have no number linked.",
            count(left, "message", "messages")
        );
    }
    Ok(())
}

/// The message as a new one; `None` if it may not be sent any more.
fn again(letter: &DeadLetter, now: Timestamp) -> Option<(NotificationId, NotificationRow)> {
    let mut notification = letter.notification.clone();
    let expired = notification.expires_at.is_some_and(|until| until <= now);
    if expired || !letter.active || letter.reached_at.is_none() {
        return None;
    }
    notification.id = NotificationId(Uuid::now_v7());
    notification.recipient = letter.reached_at.clone();
    notification.send_at = None;
    let row = NotificationRow {
        event_lane: letter.event_lane,
        event_seq: letter.event_seq,
        ordinal: letter.ordinal,
        notification,
        skipped: None,
    };
    Some((letter.notification.id, row))
}

async fn discard(
    store: &Store,
    filter: &DeadLetterFilter,
    reason: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let bar = bar(store.count_dead_letters(filter).await?)?;
    let (mut after, mut discarded) = (None, 0);
    loop {
        let page = store.dead_letters(filter, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.place());
        let ids: Vec<NotificationId> = page.iter().map(|letter| letter.notification.id).collect();
        discarded += store.discard(&ids, reason, now).await?;
        bar.inc(ids.len() as u64);
    }
    bar.finish_and_clear();
    println!("Discarded {}.", count(discarded, "message", "messages"));
    Ok(())
}
