//! `hookswitch rules check`: everything that is wrong in a rules folder, or that nothing is.

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use clap::{Args, Subcommand};
use console::style;
use hookswitch_core::catalog::{self, Catalog, Findings};

use super::{
    rules_replay::{self, ReplayArgs},
    rules_try::{TryArgs, try_event},
};
use crate::{app, config::RulesConfig};

/// `hookswitch rules …`
#[derive(Args, Debug)]
pub struct RulesArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What to do with the rules.
#[derive(Subcommand, Debug)]
pub enum RulesCommand {
    /// Compile everything, run every case, and report all that is wrong.
    Check(CheckArgs),
    /// Show what the rules make of an event; sends nothing and needs no database.
    Try(TryArgs),
    /// Decide an event of the log again, with the answers that its rules got then, and compare.
    Replay(ReplayArgs),
}

/// `hookswitch rules check …`
#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    pub rules: RulesConfig,
}

/// Runs the command.
///
/// # Errors
/// None today; commands agree on their type.
pub fn run(args: RulesArgs) -> Result<ExitCode> {
    match args.command {
        RulesCommand::Check(args) => check(&args),
        RulesCommand::Try(args) => try_event(&args),
        RulesCommand::Replay(args) => super::wait(rules_replay::run(args)),
    }
}

/// Checks a rules folder: status 0 where nothing is wrong, 1 where something is.
///
/// # Errors
/// None today; commands agree on their type.
pub fn check(args: &CheckArgs) -> Result<ExitCode> {
    let started = Instant::now();
    match catalog::load(&app::folders(&args.rules, false)?) {
        Ok(catalog) => {
            if !catalog.warnings.is_empty() {
                let folder = args.rules.rules.display().to_string();
                eprintln!("{}\n", Findings { folder, findings: catalog.warnings.clone() });
            }
            println!("{}", summary(&catalog, started.elapsed().as_millis()));
            Ok(ExitCode::SUCCESS)
        }
        Err(findings) => {
            eprintln!("{findings}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn summary(catalog: &Catalog, milliseconds: u128) -> String {
    let counts = catalog.counts;
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut held = vec![
        counted(counts.domains, "domain"),
        counted(counts.routes, "route"),
        counted(counts.scripts, "script"),
        counted(counts.templates, "template"),
        counted(counts.plugins, "plugin"),
        counted(catalog.groups.len(), "group"),
    ];
    if counts.schedules > 0 {
        held.push(counted(counts.schedules, "schedule"));
    }
    let cases = match counts.cases {
        0 => "no cases".to_owned(),
        count => format!("{} passed", counted(count, "case")),
    };
    let mark = style("✓").green();
    format!("{mark} {}\n{mark} {cases} in {milliseconds} ms (release {})", held.join(", "), catalog.release)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::{CheckArgs, ExitCode, catalog, check, summary};
    use crate::config::RulesConfig;

    fn status(folder: &std::path::Path) -> String {
        let rules = RulesConfig {
            rules: folder.to_owned(),
            plugins: folder.join("none"),
            plugin_cache: folder.join("none"),
            plugin_private_hosts: Vec::new(),
            plugin_grants: Vec::new(),
        };
        let args = CheckArgs { rules };
        format!("{:?}", check(&args).unwrap())
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
