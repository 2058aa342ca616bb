//! `hookswitch stop`, `resume` and `stopped`: stopping rules, templates, groups, people, plugins, numbers and all sending.

use std::process::ExitCode;

use clap::Args;
use hookswitch_core::{
    catalog,
    domain::{Senders, SwitchKind, SwitchMode, SwitchName},
};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{failure::Failure, output, table};
use crate::{
    app::{self, Database},
    check::{count, words},
    config::{DatabaseConfig, RulesConfig},
    operate::{Names, Operate, Switch, SwitchError},
};

/// The arguments of `hookswitch stop`.
#[derive(Args, Debug)]
#[command(
    long_about = "Stop a rule, a template, a group, a person, a plugin, a number or all sending\n\nIt takes effect at once \
                  on all hosts: when the command has returned, no host begins to send a message that it covers. What is \
                  being sent at that moment goes out. Messages are held until `hookswitch resume`, or until they expire; \
                  with --drop they are never sent. The history of each message says who stopped it and why."
)]
pub struct StopArgs {
    #[command(flatten)]
    what: What,
    /// Why, for the record and for the history of each message
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Drop the messages instead of holding them, those held already too
    #[arg(long)]
    drop: bool,
    #[command(flatten)]
    rules: RulesConfig,
}

/// The arguments of `hookswitch resume`.
#[derive(Args, Debug)]
#[command(
    long_about = "Resume what was stopped\n\nMessages that were held are sent, the oldest first and at a bounded pace, \
                  except those that have expired. What something else has stopped, too, waits on."
)]
pub struct ResumeArgs {
    #[command(flatten)]
    what: What,
    /// Maximum number of held messages that are sent per second
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1_000))]
    per_second: i32,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// The arguments of `hookswitch stopped`.
#[derive(Args, Debug)]
pub struct StoppedArgs {
    /// Print each switch as a JSON object per line
    #[arg(long)]
    json: bool,
}

/// What is stopped or resumed.
#[derive(Args, Debug)]
struct What {
    /// rule, template, group, person, plugin, number or sending (all messages)
    #[arg(value_name = "KIND", value_parser = kind)]
    kind: SwitchKind,
    /// Its name: a rule by its file, or file:line; a person by username or number
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Meta's id of the sending number; further ones as NAME=ID, separated by commas
    #[arg(long, value_name = "ID[,NAME=ID]…", env = "WHATSAPP_PHONE_NUMBER_ID", value_parser = Senders::parse)]
    whatsapp_phone_number_id: Option<Senders>,
}

fn kind(text: &str) -> Result<SwitchKind, String> {
    text.parse()
}

impl What {
    fn name(&self) -> Result<SwitchName, Failure> {
        let name = match (self.kind, &self.name) {
            (SwitchKind::Sending, None) => SwitchName::ALL.to_owned(),
            (_, Some(name)) => name.clone(),
            (kind, None) => return Err(Failure::usage(format!("the name of the {kind} is missing"))),
        };
        Ok(SwitchName { kind: self.kind, name })
    }

    /// The names that are known without the rules: it takes a while to read these.
    fn names_at_once(&self) -> Names {
        Names::of(None, self.whatsapp_phone_number_id.as_ref())
    }
}

impl StopArgs {
    /// The names in the rules, if they can be read: broken rules must not keep anybody from stopping them.
    async fn names(&self, settings: &DatabaseConfig) -> anyhow::Result<Names> {
        let catalog = match app::current_folders(&self.rules, settings).await {
            Ok(folders) => spawn_blocking(move || catalog::load(&folders)).await?.ok(),
            Err(_) => None,
        };
        Ok(Names::of(catalog.as_ref(), self.what.whatsapp_phone_number_id.as_ref()))
    }
}

/// Stops something.
///
/// # Errors
/// If the database cannot be reached, nothing has this name, or the reason is invalid.
pub async fn stop(args: StopArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let name = args.what.name()?;
    let is_of_rules = matches!(name.kind, SwitchKind::Rule | SwitchKind::Template | SwitchKind::Plugin);
    let mut done = stop_known(&args, &name, &args.what.names_at_once(), settings).await?;
    if is_of_rules && matches!(done, Err(SwitchError::Unknown { .. })) {
        done = stop_known(&args, &name, &args.names(settings).await?, settings).await?;
    }
    let stopped = done.map_err(refused)?;
    let becomes = match stopped.messages {
        SwitchMode::Dropped => "Its messages are dropped",
        _ => "Its messages are held",
    };
    let name = SwitchName { kind: stopped.kind, name: stopped.name };
    println!("Stopped {name}. {becomes}. Undo: {}", resume_command(&name));
    Ok(ExitCode::SUCCESS)
}

async fn stop_known(
    args: &StopArgs,
    name: &SwitchName,
    names: &Names,
    settings: &DatabaseConfig,
) -> anyhow::Result<Result<Switch, SwitchError>> {
    let database = Database::open(settings, &mut |_| {}).await?;
    let operate = Operate::new(database.store.clone());
    let done = match operate.user().await {
        Ok(by) => operate.stop(&by, name, args.drop, &args.reason, names).await,
        Err(error) => Err(error.into()),
    };
    database.close().await;
    Ok(done)
}

fn resume_command(name: &SwitchName) -> String {
    match name.kind {
        SwitchKind::Sending => "hookswitch resume sending".to_owned(),
        kind => format!("hookswitch resume {kind} {}", words::quoted(&name.name)),
    }
}

/// Resumes something.
///
/// # Errors
/// If the database cannot be reached, or it is not stopped.
pub async fn resume(args: ResumeArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let (name, names) = (args.what.name()?, args.what.names_at_once());
    let database = Database::open(settings, &mut |_| {}).await?;
    let done = resume_known(&args, &name, &names, &Operate::new(database.store.clone())).await;
    database.close().await;
    let Switch { kind, name, held_messages, held_events, more, .. } = done.map_err(refused)?;
    let name = SwitchName { kind, name };
    let or_more = if more { " or more" } else { "" };
    let messages = count(held_messages, "held message", "held messages");
    let events = match held_events {
        0 => String::new(),
        events => format!(" and {}", count(events, "event", "events")),
    };
    match held_messages + held_events {
        0 => println!("Resumed {name}. Nothing was held."),
        _ => println!(
            "Resumed {name}. {messages}{events}{or_more} will go on, at most {} per second.",
            args.per_second
        ),
    }
    Ok(ExitCode::SUCCESS)
}

async fn resume_known(
    args: &ResumeArgs,
    name: &SwitchName,
    names: &Names,
    operate: &Operate,
) -> Result<Switch, SwitchError> {
    let by = operate.user().await?;
    operate.resume(&by, name, Some(args.per_second), args.reason.as_deref(), names).await
}

fn refused(error: SwitchError) -> anyhow::Error {
    match (error.help(), error) {
        (_, SwitchError::Store(error)) => error.into(),
        (help, error @ SwitchError::NotStopped { .. }) => {
            let help = help.unwrap_or_else(|| "to list what is stopped: hookswitch stopped".to_owned());
            Failure::new(error.to_string()).help(help).into()
        }
        (Some(help), error) => Failure::usage(error.to_string()).help(help).into(),
        (None, error) => Failure::usage(error.to_string()).into(),
    }
}

/// Lists what is stopped.
///
/// # Errors
/// If the database cannot be reached.
pub async fn list(args: StoppedArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, &mut |_| {}).await?;
    let (switches, now) = (Operate::new(database.store.clone()).switches().await, database.store.now());
    database.close().await;
    let switches = switches?;
    if args.json {
        output::json_lines(&switches)?;
    } else if switches.is_empty() {
        println!("Nothing is stopped.");
    } else {
        print(&switches, now);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(switches: &[Switch], now: Timestamp) {
    let mut table = table::table(&["KIND", "NAME", "MESSAGES", "WAITING", "FOR", "BY", "REASON"]);
    for switch in switches {
        let more = if switch.more { " or more" } else { "" };
        let waiting = match switch.held_events {
            0 => format!("{}{more}", words::grouped(switch.held_messages)),
            events => {
                let (messages, events) =
                    (words::grouped(switch.held_messages), count(events, "event", "events"));
                format!("{messages}, {events}{more}")
            }
        };
        table.add_row([
            switch.kind.to_string(),
            table::one_line(&switch.name).into_owned(),
            switch.messages.to_string(),
            waiting,
            words::span(now.duration_since(switch.since)),
            table::one_line(&switch.by).into_owned(),
            table::one_line(&switch.reason).into_owned(),
        ]);
    }
    table::print(&table);
}
