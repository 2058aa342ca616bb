//! `hookswitch release`: the rules and plugins that hosts follow.

mod create;
mod print;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use self::create::{CreateArgs, create};
use super::{failure::Failure, output};
use crate::{
    app::{self, Database},
    config::{DatabaseConfig, SandboxConfig},
    operate::{Activated, ActivationError, Checker, Operate},
    releases::{ReleaseError, short},
};

/// The arguments of `hookswitch release`.
#[derive(Args, Debug)]
#[command(
    long_about = "Create, compare and activate releases of rules and plugins\n\nA release is the set of files in the folders \
                  of rules and plugins that hosts read. It is stored in the database, each file once. A host without a \
                  folder of rules follows the active release: it loads it within a second. A host that is given a folder \
                  (serve --rules) serves that folder; what it loads it stores and activates as a release, which those that \
                  follow load, too."
)]
pub struct ReleaseArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Store the rules and plugins of the folders as a release
    Create(CreateArgs),
    /// List releases, the newest first
    List(ListArgs),
    /// Show a release, its files, and where it is live
    Show(ShowArgs),
    /// Show what differs between two releases
    Diff(DiffArgs),
    /// Check a release, run its cases, and make it live on hosts that follow
    Activate(ActivateArgs),
    /// Make the release live that was active before, without checks
    Rollback(RollbackArgs),
    /// Write the files of a release into a folder
    Export(ExportArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Maximum number of results
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    /// Print each release as a JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// The release, by at least 4 of its first digits
    release: String,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct DiffArgs {
    /// The one release, by at least 4 of its first digits
    from: String,
    /// The other release
    to: String,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct ActivateArgs {
    /// The release, by at least 4 of its first digits
    release: String,
    /// Activate it although cases fail; this is recorded
    #[arg(long, requires = "reason")]
    force: bool,
    /// The reason, which is recorded
    #[arg(long, value_parser = words)]
    reason: Option<String>,
    #[command(flatten)]
    sandbox: SandboxConfig,
}

#[derive(Args, Debug)]
struct RollbackArgs {
    /// The reason, which is recorded
    #[arg(long, value_parser = words)]
    reason: Option<String>,
}

#[derive(Args, Debug)]
struct ExportArgs {
    /// The release, by at least 4 of its first digits
    release: String,
    /// The folder, which is created; it gets the folders `rules` and `plugins`
    folder: PathBuf,
}

/// Maximum length of a note or a reason, in characters.
const WORDS: usize = 1_000;

/// A note or a reason.
fn words(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("must not be empty".to_owned()),
        text if text.chars().count() > WORDS => Err(format!("must have at most {WORDS} characters")),
        text => Ok(text.to_owned()),
    }
}

/// Runs the command. Status 1 if cases of the release fail.
///
/// # Errors
/// If the database cannot be reached, or the release is unknown or cannot be activated.
pub async fn run(args: ReleaseArgs, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(settings, &mut |step| eprintln!("{step}")).await?;
    let operate = Operate::new(database.store.clone());
    let done = command(args.command, &operate, settings).await;
    database.close().await;
    done
}

async fn command(command: Command, operate: &Operate, settings: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(args) => return create(args, operate, settings).await,
        Command::List(args) => print::list(&operate.releases(None, args.limit).await?, args.json)?,
        Command::Show(args) => {
            let shown = operate.release(&args.release).await.map_err(failure)?;
            if args.json { output::json(&shown)? } else { print::show(&shown) }
        }
        Command::Diff(args) => {
            let difference = operate.diff_releases(&args.from, &args.to).await.map_err(failure)?;
            if args.json { output::json(&difference)? } else { print::difference(&difference) }
        }
        Command::Activate(args) => {
            let checker = Checker {
                cache: app::releases(settings),
                sandbox: app::sandbox(&args.sandbox, settings, false)?,
            };
            let by = operate.user().await?;
            let reason = args.reason.as_deref();
            let activated = operate.activate_release(&by, &args.release, args.force, reason, &checker).await;
            say(&activated.map_err(failure)?);
        }
        Command::Rollback(args) => {
            let by = operate.user().await?;
            say(&operate.roll_back(&by, args.reason.as_deref()).await.map_err(failure)?);
        }
        Command::Export(args) => export(&args, operate).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn say(activated: &Activated) {
    let release = &activated.release.release;
    if !activated.changed {
        println!("The release {release} was active already.");
        return;
    }
    let forced = if activated.forced { ", although cases fail" } else { "" };
    println!("Activated release {release}{forced}. Hosts that follow load it within a second.");
    if let Some(before) = &activated.before {
        println!("Before: {}. Undo: hookswitch release rollback", short(before));
    }
}

async fn export(args: &ExportArgs, operate: &Operate) -> anyhow::Result<()> {
    let folder = &args.folder;
    let is_empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !folder.exists(),
    };
    if !is_empty {
        let what = format!("{} is not an empty folder", folder.display());
        return Err(Failure::new(what).help("name another folder, or remove what is in it").into());
    }
    let id = operate.export_release(&args.release, folder).await.map_err(failure)?;
    println!("Exported release {} to {}.", short(&id), folder.display());
    Ok(())
}

/// An error with what helps.
fn failure(error: ActivationError) -> anyhow::Error {
    let help = match &error {
        ActivationError::Unknown(_) => Some("to list releases: hookswitch release list".to_owned()),
        ActivationError::Ambiguous(_) => Some("give more of its digits".to_owned()),
        ActivationError::CasesFail { release, .. } => Some(format!(
            "not activated; to activate it all the same: hookswitch release activate {} --force --reason REASON",
            short(release)
        )),
        ActivationError::DoesNotCompile { .. } => {
            Some("not activated: mend what is wrong, and create another release".to_owned())
        }
        ActivationError::NoneBefore => {
            Some("to activate another one: hookswitch release activate RELEASE".to_owned())
        }
        ActivationError::Release(ReleaseError::Damaged { .. }) => {
            Some("create the release again from its folder".to_owned())
        }
        ActivationError::Release(_) => None,
    };
    let failure = Failure::new(error.to_string());
    match help {
        Some(help) => failure.help(help).into(),
        None => failure.into(),
    }
}
