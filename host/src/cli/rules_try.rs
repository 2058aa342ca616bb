//! `hookswitch rules try`: what rules and plugins make of an event, without sending.

use std::{fs, io::Read, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use console::{Term, style};
use hookswitch_core::{
    catalog::{self, Catalog, CatalogPorts},
    decide::decide,
    domain::{
        Asked, DecisionOutcome, Event, Mode, Notification, Outcome, Priority, Senders, Verdict, Withdraws,
        short,
    },
    plan::Planned,
};
use jiff::Timestamp;

use super::{bubble::faces, failure::Failure, output, table::one_line};
use crate::{
    app,
    check::count,
    config::{DatabaseConfig, RulesConfig},
    http::Problem,
    intake::read_event,
    operate::{Trial, TriedWindow, planned},
};

const NOTHING_SENT: &str =
    "Nothing was sent. People are made up: one member for each group, and the users that a rule names.";

/// The arguments of `hookswitch rules try` and `hookswitch plugin try`.
#[derive(Args, Debug)]
pub struct TryArgs {
    /// File with the event as it would be posted, a CloudEvent or {type, data, …}; - for standard input
    event: PathBuf,

    /// Time for the rules, for example 2026-11-23T09:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,

    /// Let plugins send their requests; without it they are refused
    #[arg(long)]
    network: bool,

    /// Print a JSON document with each decision and its messages
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    rules: RulesConfig,
}

/// Shows what the rules make of an event: status 1 if a rule fails or does not compile, 2 if the event is invalid.
///
/// # Errors
/// If the event is invalid, or this machine cannot run plugins.
pub fn try_event(args: &TryArgs, database: &DatabaseConfig) -> Result<ExitCode> {
    let now = args.at.unwrap_or_else(Timestamp::now);
    let body = read(args)?;
    let event = read_event(&body, now).map_err(|problem| refused(args, &problem))?;
    let catalog = match catalog::load_to_try(&app::folders(&args.rules, database, args.network)?) {
        Ok(catalog) => catalog,
        Err(findings) => {
            eprintln!("{findings}");
            return Ok(ExitCode::FAILURE);
        }
    };
    if let Some(first) = catalog.failed_cases.first() {
        // A case may fail because it is being written.
        eprintln!(
            "warning: {}, so these rules would not go live: {}:{}: {}; for all of them: hookswitch rules check",
            count(catalog.failed_cases.len(), "finding in cases", "findings in cases"),
            first.file,
            first.line,
            first.message
        );
    }
    let verdicts = decide(&catalog.routes, &event, &CatalogPorts { catalog: &catalog, now });
    let people = catalog.made_up_people(&verdicts);
    let decided = planned(&catalog, &Senders::any(), &people, &event, verdicts, now);
    if args.json {
        output::json(&Trial::new(&catalog, &event, &people, &decided, TriedWindow::AsIs, now))?;
    } else {
        show(&catalog, &event, &decided, args.network);
    }
    let failed = decided.iter().any(|(_, planned)| planned.outcome == DecisionOutcome::Failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(args: &TryArgs) -> Result<Vec<u8>, Failure> {
    let what = |error: std::io::Error| {
        Failure::usage(format!("cannot read the event {}: {error}", args.event.display()))
    };
    if args.event.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).map_err(what)?;
        return Ok(body);
    }
    fs::read(&args.event).map_err(what)
}

fn refused(args: &TryArgs, problem: &Problem) -> Failure {
    let place = problem.place().map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
    let several = problem.errors().len() > 1;
    let what = match several {
        true => format!("{} errors", problem.errors().len()),
        false => problem.detail().to_owned(),
    };
    let mut text = format!("invalid event {}{place}: {what}", args.event.display());
    if several {
        for error in problem.errors() {
            text.push_str(&format!("\n  {}: {}", error.at, error.detail));
        }
    }
    Failure::usage(text)
}

/// Prints everything.
fn show(catalog: &Catalog, event: &Event, decided: &[(Verdict, Planned)], network: bool) {
    println!(
        "{}  {}",
        style(&event.kind).bold().yellow(),
        style(format!("release {}", catalog.release)).dim()
    );
    for (verdict, planned) in decided {
        show_verdict(verdict, planned);
    }
    println!("\n{}", style(NOTHING_SENT).dim());
    let asks = |asked: &Asked| asked.port == "http";
    if !network && decided.iter().any(|(verdict, _)| verdict.asked.iter().any(asks)) {
        println!("{}", style("Requests of plugins were refused. To send them: --network").dim());
    }
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
    for Withdraws { key, replaces } in verdict.outcome.withdraws() {
        let what =
            if replaces { "messages of earlier events with the same key" } else { "messages with the key" };
        println!("{} {what}: {key}", style("withdraws").dim());
    }
    let Outcome::Notify(decision) = &verdict.outcome else { return };
    println!("{} {}", style("template").dim(), decision.template);
    if let Some(key) = &decision.dedupe_key {
        let time = decision.dedupe_for.map_or_else(|| "24h".to_owned(), short);
        println!("{} {key:?}, once per {time}", style("dedupe_key").dim());
    }
    if let Some(collect) = &decision.collect {
        println!("{} for {collect}; this is a digest of one", style("collected").dim());
    }
    let mut last = None;
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
        if last == Some(&notification.message) {
            println!("   {}", style("same text").dim());
            continue;
        }
        last = Some(&notification.message);
        let width = usize::from(Term::stdout().size().1).saturating_sub(3);
        print!("{}", faces(&notification.message, width, "   "));
    }
}

/// When and how a notification goes out, if not as usual.
fn conditions(notification: &Notification) -> Vec<String> {
    let priority = match notification.priority {
        Priority::Urgent => Some("before other messages (urgent)".to_owned()),
        Priority::Normal => None,
        Priority::Bulk => Some("after other messages (bulk)".to_owned()),
    };
    let mode = match notification.message.mode {
        Mode::Auto => None,
        Mode::Template => Some("always as a Meta template".to_owned()),
        Mode::Text => Some("only while the recipient's 24-hour window is open".to_owned()),
    };
    let times = [
        notification.send_at.map(|at| format!("not before {at}")),
        notification.expires_at.map(|at| format!("not after {at}")),
    ];
    times.into_iter().chain([priority, mode]).flatten().collect()
}
