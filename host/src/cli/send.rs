//! `hookswitch send`: a test message, on the way that every event takes.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use console::style;
use hookswitch_core::{
    catalog::{self, Catalog},
    decide::{self, TEST_TYPE, decide, did_you_mean},
    domain::{Decision, DecisionOutcome, Event, EventKey, People, Senders, Status, Verdict, number},
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

use super::{bubble::bubble, table::one_line};
use crate::{
    app::{self, Database},
    config::{DatabaseConfig, RulesConfig},
    store::{EventHistory, NewEvent, NotificationHistory, Store},
    whatsapp,
};

/// Between two looks at what has become of it.
const LOOK: Duration = Duration::from_millis(200);
/// Messages that are looked at.
const LOOKED_AT: i64 = 1_000;

/// Sends a template to somebody, on the way that every event takes (its type is hookswitch.test), and follows it until
/// it is read, or tells why not.
#[derive(Args, Debug)]
pub struct SendArgs {
    /// The template, by its name in the rules.
    template: String,
    /// A username, a group, or a number with its country code.
    #[arg(long, value_name = "PERSON|GROUP|NUMBER")]
    to: String,
    /// A value for the template, such as order_number=SO-7; give it several times for several. JSON values are taken as
    /// JSON.
    #[arg(long = "context", value_name = "NAME=VALUE")]
    context: Vec<String>,
    /// Shows what would be sent, and to whom; sends nothing.
    #[arg(long)]
    dry_run: bool,
    /// How long to follow it, such as 90s or 5m.
    #[arg(long, default_value = "60s", value_parser = decide::duration)]
    timeout: SignedDuration,
    #[command(flatten)]
    rules: RulesConfig,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Sends and follows. Status 0: it is on the phone, or it was a dry run; 1: it is not; 2: it could not be sent like this.
///
/// # Errors
/// Where the database cannot be reached, or the rules do not compile.
pub async fn run(args: SendArgs) -> anyhow::Result<ExitCode> {
    let folders = app::folders(&args.rules, false)?;
    let catalog = spawn_blocking(move || catalog::load(&folders)).await?;
    let catalog = catalog.map_err(|findings| anyhow!("load the rules:\n{findings}"))?;
    let context = match context(&catalog, &args) {
        Ok(context) => context,
        Err(error) => {
            eprintln!("error: failed to {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let database = Database::open(&args.database, &mut |_| {}).await?;
    let done = send(&args, &catalog, context, &database.store).await;
    database.close().await;
    done
}

/// The values, each a variable of the template.
fn context(catalog: &Catalog, args: &SendArgs) -> anyhow::Result<BTreeMap<String, Value>> {
    let Some(template) = catalog.templates.get(&args.template) else {
        let known = catalog.templates.names();
        bail!("find the template {}: there is none; {}", args.template, did_you_mean(&args.template, known));
    };
    let mut context = BTreeMap::new();
    for given in &args.context {
        let (name, value) = given.split_once('=').with_context(|| {
            format!("read --context {given}: expected NAME=VALUE, such as order_number=SO-7")
        })?;
        if !template.variables.iter().any(|variable| variable == name) {
            let known: Vec<&str> = template.variables.iter().map(String::as_str).collect();
            bail!(
                "use --context {given}: the template {} has no variable {name}; {}",
                args.template,
                did_you_mean(name, known)
            );
        }
        // A number's zeros are words here: 007 stays 007.
        let value = match serde_json::from_str::<Value>(value) {
            Ok(parsed @ (Value::Array(_) | Value::Object(_) | Value::Bool(_))) => parsed,
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
            eprintln!("error: failed to send to {:?}: {why}", args.to);
            return Ok(ExitCode::from(2));
        }
    };
    let event = event(&decision)?;
    let planned = rehearse(catalog, &event, store).await?;
    if planned.outcome == DecisionOutcome::Failed {
        let missing = missing(catalog, &decision);
        let help = if missing.is_empty() {
            String::new()
        } else {
            format!(
                "\ngive it: {}",
                missing.iter().map(|m| format!("--context {m}=…")).collect::<Vec<_>>().join(" ")
            )
        };
        eprintln!("error: failed to {}{help}", planned.reason.unwrap_or_default());
        return Ok(ExitCode::from(2));
    }
    if args.dry_run {
        show(&planned);
        return Ok(ExitCode::SUCCESS);
    }
    let sha256: [u8; 32] = Sha256::digest(event.data.get().as_bytes()).into();
    store
        .append_events(&[NewEvent { event: &event, sha256: &sha256, has_time: true }], false)
        .await
        .context("post it")?;
    store.notify().await?;
    println!("{} {}", style("posted").dim(), event.key.id);
    if store.hosts_alive().await? == 0 {
        println!("{} no host is running that would send it: hookswitch serve", style("!").yellow());
    }
    let give_up = Instant::now() + Duration::try_from(args.timeout)?;
    follow(store, &event.key, give_up).await
}

/// Whom it is for: a person, a group, or a number.
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
    Ok(Err(format!("there is no person and no group of this name, and it is no number; {help}")))
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

/// What the event will come to: it is decided and planned as a host does it.
async fn rehearse(catalog: &Catalog, event: &Event, store: &Store) -> anyhow::Result<Planned> {
    let now = Timestamp::now();
    let verdicts: Vec<Verdict> = decide(&catalog.routes, event, &catalog::CatalogPorts { catalog, now });
    let names = named(&verdicts);
    let mut people = People::default();
    store.group_members(&names.groups, &mut people).await?;
    store.users(&names.users, &mut people).await?;
    people.contacts = store.contacts(&names.contacts).await?;
    let verdict = verdicts.first().context("decide about it")?;
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
        } else if shown.insert(notification.message.body.clone()) {
            println!("{}", bubble(name, &notification.message, None, "", 78));
        } else {
            println!("{} {name}, the same", style("to").dim());
        }
    }
    if planned.notifications.is_empty() {
        println!("{}", planned.reason.as_deref().unwrap_or("Nobody would get it."));
    }
    println!("{}", style("Nothing was sent.").dim());
}

async fn follow(store: &Store, key: &EventKey, give_up: Instant) -> anyhow::Result<ExitCode> {
    let mut told = HashSet::new();
    loop {
        let history = look(store, key).await?;
        for notification in history.decisions.iter().flat_map(|decision| &decision.notifications) {
            tell(notification, &mut told);
        }
        let all: Vec<Status> = statuses(&history);
        let settled = history.routed && all.iter().all(|status| has_ended(*status));
        if settled || Instant::now() > give_up {
            return Ok(sum_up(&history, settled, key));
        }
        sleep(LOOK).await;
    }
}

async fn look(store: &Store, key: &EventKey) -> anyhow::Result<EventHistory> {
    let found = store.events_by_id(&key.id, Some(&key.source)).await?.pop();
    let (logged, received_at) = found.context("find the event again")?;
    Ok(store.event_history(logged, received_at, 0, LOOKED_AT).await?)
}

fn statuses(history: &EventHistory) -> Vec<Status> {
    history.decisions.iter().flat_map(|decision| &decision.notifications).map(|n| n.status).collect()
}

fn has_ended(status: Status) -> bool {
    matches!(status, Status::Read | Status::Played | Status::Failed | Status::Skipped | Status::Expired)
}

/// Prints what is new.
fn tell(notification: &NotificationHistory, told: &mut HashSet<(String, i16, Status)>) {
    let names = [&notification.name, &notification.username, &notification.recipient];
    let name = names.into_iter().flatten().next().map_or("somebody", String::as_str);
    for delivery in &notification.deliveries {
        if !told.insert((notification.id.to_string(), delivery.attempt, delivery.status)) {
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

fn sum_up(history: &EventHistory, settled: bool, key: &EventKey) -> ExitCode {
    for decision in &history.decisions {
        if let Some(reason) = decision.reason.as_deref().filter(|_| decision.outcome != "notify") {
            println!("{} {reason}", style("nobody got it:").red());
        }
    }
    let all = statuses(history);
    let arrived = all.iter().filter(|status| status.arrived()).count();
    if !history.routed {
        println!("No host has taken it up: is one running? hookswitch check");
    } else if !settled {
        println!("That is how far it came in time; hookswitch explain {} tells how it goes on.", key.id);
    }
    if !all.is_empty() && arrived == all.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
