//! `hookswitch send`: a test message that takes the same path as every event.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use console::style;
use hookswitch_core::{
    catalog::{self, Catalog},
    decide,
    domain::{EventKey, Senders, Status},
    plan::Planned,
};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{bubble::faces, failure::Failure, output, table::one_line};
use crate::{
    app::{self, Database},
    config::{DatabaseConfig, RulesConfig},
    intake::unfit_json,
    operate::{Operate, SendError, TestMessage},
    store::{EventHistory, NotificationHistory},
    whatsapp,
};

/// Time between two looks at the message.
const LOOK: Duration = Duration::from_millis(200);
/// Maximum number of messages to follow.
const LOOKED_AT: i64 = 1_000;

/// The arguments of `hookswitch send`.
#[derive(Args, Debug)]
#[command(
    long_about = "Send a test message and follow it until it is read\n\nIt takes the same path as every event, with the \
                  type hookswitch.test. The status is 0 if it was delivered, or for a dry run; 1 if it was not \
                  delivered; 2 if it cannot be sent like this."
)]
pub struct SendArgs {
    /// Name of the template in the rules
    template: String,
    /// Username, group, or number with its country code
    #[arg(long, value_name = "PERSON|GROUP|NUMBER")]
    to: String,
    /// Value for the template, for example order_number=SO-7 (repeatable); JSON is read as JSON
    #[arg(long = "context", value_name = "NAME=VALUE")]
    context: Vec<String>,
    /// Show the messages and their recipients without sending
    #[arg(long)]
    dry_run: bool,
    /// How long to follow the message, for example 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = decide::duration)]
    timeout: SignedDuration,
    /// Print the history as a JSON document at the end, like explain
    #[arg(long, conflicts_with = "dry_run")]
    json: bool,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Sends and follows.
///
/// # Errors
/// If the database cannot be reached, the rules do not compile, or the message cannot be sent like this.
pub async fn run(args: SendArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let folders = app::current_folders(&args.rules, settings).await?;
    let catalog = spawn_blocking(move || catalog::load(&folders)).await?;
    let catalog = catalog.map_err(|findings| Failure::new(format!("invalid rules:\n{findings}")))?;
    let database = Database::open(settings, &mut |_| {}).await?;
    let done = send(&args, &catalog, &Operate::new(database.store.clone())).await;
    database.close().await;
    done
}

/// The values as they were given. A number stays text, so that 007 keeps its zeros.
fn context(args: &SendArgs) -> Result<BTreeMap<String, Value>, Failure> {
    let mut context = BTreeMap::new();
    for given in &args.context {
        let (name, value) = given.split_once('=').ok_or_else(|| {
            Failure::usage(format!("invalid --context {given}"))
                .help("expected NAME=VALUE, for example order_number=SO-7")
        })?;
        let value = match serde_json::from_str::<Value>(value) {
            Ok(parsed @ (Value::Array(_) | Value::Object(_) | Value::Bool(_))) => match unfit_json(value) {
                None => parsed,
                Some(why) => return Err(Failure::usage(format!("invalid --context {name}: the JSON {why}"))),
            },
            _ => Value::String(value.to_owned()),
        };
        context.insert(name.to_owned(), value);
    }
    Ok(context)
}

async fn send(args: &SendArgs, catalog: &Catalog, operate: &Operate) -> anyhow::Result<ExitCode> {
    let message =
        TestMessage { template: args.template.clone(), to: args.to.clone(), context: context(args)? };
    let prepared = match operate.prepare_message(catalog, &Senders::any(), message).await {
        Ok(prepared) => prepared,
        Err(error) => return Err(refused(error)),
    };
    if args.dry_run {
        show(&prepared.planned);
        return Ok(ExitCode::SUCCESS);
    }
    let by = operate.user().await?;
    let key = operate.send_message(&by, &prepared).await.context("cannot post the event")?;
    if !args.json {
        println!("{} {}", style("posted").dim(), key.id);
    }
    if !operate.hosts().await?.iter().any(|host| host.alive) {
        eprintln!("warning: no host is running to send it; start one: hookswitch serve");
    }
    let give_up = Instant::now() + Duration::try_from(args.timeout)?;
    follow(operate, &key, give_up, args.json).await
}

fn refused(error: SendError) -> anyhow::Error {
    let failure = Failure::usage(error.to_string());
    match error {
        SendError::TemplateUnknown { name, known } | SendError::VariableUnknown { name, known, .. } => {
            failure.did_you_mean(&name, known.iter().map(String::as_str)).into()
        }
        SendError::RecipientUnknown { help, .. } => failure.help(help).into(),
        SendError::Refused { missing, .. } if !missing.is_empty() => {
            let missing: Vec<String> = missing.iter().map(|name| format!("--context {name}=…")).collect();
            failure.help(format!("add {}", missing.join(" "))).into()
        }
        SendError::Refused { .. } | SendError::ValueUnfit { .. } => failure.into(),
        SendError::Store(error) => error.into(),
    }
}

fn show(planned: &Planned) {
    let mut shown = BTreeSet::new();
    for planned in &planned.notifications {
        let notification = &planned.notification;
        let name = [&notification.name, &notification.username, &notification.recipient];
        let name = name.into_iter().flatten().next().map_or("somebody", String::as_str);
        if let Some(why) = &planned.skipped {
            println!("{} {name}: {why}", style("not to").red());
        } else if shown.insert(serde_json::to_string(&notification.message).unwrap_or_default()) {
            println!("{} {}", style("to").dim(), style(one_line(name)).bold());
            print!("{}", faces(&notification.message, 78, ""));
        } else {
            println!("{} {name}, same message", style("to").dim());
        }
    }
    if planned.notifications.is_empty() {
        println!("{}", planned.reason.as_deref().unwrap_or("No recipients."));
    }
    println!("{}", style("Nothing was sent.").dim());
}

async fn follow(operate: &Operate, key: &EventKey, give_up: Instant, json: bool) -> anyhow::Result<ExitCode> {
    let mut printed = HashSet::new();
    loop {
        let history = look(operate, key).await?;
        if !json {
            for notification in history.decisions.iter().flat_map(|decision| &decision.notifications) {
                print_news(notification, &mut printed);
            }
        }
        let all: Vec<Status> = statuses(&history);
        let settled = history.routed && all.iter().all(|status| has_ended(*status));
        if settled || Instant::now() > give_up {
            if json {
                output::json(&history)?;
            } else {
                sum_up(&history, settled, key);
            }
            return Ok(if arrived(&all) { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        sleep(LOOK).await;
    }
}

async fn look(operate: &Operate, key: &EventKey) -> anyhow::Result<EventHistory> {
    let found = operate.events_by_id(&key.id, Some(&key.source)).await?.pop();
    Ok(operate.event_history(found.context("the event is gone")?, 0, LOOKED_AT).await?)
}

fn statuses(history: &EventHistory) -> Vec<Status> {
    history.decisions.iter().flat_map(|decision| &decision.notifications).map(|n| n.status).collect()
}

fn has_ended(status: Status) -> bool {
    matches!(status, Status::Read | Status::Played | Status::Failed | Status::Skipped | Status::Expired)
}

/// Prints what was not printed before.
fn print_news(notification: &NotificationHistory, printed: &mut HashSet<(String, i16, Status)>) {
    let names = [&notification.name, &notification.username, &notification.recipient];
    let name = names.into_iter().flatten().next().map_or("somebody", String::as_str);
    for delivery in &notification.deliveries {
        if !printed.insert((notification.id.to_string(), delivery.attempt, delivery.status)) {
            continue;
        }
        let detail = delivery.detail.as_deref().map(|detail| format!(": {}", one_line(detail)));
        let detail = detail.unwrap_or_default();
        println!(
            "{} {} {}{detail}",
            style(format!("{:.3}", delivery.at)).dim(),
            one_line(name),
            style(delivery.status).bold()
        );
        if let Some(code) = delivery.code {
            println!("  {}", whatsapp::meaning(code));
        }
    }
}

fn arrived(all: &[Status]) -> bool {
    !all.is_empty() && all.iter().all(|status| status.arrived())
}

fn sum_up(history: &EventHistory, settled: bool, key: &EventKey) {
    for decision in &history.decisions {
        if let Some(reason) = decision.reason.as_deref().filter(|_| decision.outcome != "notify") {
            println!("{} {reason}", style("no recipients:").red());
        }
    }
    if !history.routed {
        println!("Not picked up yet. Is a host running? hookswitch check");
    } else if !settled {
        println!("Still in progress; follow it with hookswitch explain {}", key.id);
    }
}
