//! `hookswitch check`: whether everything is set up, and what to do where it is not.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::Args;
use console::style;
use hookswitch_core::{
    catalog::{self, Catalog, Findings},
    plan::MetaTemplate,
};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use crate::{
    app::{self, Database},
    check::{self, Finding, Report, Section, Severity, Subject},
    config::{Config, ConfigErrors, ServeArgs},
    whatsapp::management::Management,
};

/// Looks at everything that a message needs on its way: settings, database, rules, groups, people, templates, the
/// Cloud API, the webhook, hosts, and what waits or failed. Each finding ends with the command to paste.
#[derive(Args, Debug)]
#[command(
    after_help = "Status 0: nothing keeps messages from going out. Status 1: there is a critical finding."
)]
pub struct CheckArgs {
    /// Shows all that was looked at, too.
    #[arg(long, short)]
    verbose: bool,
    /// Writes the report as JSON; its member `schema` counts up when readers would break.
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    /// Mends what is safe to mend: applies migrations, creates groups, hands missing templates in to Meta after asking.
    #[arg(long)]
    fix: bool,
    /// Answers yes to what --fix asks.
    #[arg(long, short, requires = "fix")]
    yes: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Checks, mends what is asked for, and prints.
///
/// # Errors
/// Where the report cannot be printed.
pub async fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let folders = app::folders(args.serve.rules(), false)?;
    let loading = spawn_blocking(move || catalog::load(&folders));
    let opened = Database::open_as_is(args.serve.database(), &mut |_| {}).await;
    let catalog = loading.await?;
    let settings = Config::try_from(args.serve.clone());
    let database = opened.as_ref().map_err(ToString::to_string);
    if args.fix {
        mend(&settings, &catalog, database.as_ref().ok().copied(), args.yes).await?;
    }
    let subject = Subject {
        settings: settings.as_ref().map(|config| &config.whatsapp),
        catalog: catalog.as_ref(),
        store: database.as_ref().map(|database| &database.store).map_err(Clone::clone),
    };
    let report = check::check(&subject, Timestamp::now()).await;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report, args.verbose);
    }
    if let Ok(database) = opened {
        database.close().await;
    }
    Ok(if report.status == Some(Severity::Critical) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn mend(
    settings: &Result<Config, ConfigErrors>,
    catalog: &Result<Catalog, Findings>,
    database: Option<&Database>,
    yes: bool,
) -> anyhow::Result<()> {
    if let Some(database) = database {
        match database.migrate().await {
            Ok(0) => {}
            Ok(applied) => eprintln!("mended: applied {applied} migrations"),
            Err(error) => eprintln!("not mended: failed to {error}"),
        }
        if let Ok(catalog) = catalog {
            let names: Vec<&str> = catalog.groups.iter().map(|group| group.name.as_str()).collect();
            match database.store.create_groups(&names).await {
                Ok(created) if created.is_empty() => {}
                Ok(created) => eprintln!("mended: created the groups {}", created.join(", ")),
                Err(error) => eprintln!("not mended: failed to {error}"),
            }
        }
    }
    if let (Ok(config), Ok(catalog)) = (settings, catalog) {
        hand_in(config, catalog, yes).await?;
    }
    Ok(())
}

/// Hands missing templates in to Meta.
async fn hand_in(config: &Config, catalog: &Catalog, yes: bool) -> anyhow::Result<()> {
    let Some(account) = config.whatsapp.whatsapp_business_account_id.as_deref() else { return Ok(()) };
    let asked =
        match Management::new(&config.whatsapp.whatsapp_api_url, &config.whatsapp.whatsapp_access_token) {
            Ok(management) => management.templates(account).await.map(|at_meta| (management, at_meta)),
            Err(error) => {
                eprintln!("not mended: failed to {error}");
                return Ok(());
            }
        };
    let (management, at_meta) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("not mended: failed to {error}");
            return Ok(());
        }
    };
    let missing = check::missing(catalog, &at_meta);
    if missing.is_empty() || !(yes || agreed(&missing)?) {
        return Ok(());
    }
    for definition in &missing {
        match management.create_template(account, &definition.name, definition).await {
            Ok(status) => eprintln!("mended: handed in {}, which is {status}", definition.name),
            Err(error) => eprintln!("not mended: {}: failed to {error}", definition.name),
        }
    }
    Ok(())
}

fn agreed(missing: &[MetaTemplate]) -> anyhow::Result<bool> {
    let names: Vec<&str> = missing.iter().map(|definition| definition.name.as_str()).collect();
    eprintln!("{} templates are not at Meta yet:\n  {}", names.len(), names.join("\n  "));
    if !io::stdin().is_terminal() {
        eprintln!("They stay away: nobody is there to ask. --yes hands them in.");
        return Ok(false);
    }
    eprint!("Hand them in for Meta's review? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
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
        1 => " One more thing is good to know: --verbose".to_owned(),
        some => format!(" {some} more things are good to know: --verbose"),
    };
    match (critical, warnings) {
        (0, 0) => println!("{}{more}", style("All is well.").green()),
        (0, _) => println!("{}{more}", style(format!("Warnings: {warnings}.")).yellow()),
        _ => println!("{}{more}", style(format!("Critical: {critical}. Warnings: {warnings}.")).red()),
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
    let options = textwrap::Options::new(96).initial_indent("").subsequent_indent("  ");
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
    if let Some(command) = &finding.command {
        println!("{indent}  {} {command}", style("→").dim());
    }
}

fn print_facts(section: &Section, width: usize) {
    let longest = section.facts.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0).min(40);
    for fact in &section.facts {
        println!("{}{:longest$}  {}", " ".repeat(width + 4), fact.name, fact.value);
    }
}
