//! `hookswitch release create`.

use std::process::ExitCode;

use clap::Args;

use super::words;
use crate::{
    app,
    check::count,
    cli::failure::Failure,
    config::{DatabaseConfig, RulesConfig},
    operate::Operate,
    releases::{ReleaseError, VerdictState},
};

/// The arguments of `hookswitch release create`.
#[derive(Args, Debug)]
pub(super) struct CreateArgs {
    /// What is said of it, for example what has changed
    #[arg(long, value_parser = words)]
    note: Option<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Stores a release and prints its name; status 1 if it does not compile or cases fail.
pub(super) async fn create(
    args: CreateArgs,
    operate: &Operate,
    settings: &DatabaseConfig,
) -> anyhow::Result<ExitCode> {
    let folders = app::folders(&args.rules, settings, false)?;
    let by = operate.user().await?;
    let created = match operate.create_release(&by, folders, args.note.as_deref()).await {
        Ok(created) => created,
        Err(ReleaseError::Unreadable(findings)) => {
            return Err(Failure::new(format!("not all files can be read:\n{findings}")).into());
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(findings) = &created.findings {
        eprintln!("{findings}");
    }
    let release = &created.release;
    if !created.is_new {
        eprintln!("This release exists; its first note stays.");
    }
    match release.verdict.state {
        VerdictState::Passed => {
            let cases = count(release.verdict.cases, "case", "cases");
            eprintln!("{cases} passed. To make it live: hookswitch release activate {}", release.release);
        }
        VerdictState::CasesFail => {
            eprintln!("Stored, but cases fail: it goes live only with release activate --force.");
        }
        VerdictState::DoesNotCompile => eprintln!("Stored, but it does not compile: it cannot go live."),
    }
    println!("{}", release.release);
    Ok(if release.has_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
