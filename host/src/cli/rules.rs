//! `hookswitch rules check`: everything that is wrong in a rules folder.

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use clap::{Args, Subcommand};
use console::style;
use hookswitch_core::catalog::{self, Catalog, Finding, Findings, Folders, Severity};
use serde::Serialize;

use super::{
    output,
    rules_fmt::{self, FmtArgs},
    rules_new::{self, NewArgs},
    rules_replay::{self, ReplayArgs},
    rules_schema::{self, SchemaArgs},
    rules_try::{TryArgs, try_event},
    rules_watch,
};
use crate::{
    app,
    check::count,
    config::{DatabaseConfig, RulesConfig},
};

/// The arguments of `hookswitch rules`.
#[derive(Args, Debug)]
pub struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Subcommand, Debug)]
enum RulesCommand {
    /// Compile everything, run every case, and report all that is wrong
    Check(CheckArgs),
    /// Write a route with its template and its first case
    New(NewArgs),
    /// Lay out the YAML of rules and plugins
    Fmt(FmtArgs),
    /// Write JSON Schemas of rules and plugins for editors
    Schema(SchemaArgs),
    /// Show what rules and plugins make of an event, without sending
    Try(TryArgs),
    /// Replay one event: its decisions then and now, with the answers of then
    Replay(ReplayArgs),
}

/// The arguments of `hookswitch rules check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Also list the routes, scripts, plugins and templates that no case reaches
    #[arg(long)]
    coverage: bool,
    /// Print a JSON document with the file, line and column of each finding
    #[arg(long)]
    pub json: bool,
    /// Check again whenever a file changes, until Ctrl-C; with --json one line per round
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    pub rules: RulesConfig,
}

/// Runs the command.
///
/// # Errors
/// If this machine cannot run plugins, or the database of a replay cannot be reached.
pub fn run(args: RulesArgs, database: &DatabaseConfig) -> Result<ExitCode> {
    match args.command {
        RulesCommand::Check(args) => check(&args, database),
        RulesCommand::New(args) => rules_new::run(&args, database),
        RulesCommand::Fmt(args) => rules_fmt::run(&args),
        RulesCommand::Schema(args) => rules_schema::run(&args),
        RulesCommand::Try(args) => try_event(&args, database),
        RulesCommand::Replay(args) => super::wait(rules_replay::run(args, database)),
    }
}

/// Checks a rules folder: status 1 if something is wrong.
fn check(args: &CheckArgs, database: &DatabaseConfig) -> Result<ExitCode> {
    let folders = app::folders(&args.rules, database, false)?;
    if args.watch { rules_watch::run(args, folders) } else { once(args, &folders) }
}

/// One check of the folders, and what it says: status 1 if something is wrong.
///
/// # Errors
/// If the result cannot be printed.
pub fn once(args: &CheckArgs, folders: &Folders) -> Result<ExitCode> {
    let started = Instant::now();
    let loaded = catalog::load(folders);
    let milliseconds = started.elapsed().as_millis();
    if args.json {
        let document = CheckJson::new(&loaded, args.coverage);
        if args.watch { output::json_lines([document])? } else { output::json(&document)? }
    } else {
        match &loaded {
            Ok(catalog) => {
                let not_reached = catalog.not_reached.iter().filter(|_| args.coverage);
                let findings: Vec<Finding> =
                    catalog.all_warnings().chain(not_reached).chain(catalog.notes()).cloned().collect();
                if !findings.is_empty() {
                    let folder = args.rules.rules.display().to_string();
                    eprintln!("{}\n", Findings { folder, findings });
                }
                println!("{}", summary(catalog, milliseconds));
            }
            Err(findings) => eprintln!("{findings}"),
        }
    }
    Ok(if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The result of a check, for editors and CI.
#[derive(Serialize)]
struct CheckJson<'a> {
    /// `false` if there are errors.
    ok: bool,
    release: Option<&'a str>,
    findings: Vec<FindingJson<'a>>,
}

impl<'a> CheckJson<'a> {
    fn new(loaded: &'a Result<Catalog, Findings>, coverage: bool) -> Self {
        let findings = match loaded {
            Ok(catalog) => {
                let not_reached = catalog.not_reached.iter().filter(|_| coverage);
                catalog.all_warnings().chain(not_reached).chain(catalog.notes()).collect()
            }
            Err(findings) => findings.findings.iter().collect::<Vec<_>>(),
        };
        CheckJson {
            ok: loaded.is_ok(),
            release: loaded.as_ref().ok().map(|catalog| catalog.release.as_str()),
            findings: findings.into_iter().map(FindingJson::from).collect(),
        }
    }
}

/// A finding: its file is relative to the rules folder, lines and columns count from 1.
#[derive(Serialize)]
pub struct FindingJson<'a> {
    severity: &'static str,
    /// Absent if it is about the folder as a whole.
    file: Option<&'a str>,
    /// Absent if it is about the file as a whole, as is the column.
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    help: Option<&'a str>,
    notes: Vec<NoteJson<'a>>,
}

/// More about a finding, for example what a case expected.
#[derive(Serialize)]
struct NoteJson<'a> {
    label: &'a str,
    text: &'a str,
}

impl<'a> From<&'a Finding> for FindingJson<'a> {
    fn from(finding: &'a Finding) -> Self {
        let has_place = finding.line > 0;
        let help = finding.notes.iter().find(|(label, _)| *label == "help").map(|(_, text)| text.as_str());
        let others = finding.notes.iter().filter(|(label, _)| *label != "help");
        FindingJson {
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            file: Some(finding.file.as_str()).filter(|file| !file.is_empty()),
            line: has_place.then_some(finding.line),
            column: has_place.then_some(finding.column),
            message: &finding.message,
            help,
            notes: others.map(|(label, text)| NoteJson { label, text }).collect(),
        }
    }
}

fn summary(catalog: &Catalog, milliseconds: u128) -> String {
    let counts = catalog.counts;
    let mut held = vec![
        count(counts.domains, "domain", "domains"),
        count(counts.routes, "route", "routes"),
        count(counts.scripts, "script", "scripts"),
        count(counts.templates, "template", "templates"),
        count(counts.plugins, "plugin", "plugins"),
        count(catalog.groups.len(), "group", "groups"),
    ];
    if counts.schedules > 0 {
        held.push(count(counts.schedules, "schedule", "schedules"));
    }
    let cases = match counts.cases {
        0 => "no cases".to_owned(),
        cases => format!("{} passed", count(cases, "case", "cases")),
    };
    let mark = style("✓").green();
    let mut text = format!(
        "{mark} {}\n{mark} {cases} in {milliseconds} ms (release {})",
        held.join(", "),
        catalog.release
    );
    if !catalog.not_reached.is_empty() {
        let files = count(catalog.not_reached.len(), "rule or template is", "rules and templates are");
        text.push_str(&format!("\n{files} reached by no case; to list them: --coverage"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use clap::Parser;

    use super::{CheckArgs, ExitCode, catalog, check, summary};
    use crate::{
        cli::Cli,
        config::{RulesConfig, SandboxConfig},
    };

    fn status(folder: &std::path::Path) -> String {
        let rules = RulesConfig {
            rules: folder.to_owned(),
            plugins: "plugins".into(),
            sandbox: SandboxConfig::default(),
        };
        let args = CheckArgs { coverage: false, json: false, watch: false, rules };
        let database = Cli::parse_from(["hookswitch", "openapi"]).database;
        format!("{:?}", check(&args, &database).unwrap())
    }

    #[test]
    fn the_status_says_whether_something_is_wrong() {
        let folder = tempfile::TempDir::new().unwrap();
        assert_eq!(status(folder.path()), format!("{:?}", ExitCode::FAILURE));
        fs::write(folder.path().join("groups.yaml"), "- {name: Sales Team}\n").unwrap();
        assert_eq!(status(folder.path()), format!("{:?}", ExitCode::SUCCESS));
        let catalog = catalog::load(&folder.path().into()).unwrap();
        let words = console::strip_ansi_codes(&summary(&catalog, 12)).into_owned();
        assert_eq!(
            words,
            format!(
                "✓ 0 domains, 0 routes, 0 scripts, 0 templates, 0 plugins, 1 group\n✓ no cases in 12 ms (release {})",
                catalog.release
            )
        );
    }
}
