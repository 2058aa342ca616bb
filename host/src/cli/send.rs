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
    decide::{self, TEST_TYPE, decide},
    domain::{
        Decision, DecisionOutcome, Event, EventKey, People, Senders, Status, Verdict, did_you_mean, number,
    },
    plan::{Planned, Planner, named},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json, value::RawValue};
use sha2::{Digest, Sha256};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{bubble::faces, failure::Failure, output, table::one_line};
use crate::{
    app::{self, Database},
    config::{DatabaseConfig, RulesConfig},
    intake::unfit_json,
    store::{EventHistory, NewEvent, NotificationHistory, Store},
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
    let folders = app::folders(&args.rules, settings, false)?;
    let catalog = spawn_blocking(move || catalog::load(&folders)).await?;
    let catalog = catalog.map_err(|findings| Failure::new(format!("invalid rules:\n{findings}")))?;
    let context = context(&catalog, &args)?;
    let database = Database::open(settings, &mut |_| {}).await?;
    let done = send(&args, &catalog, context, &database.store).await;
    database.close().await;
    done
}

/// The values, each for a variable of the template.
fn context(catalog: &Catalog, args: &SendArgs) -> Result<BTreeMap<String, Value>, Failure> {
    let Some(template) = catalog.templates.get(&args.template) else {
        let known = catalog.templates.names();
        return Err(Failure::usage(format!("unknown template {:?}", args.template))
            .did_you_mean(&args.template, known));
    };
    let mut context = BTreeMap::new();
    for given in &args.context {
        let (name, value) = given.split_once('=').ok_or_else(|| {
            Failure::usage(format!("invalid --context {given}"))
                .help("expected NAME=VALUE, for example order_number=SO-7")
        })?;
        if !template.variables.iter().any(|variable| variable == name) {
            let known: Vec<&str> = template.variables.iter().map(String::as_str).collect();
            let what = format!("the template {} has no variable {name:?}", args.template);
            return Err(Failure::usage(what).did_you_mean(name, known));
        }
        // A number stays text, so that 007 keeps its zeros.
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

async fn send(
    args: &SendArgs,
    catalog: &Catalog,
    context: BTreeMap<String, Value>,
    store: &Store,
) -> anyhow::Result<ExitCode> {
    let decision = match addressed(args, context, store).await? {
        Ok(decision) => decision,
        Err(why) => {
            return Err(Failure::usage(format!("unknown recipient {:?}", args.to)).help(why).into());
        }
    };
    let event = event(&decision)?;
    let planned = rehearse(catalog, &event, store).await?;
    if planned.outcome == DecisionOutcome::Failed {
        let missing = missing(catalog, &decision);
        let failure = Failure::usage(planned.reason.unwrap_or_default());
        if missing.is_empty() {
            return Err(failure.into());
        }
        let missing: Vec<String> = missing.iter().map(|name| format!("--context {name}=…")).collect();
        return Err(failure.help(format!("add {}", missing.join(" "))).into());
    }
    if args.dry_run {
        show(&planned);
        return Ok(ExitCode::SUCCESS);
    }
    let sha256: [u8; 32] = Sha256::digest(event.data.get().as_bytes()).into();
    store
        .append_events(&[NewEvent { event: &event, sha256: &sha256, has_time: true }], false)
        .await
        .context("cannot post the event")?;
    store.notify().await?;
    if !args.json {
        println!("{} {}", style("posted").dim(), event.key.id);
    }
    if store.hosts_alive().await? == 0 {
        eprintln!("warning: no host is running to send it; start one: hookswitch serve");
    }
    let give_up = Instant::now() + Duration::try_from(args.timeout)?;
    follow(store, &event.key, give_up, args.json).await
}

/// The decision for the recipient: a person, a group, or a number. If it is none of them, what may help.
async fn addressed(
    args: &SendArgs,
    context: BTreeMap<String, Value>,
    store: &Store,
) -> anyhow::Result<Result<Decision, String>> {
    let to = &args.to;
    let decision = Decision {
        template: args.template.clone(),
        context,
        reason: Some("a test message".to_owned()),
        ..Decision::default()
    };
    if !store.usernames(&[to]).await?.is_empty() {
        return Ok(Ok(Decision { users: vec![to.clone()], ..decision }));
    }
    if !store.group_names(&[to]).await?.is_empty() {
        return Ok(Ok(Decision { groups: vec![to.clone()], ..decision }));
    }
    let looks_like_a_number = to.chars().any(|c| c.is_ascii_digit()) && !to.chars().any(char::is_alphabetic);
    if looks_like_a_number {
        return Ok(number(to).map(|number| Decision { contacts: vec![number.wa_id], ..decision }));
    }
    let mut known = store.first_groups(1_000).await?;
    known.extend(store.list_people(None, "", 1_000).await?.into_iter().map(|person| person.username));
    let help = did_you_mean(to, known.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(Err(format!("expected a username, a group or a number with its country code; {help}")))
}

fn event(decision: &Decision) -> anyhow::Result<Event> {
    let now = Timestamp::now();
    Ok(Event {
        key: EventKey { id: format!("test-{}", Uuid::now_v7()), source: "/hookswitch/send".to_owned() },
        kind: TEST_TYPE.to_owned(),
        subject: None,
        time: now,
        data: RawValue::from_string(json!(decision).to_string())?,
        extensions: None,
    })
}

/// What comes of the event, decided and planned as a host does it.
async fn rehearse(catalog: &Catalog, event: &Event, store: &Store) -> anyhow::Result<Planned> {
    let now = Timestamp::now();
    let verdicts: Vec<Verdict> = decide(&catalog.routes, event, &catalog::CatalogPorts { catalog, now });
    let names = named(&verdicts);
    let mut people = People::default();
    store.group_members(&names.groups, &mut people).await?;
    store.users(&names.users, &mut people).await?;
    people.contacts = store.contacts(&names.contacts).await?;
    let verdict = verdicts.first().context("no decision about the event")?;
    let planner = Planner {
        templates: &catalog.templates,
        senders: &Senders::any(),
        in_use: None,
        people: &people,
        now,
    };
    Ok(planner.plan(event, verdict))
}

fn missing(catalog: &Catalog, decision: &Decision) -> Vec<String> {
    let variables = catalog.templates.get(&decision.template).map(|template| template.variables.clone());
    let mut missing = variables.unwrap_or_default();
    missing.retain(|variable| !decision.context.contains_key(variable));
    missing
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

async fn follow(store: &Store, key: &EventKey, give_up: Instant, json: bool) -> anyhow::Result<ExitCode> {
    let mut printed = HashSet::new();
    loop {
        let history = look(store, key).await?;
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

async fn look(store: &Store, key: &EventKey) -> anyhow::Result<EventHistory> {
    let found = store.events_by_id(&key.id, Some(&key.source)).await?.pop();
    let (logged, received_at) = found.context("the event is gone")?;
    Ok(store.event_history(logged, received_at, 0, LOOKED_AT).await?)
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
