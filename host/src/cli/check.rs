//! `hookswitch check`: whether everything is set up, and how to fix what is not.

use std::process::ExitCode;

use clap::Args;
use console::{Term, style};
use hookswitch_core::{
    catalog::{self, Catalog, Findings},
    plan::MetaTemplate,
};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{confirm::Confirmation, output};
use crate::{
    app::{self, Database},
    check::{self, Finding, Report, Section, Severity, Subject, count},
    config::{Config, ConfigErrors, DatabaseConfig, ServeArgs},
    whatsapp::management::Management,
};

/// The arguments of `hookswitch check`.
#[derive(Args, Debug)]
#[command(
    long_about = "Check the whole set-up and say how to fix what is wrong\n\nThis covers settings, database, rules, groups, \
                  people, templates, the Cloud API, the webhook, hosts, and messages that wait or failed. Each finding \
                  ends with a command to paste or with what to do.",
    after_help = "The status is 0 if nothing keeps messages from being sent, and 1 if there is a critical finding."
)]
pub struct CheckArgs {
    /// Show notes and all facts, too
    #[arg(long, short)]
    verbose: bool,
    /// Print a JSON document; its member schema increases with breaking changes
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    /// Fix what is safe to fix: apply migrations, create groups, submit missing templates to Meta after confirmation
    #[arg(long)]
    fix: bool,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Checks, fixes if asked, and prints.
///
/// # Errors
/// If the report cannot be printed.
pub async fn run(args: CheckArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let folders = app::folders(args.serve.rules(), database, false)?;
    let loading = spawn_blocking(move || catalog::load(&folders));
    let opened = Database::open_as_is(database, &mut |_| {}).await;
    let catalog = loading.await?;
    let settings = Config::new(args.serve.clone(), database.clone());
    let database = opened.as_ref().map_err(ToString::to_string);
    if args.fix {
        fix(&settings, &catalog, database.as_ref().ok().copied(), args.confirmation).await?;
    }
    let subject = Subject {
        settings: settings.as_ref().map(|config| &config.whatsapp),
        catalog: catalog.as_ref(),
        store: database.as_ref().map(|database| &database.store).map_err(Clone::clone),
    };
    let report = check::check(&subject, Timestamp::now()).await;
    if args.json {
        output::json(&report)?;
    } else {
        print(&report, args.verbose);
    }
    if let Ok(database) = opened {
        database.close().await;
    }
    Ok(if report.status == Some(Severity::Critical) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn fix(
    settings: &Result<Config, ConfigErrors>,
    catalog: &Result<Catalog, Findings>,
    database: Option<&Database>,
    confirmation: Confirmation,
) -> anyhow::Result<()> {
    if let Some(database) = database {
        match database.migrate().await {
            Ok(0) => {}
            Ok(applied) => eprintln!("Applied {}.", count(applied, "migration", "migrations")),
            Err(error) => eprintln!("warning: migrations not applied: {error}"),
        }
        if let Ok(catalog) = catalog {
            let names: Vec<&str> = catalog.groups.iter().map(|group| group.name.as_str()).collect();
            match database.store.create_groups(&names).await {
                Ok(created) if created.is_empty() => {}
                Ok(created) => eprintln!("Created groups: {}.", created.join(", ")),
                Err(error) => eprintln!("warning: groups not created: {error}"),
            }
        }
    }
    if let (Ok(config), Ok(catalog)) = (settings, catalog) {
        submit(config, catalog, confirmation).await?;
    }
    Ok(())
}

/// Submits missing templates to Meta.
async fn submit(config: &Config, catalog: &Catalog, confirmation: Confirmation) -> anyhow::Result<()> {
    let Some(account) = config.whatsapp.whatsapp_business_account_id.as_deref() else { return Ok(()) };
    let asked = async {
        let management =
            Management::new(&config.whatsapp.whatsapp_api_url, &config.whatsapp.whatsapp_access_token)?;
        let at_meta = management.templates(account).await?;
        anyhow::Ok((management, at_meta))
    };
    let (management, at_meta) = match asked.await {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("warning: templates not submitted: {error}");
            return Ok(());
        }
    };
    let missing = check::missing(catalog, &at_meta);
    if missing.is_empty() || !confirmation.confirm(&question(&missing))? {
        return Ok(());
    }
    for definition in &missing {
        match management.create_template(account, &definition.name, definition).await {
            Ok(status) => eprintln!("Submitted {}: {status}.", definition.name),
            Err(error) => eprintln!("warning: {} not submitted: {error}", definition.name),
        }
    }
    Ok(())
}

fn question(missing: &[MetaTemplate]) -> String {
    let names: Vec<&str> = missing.iter().map(|definition| definition.name.as_str()).collect();
    format!(
        "{} not at Meta yet:\n  {}\nSubmit for Meta's review?",
        count(names.len(), "template is", "templates are"),
        names.join("\n  ")
    )
}

fn print(report: &Report, verbose: bool) {
    let width = report.sections.iter().map(|section| section.name.len()).max().unwrap_or(0);
    for section in &report.sections {
        let name = section.name.replace('_', " ");
        println!("{} {}  {}", mark(section.status), style(format!("{name:width$}")).bold(), section.summary);
        if verbose {
            print_facts(section, width);
        }
        for finding in &section.findings {
            if finding.severity > Severity::Info || verbose {
                print_finding(finding, width);
            }
        }
    }
    println!();
    let (critical, warnings) = (report.count(Severity::Critical), report.count(Severity::Warning));
    let hidden = if verbose { 0 } else { report.count(Severity::Info) };
    let more = match hidden {
        0 => String::new(),
        some => format!(" {} hidden; use --verbose.", count(some, "note", "notes")),
    };
    match (critical, warnings) {
        (0, 0) => println!("{}{more}", style("No problems found.").green()),
        (0, _) => {
            println!("{}{more}", style(format!("{}.", count(warnings, "warning", "warnings"))).yellow())
        }
        _ => println!(
            "{}{more}",
            style(format!("{critical} critical, {}.", count(warnings, "warning", "warnings"))).red()
        ),
    }
}

fn mark(severity: Option<Severity>) -> console::StyledObject<&'static str> {
    match severity {
        None | Some(Severity::Info) => style("✓").green(),
        Some(Severity::Warning) => style("!").yellow(),
        Some(Severity::Critical) => style("✗").red(),
    }
}

fn print_finding(finding: &Finding, width: usize) {
    let indent = " ".repeat(width + 4);
    let mark = match finding.severity {
        Severity::Info => style("·").dim(),
        Severity::Warning => style("!").yellow(),
        Severity::Critical => style("✗").red(),
    };
    // Elsewhere than on a terminal a finding is a line.
    let width = if Term::stdout().is_term() { 96 } else { usize::MAX };
    let options = textwrap::Options::new(width).initial_indent("").subsequent_indent("  ");
    let text = textwrap::wrap(&finding.what, options);
    for (index, line) in text.iter().enumerate() {
        match index {
            0 => println!("{indent}{mark} {line}"),
            _ => println!("{indent}{line}"),
        }
    }
    for detail in &finding.details {
        println!("{indent}    {detail}");
    }
    if let Some(next) = finding.command.as_ref().or(finding.advice.as_ref()) {
        println!("{indent}  {} {next}", style("→").dim());
    }
}

fn print_facts(section: &Section, width: usize) {
    let longest = section.facts.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0).min(40);
    for fact in &section.facts {
        println!("{}{:longest$}  {}", " ".repeat(width + 4), fact.name, fact.value);
    }
}
