//! `hookswitch failed`: messages that failed permanently.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use hookswitch_core::decide;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{failure::Failure, notifications::time_before, output, table};
use crate::{
    app::Database,
    check::count,
    config::DatabaseConfig,
    operate::{Choice, Operate},
    store::{DeadLetter, DeadLetterFilter},
    whatsapp,
};

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
                      skipped, those with values that must not stay (`sensitive`), and those to people who are \
                      deactivated or have no number linked. Ctrl-C loses nothing: repeat the command for the rest."
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
    fn choice(self, now: Timestamp) -> anyhow::Result<Choice> {
        let FilterArgs { ids, template, person, code, since } = self;
        let since = since.map(|since| time_before(now, since)).transpose()?;
        Ok(Choice { ids, template, person, code, since })
    }
}

impl Chosen {
    fn choice(self, now: Timestamp) -> anyhow::Result<Choice> {
        let choice = self.filter.choice(now)?;
        if choice.is_empty() && !self.all {
            return Err(Failure::usage("no messages chosen")
                .help("give ids, --template, --person, --code or --since, or --all")
                .into());
        }
        Ok(choice)
    }
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, or no message is chosen.
pub async fn run(args: FailedArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let chosen = Request::new(args.command, now)?;
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let done = command(chosen, &Operate::new(database.store.clone()), now).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// What is asked for, checked.
enum Request {
    List { choice: Choice, limit: i64, json: bool },
    Redrive { choice: Choice, rate: u32 },
    Discard { choice: Choice, reason: Option<String> },
}

impl Request {
    fn new(command: Command, now: Timestamp) -> anyhow::Result<Request> {
        Ok(match command {
            Command::List { filter, limit, json } => {
                Request::List { choice: filter.choice(now)?, limit, json }
            }
            Command::Redrive { chosen, rate } => Request::Redrive { choice: chosen.choice(now)?, rate },
            Command::Discard { chosen, reason } => Request::Discard { choice: chosen.choice(now)?, reason },
        })
    }
}

async fn command(request: Request, operate: &Operate, now: Timestamp) -> anyhow::Result<()> {
    match request {
        Request::List { choice, limit, json } => {
            let filter = choice.filter(now);
            let letters = operate.failed(&filter, None, limit).await?;
            if json {
                return print_json(&letters);
            }
            print(&letters, operate.count_failed(&filter).await?);
            Ok(())
        }
        Request::Redrive { choice, rate } => redrive(operate, &choice, &choice.filter(now), rate).await,
        Request::Discard { choice, reason } => {
            discard(operate, &choice, &choice.filter(now), reason.as_deref()).await
        }
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

async fn redrive(
    operate: &Operate,
    choice: &Choice,
    filter: &DeadLetterFilter,
    rate: u32,
) -> anyhow::Result<()> {
    let bar = bar(operate.count_failed(filter).await?)?;
    let user = operate.user().await?;
    let done = operate.redrive(&user, choice, filter, rate, &mut |count| bar.inc(count as u64)).await?;
    bar.finish_and_clear();
    println!("Resent {}.", count(done.redriven, "message", "messages"));
    if done.skipped > 0 {
        println!(
            "Skipped {}: expired, with values that must not stay (`sensitive`) and are deleted, or to people who are \
             deactivated or have no number linked.",
            count(done.skipped, "message", "messages")
        );
    }
    Ok(())
}

async fn discard(
    operate: &Operate,
    choice: &Choice,
    filter: &DeadLetterFilter,
    reason: Option<&str>,
) -> anyhow::Result<()> {
    let bar = bar(operate.count_failed(filter).await?)?;
    let user = operate.user().await?;
    let discarded =
        operate.discard(&user, choice, filter, reason, &mut |count| bar.inc(count as u64)).await?;
    bar.finish_and_clear();
    println!("Discarded {}.", count(discarded, "message", "messages"));
    Ok(())
}
