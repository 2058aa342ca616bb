//! `hookswitch rules try`: what the rules make of an event. Sends nothing.

use std::{fs, io::Read, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, Result};
use clap::Args;
use console::{Term, style};
use hookswitch_core::{
    catalog::{self, Catalog, CatalogPorts},
    decide::decide,
    domain::{
        Contact, DecisionOutcome, Event, Mode, Notification, Outcome, People, Person, Priority, Senders,
        Verdict, short,
    },
    plan::{Planned, Planner, named},
};
use jiff::Timestamp;

use super::{bubble::bubble, table::one_line};
use crate::{app, config::RulesConfig, http::Problem, intake::read_event};

const NOTHING_SENT: &str =
    "Nothing was sent. People are made up: one member for each group, and the users that a rule names.";

/// `hookswitch rules try …`
#[derive(Args, Debug)]
pub struct TryArgs {
    /// The event as it would be posted, a CloudEvent or `{type, data, …}`; `-` reads standard input.
    event: PathBuf,

    /// What the time is for the rules, such as 2026-11-23T09:00:00Z; now where it is not given.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,

    #[command(flatten)]
    rules: RulesConfig,
}

/// Shows what the rules make of an event: status 0 where they decide, 1 where a rule fails or does not
/// compile, 2 where the event is not one.
///
/// # Errors
/// None today; commands agree on their type.
pub fn try_event(args: &TryArgs) -> Result<ExitCode> {
    let now = args.at.unwrap_or_else(Timestamp::now);
    let body = match read(args) {
        Ok(body) => body,
        Err(error) => {
            eprintln!("error: failed to {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let event = match read_event(&body, now) {
        Ok(event) => event,
        Err(problem) => {
            eprintln!("{}", refused(args, &problem));
            return Ok(ExitCode::from(2));
        }
    };
    let catalog = match catalog::load(&app::folders(&args.rules, true)?) {
        Ok(catalog) => catalog,
        Err(findings) => {
            eprintln!("{findings}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let failed = show(&catalog, &event, now);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(args: &TryArgs) -> Result<Vec<u8>> {
    if args.event.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).context("read the event from standard input")?;
        return Ok(body);
    }
    fs::read(&args.event).with_context(|| format!("read the event {}", args.event.display()))
}

fn refused(args: &TryArgs, problem: &Problem) -> String {
    let place = problem.place().map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
    let mut text =
        format!("error: failed to read the event {}{place}: {}", args.event.display(), problem.detail());
    if problem.errors().len() > 1 {
        for error in problem.errors() {
            text.push_str(&format!("\n  {}: {}", error.at, error.detail));
        }
    }
    text
}

/// Prints everything; tells whether a rule failed.
fn show(catalog: &Catalog, event: &Event, now: Timestamp) -> bool {
    println!(
        "{}  {}",
        style(&event.kind).bold().yellow(),
        style(format!("release {}", catalog.release)).dim()
    );
    let verdicts = decide(&catalog.routes, event, &CatalogPorts { catalog, now });
    let people = people(catalog, &verdicts);
    let mut failed = false;
    let planner = Planner {
        templates: &catalog.templates,
        senders: &Senders::any(),
        in_use: None,
        people: &people,
        now,
    };
    for verdict in verdicts {
        let planned = planner.plan(event, &verdict);
        failed |= planned.outcome == DecisionOutcome::Failed;
        show_verdict(&verdict, &planned);
    }
    println!("\n{}", style(NOTHING_SENT).dim());
    failed
}

/// A member for each group, and whoever the rules name: there is no database to look them up in.
fn people(catalog: &Catalog, verdicts: &[Verdict]) -> People {
    let mut people = catalog.made_up_people();
    for (index, username) in named(verdicts).users.into_iter().enumerate() {
        people.users.entry(username.clone()).or_insert_with(|| {
            let contact = Contact {
                wa_id: Some(format!("263000001{index:03}")),
                user_id: None,
                name: None,
                last_inbound_at: None,
            };
            Arc::new(Person { name: username.clone(), username, active: true, contact: Some(contact) })
        });
    }
    people
}

fn show_verdict(verdict: &Verdict, planned: &Planned) {
    let by = verdict.rule.as_ref().map_or_else(
        || "no rule".to_owned(),
        |rule| format!("{}:{} ({})", rule.file, rule.line, rule.engine),
    );
    let outcome = planned.outcome.as_str().replace('_', " ");
    let outcome =
        if planned.outcome == DecisionOutcome::Failed { style(outcome).red() } else { style(outcome).bold() };
    println!("\n{} {by} → {outcome}", style("decided by").dim());
    if let Some(reason) = &planned.reason {
        println!("{} {}", style("because").dim(), one_line(reason));
    }
    for asked in verdict.asked.iter() {
        println!("{} {} {} → {}", style("asked").dim(), asked.port, asked.question, asked.answer);
    }
    let Outcome::Notify(decision) = &verdict.outcome else { return };
    println!("{} {}", style("template").dim(), decision.template);
    if let Some(key) = &decision.dedupe_key {
        let time = decision.dedupe_for.map_or_else(|| "24 hours".to_owned(), short);
        println!("{} {key:?}, once in {time}", style("dedupe key").dim());
    }
    if let Some(collect) = decision.collect {
        println!("{} for {collect}; here is a digest of one", style("collected").dim());
    }
    let mut last_body = None;
    for planned in &planned.notifications {
        let notification = &planned.notification;
        let name = [&notification.name, &notification.username, &notification.recipient];
        let name = name.into_iter().flatten().next().map_or("somebody", String::as_str);
        println!("{} {} ({})", style("to").dim(), style(one_line(name)).bold(), notification.reason);
        for condition in conditions(notification) {
            println!("   {} {condition}", style("sent").dim());
        }
        if let Some(why) = &planned.skipped {
            println!("   {} {}", style("cannot be reached:").red(), one_line(why));
            continue;
        }
        if last_body == Some(&notification.message.body) {
            println!("   {}", style("reads the same").dim());
            continue;
        }
        last_body = Some(&notification.message.body);
        let width = usize::from(Term::stdout().size().1).saturating_sub(3);
        for line in bubble(name, &notification.message, None, "", width).lines().skip(1) {
            println!("   {line}");
        }
    }
}

/// What there is to say about when and how it goes out, where it is not the usual.
fn conditions(notification: &Notification) -> Vec<String> {
    let priority = match notification.priority {
        Priority::Urgent => Some("before others (urgent)".to_owned()),
        Priority::Normal => None,
        Priority::Bulk => Some("after others (bulk)".to_owned()),
    };
    let mode = match notification.message.mode {
        Mode::Auto => None,
        Mode::Template => Some(format!("always as the Meta template {}", notification.message.template)),
        Mode::Text => Some("only while the recipient's 24-hour window is open".to_owned()),
    };
    let times = [
        notification.send_at.map(|at| format!("not before {at}")),
        notification.expires_at.map(|at| format!("not after {at}")),
    ];
    times.into_iter().chain([priority, mode]).flatten().collect()
}
