//! `hookswitch failed`: messages that failed for good, and what to do about them.

use std::{process::ExitCode, time::Duration};

use anyhow::anyhow;
use clap::{Args, CommandFactory, Subcommand, error::ErrorKind};
use hookswitch_core::{decide, domain::NotificationId};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::{Cli, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    store::{DeadLetter, DeadLetterFilter, NotificationRow, Store},
    whatsapp,
};

/// So many are read at once.
const PAGE: i64 = 500;
/// So many transactions a second at most.
const STEPS: u32 = 5;

/// Lists messages that failed for good, sends them again, or puts them aside.
#[derive(Args, Debug)]
pub struct FailedArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Lists them, the oldest failure first.
    #[command(
        after_help = "With --json, each is an object on a line of its own: id, failed_at, username, name, \
                            recipient, template, code, detail."
    )]
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// So many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
        /// Writes each as a JSON object on a line.
        #[arg(long)]
        json: bool,
    },
    /// Makes a new message of each, which the hosts send; its history names the old one, and the old one's the new.
    #[command(
        after_help = "A person who is linked to another number now is reached there. Left as they are: \
                            messages that have expired, and those to people who are deactivated or linked to no number. To break off \
                            (Ctrl-C) loses nothing: the same command does the rest."
    )]
    Redrive {
        #[command(flatten)]
        chosen: Chosen,
        /// So many a second at most; stay below what the sending number may send, for the others' sake.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rate: u32,
    },
    /// Puts them aside: check and list no longer count them. Their history keeps them.
    Discard {
        #[command(flatten)]
        chosen: Chosen,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Args, Debug)]
struct FilterArgs {
    /// Only these, by the ids of messages.
    #[arg(value_name = "ID")]
    ids: Vec<Uuid>,
    /// Only those of this template.
    #[arg(long)]
    template: Option<String>,
    /// Only those to this person, by username or by number.
    #[arg(long, value_name = "PERSON")]
    person: Option<String>,
    /// Only those with this error code of Meta's.
    #[arg(long)]
    code: Option<i32>,
    /// Only those that failed so long ago at most, such as 90s, 10m, 2h or 7d.
    #[arg(long, value_parser = decide::duration)]
    since: Option<SignedDuration>,
}

/// A filter that says something, or all.
#[derive(Args, Debug)]
struct Chosen {
    #[command(flatten)]
    filter: FilterArgs,
    /// All of them.
    #[arg(long)]
    all: bool,
}

impl FilterArgs {
    fn filter(self, now: Timestamp) -> anyhow::Result<DeadLetterFilter> {
        let since = match self.since {
            None => Timestamp::UNIX_EPOCH,
            Some(since) => now.checked_sub(since).map_err(|error| anyhow!("reckon --since: {error}"))?,
        };
        Ok(DeadLetterFilter {
            since,
            made_before: now,
            template: self.template,
            person: self.person.map(|person| person.trim_start_matches('+').to_owned()),
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
            let what = "choose messages: name ids, --template, --person, --code or --since, or say --all";
            Cli::command().error(ErrorKind::MissingRequiredArgument, what).exit();
        }
        self.filter.filter(now)
    }
}

/// Runs it.
///
/// # Errors
/// Where the database cannot be reached, or nothing is chosen.
pub async fn run(args: FailedArgs) -> anyhow::Result<ExitCode> {
    let database = Database::open(&args.database, &mut |step| eprintln!("{step}")).await?;
    let done = command(args.command, &database.store, Timestamp::now()).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn command(command: Command, store: &Store, now: Timestamp) -> anyhow::Result<()> {
    match command {
        Command::List { filter, limit, json } => {
            let filter = filter.filter(now)?;
            let letters = store.dead_letters(&filter, None, limit).await?;
            if json {
                print_json(&letters);
            } else {
                print(&letters, store.count_dead_letters(&filter).await?);
            }
            Ok(())
        }
        Command::Redrive { chosen, rate } => redrive(store, &chosen.filter(now)?, rate).await,
        Command::Discard { chosen, reason } => {
            discard(store, &chosen.filter(now)?, reason.as_deref(), now).await
        }
    }
}

fn print_json(letters: &[DeadLetter]) {
    for letter in letters {
        let message = &letter.notification;
        let line = json!({
            "id": message.id, "failed_at": letter.failed_at, "username": message.username, "name": message.name,
            "recipient": message.recipient, "template": message.template, "code": letter.code,
            "detail": letter.detail,
        });
        println!("{line}");
    }
}

fn print(letters: &[DeadLetter], all: u64) {
    if letters.is_empty() {
        println!("There are none.");
        return;
    }
    let mut table = table::table(&["FAILED", "TO", "TEMPLATE", "ID", "WHY"]);
    for letter in letters {
        let message = &letter.notification;
        let why = match (letter.code, &letter.detail) {
            (Some(code), _) => format!("{code}: {}", whatsapp::meaning(code)),
            (None, Some(detail)) => detail.clone(),
            (None, None) => String::new(),
        };
        table.add_row([
            format!("{:.0}", letter.failed_at),
            message.username.as_ref().or(message.recipient.as_ref()).cloned().unwrap_or_default(),
            message.template.clone(),
            message.id.to_string(),
            why,
        ]);
    }
    table::print(&table);
    if all > letters.len() as u64 {
        println!("\n{} of {all}: --limit shows more.", letters.len());
    }
}

/// Shows how far something is.
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
        // The hosts' polls are the net.
        let _ = store.notify().await;
    }
    bar.finish_and_clear();
    println!("{redriven} messages are on their way again.");
    if left > 0 {
        println!(
            "{left} are left: they have expired, or are to people who are deactivated or linked to no number."
        );
    }
    Ok(())
}

/// The message anew; `None` where it may not be sent any more.
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
    println!("{discarded} messages are put aside.");
    Ok(())
}
