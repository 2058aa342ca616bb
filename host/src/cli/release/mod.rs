//! `hookswitch release`: the rules and plugins that hosts follow.

mod create;
mod print;
mod shadow;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use hookswitch_core::domain::LaneShare;

use self::{
    create::{CreateArgs, create},
    shadow::{ShadowArgs, shadow},
};
use super::{failure::Failure, output};
use crate::{
    app::{self, Database},
    config::{DatabaseConfig, SandboxConfig},
    operate::{Activated, ActivationError, Checker, CleanLimits, HowToActivate, NotActivated, Operate},
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
    /// Check a release, run its cases, and let it decide, for all or a share
    #[command(
        long_about = "Check a release, run its cases, and make it live on hosts that follow, within a second\n\nWith --share, \
                      it decides for a stable part of the subjects, and the active release for the rest. Events are divided \
                      into 64 lanes by a hash of their subject (of their id if they have none); a share of 10% is the first 6 \
                      of these lanes, always the same ones. The same command with a larger share adds lanes and takes none \
                      back; without --share it completes the release, and `release rollback` ends it: the other one decides \
                      for all lanes again. Only one release at a time has a share, and a share never shrinks.\n\nSchedules, \
                      lists of rules and templates, and what else has no lane are those of the active release until the other \
                      one is completed. A host that serves a folder (serve --rules) takes no part."
    )]
    Activate(ActivateArgs),
    /// Let a release decide beside the live one, without sending
    #[command(
        long_about = "Let a release decide beside the live one about live events, and send nothing\n\nEach event that is accepted \
                      from now on is decided once more by the release, after the live one has decided it and with the answers that \
                      it got, and the messages of both are compared, as in `hookswitch replay`. Only what differs, and what fails, \
                      is kept. A host does it from behind, on one thread that yields to all others: if the release is slow, only \
                      the shadow falls behind. It is stopped if its rules fail too often or take too long, and says so.\n\nOne \
                      shadow at a time. It ends when its time is over, when it is stopped, or when another release is activated."
    )]
    Shadow(ShadowArgs),
    /// End a share, or make the release live that was active before; no checks
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
    /// The part of the subjects for which it decides: 1% to 99%; without it, all
    #[arg(long, value_name = "PERCENT")]
    share: Option<LaneShare>,
    /// Activate it although cases fail; this is recorded
    #[arg(long, requires = "reason")]
    force: bool,
    /// The reason, which is recorded
    #[arg(long, value_parser = words)]
    reason: Option<String>,
    /// Only if its shadow beside the active release found nothing beyond the limits
    #[arg(long)]
    when_shadow_clean: bool,
    /// Maximum number of events decided differently [default: 0]
    #[arg(long, value_name = "COUNT", requires = "when_shadow_clean")]
    differences: Option<u64>,
    /// Maximum number of events that fail and do not fail now [default: 0]
    #[arg(long, value_name = "COUNT", requires = "when_shadow_clean")]
    failures: Option<u64>,
    /// How much more CPU time its rules may take, in percent [default: 50]
    #[arg(long, value_name = "PERCENT", requires = "when_shadow_clean")]
    slower: Option<u32>,
    /// Minimum number of events that were compared [default: 100]
    #[arg(long, value_name = "COUNT", requires = "when_shadow_clean")]
    events: Option<u64>,
    #[command(flatten)]
    sandbox: SandboxConfig,
}

impl ActivateArgs {
    fn when_clean(&self) -> Option<CleanLimits> {
        let usual = CleanLimits::default();
        self.when_shadow_clean.then(|| CleanLimits {
            differences: self.differences.unwrap_or(usual.differences),
            failures: self.failures.unwrap_or(usual.failures),
            slower: self.slower.unwrap_or(usual.slower),
            events: self.events.unwrap_or(usual.events),
        })
    }
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
            let checker = checker(&args.sandbox, settings)?;
            let by = operate.user().await?;
            let how = HowToActivate {
                share: args.share,
                is_forced: args.force,
                reason: args.reason.as_deref(),
                when_clean: args.when_clean(),
            };
            let activated = operate.activate_release(&by, &args.release, how, &checker).await;
            say(&activated.map_err(failure)?);
            warn_of_folders(operate).await?;
        }
        Command::Shadow(args) => shadow(args, operate, settings).await?,
        Command::Rollback(args) => {
            let by = operate.user().await?;
            say(&operate.roll_back(&by, args.reason.as_deref()).await.map_err(failure)?);
        }
        Command::Export(args) => export(&args, operate).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn checker(sandbox: &SandboxConfig, settings: &DatabaseConfig) -> anyhow::Result<Checker> {
    Ok(Checker { cache: app::releases(settings), sandbox: app::sandbox(sandbox, settings, false)? })
}

fn say(activated: &Activated) {
    let release = &activated.release.release;
    let forced = if activated.forced { ", although cases fail" } else { "" };
    let share = LaneShare::of_lanes(activated.release.lanes).filter(|_| !activated.release.active);
    match (share, activated.changed) {
        (None, false) => return println!("The release {release} was active already."),
        (Some(share), false) => return println!("The release {release} decides for {share} already."),
        (None, true) => {
            println!("Activated release {release}{forced}. Hosts that follow load it within a second.")
        }
        (Some(share), true) => {
            println!(
                "Release {release} decides for {share}{forced}. Hosts that follow load it within a second.\n\
                 More: hookswitch release activate {release} --share PERCENT; all: hookswitch release activate {release}"
            );
        }
    }
    if let Some(ended) = &activated.ended {
        println!("The release {} no longer decides for a share.", short(ended));
    }
    match &activated.before {
        Some(before) if *before == activated.release.id => {}
        Some(before) if share.is_some() => {
            println!("For the rest: {}. End it: hookswitch release rollback", short(before));
        }
        Some(before) => println!("Before: {}. Undo: hookswitch release rollback", short(before)),
        None => {}
    }
}

/// Says which hosts take no part in the activations.
async fn warn_of_folders(operate: &Operate) -> anyhow::Result<()> {
    let hosts = operate.hosts().await?;
    for host in hosts.iter().filter(|host| host.alive && !host.follows) {
        eprintln!(
            "The host {} serves a folder: it goes on deciding by its own rules, for all lanes that it holds.",
            host.name
        );
    }
    Ok(())
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
        ActivationError::NotClean { .. } => {
            Some("not activated; see hookswitch release shadow show".to_owned())
        }
        ActivationError::DoesNotCompile { .. } => {
            Some("not activated: mend what is wrong, and create another release".to_owned())
        }
        ActivationError::NoneBefore => {
            Some("to activate another one: hookswitch release activate RELEASE".to_owned())
        }
        ActivationError::Not(NotActivated::NothingBeside) => {
            Some("to activate it for all lanes, leave out --share".to_owned())
        }
        ActivationError::Not(NotActivated::IsActive(_)) => {
            Some("to go back to the release before: hookswitch release rollback".to_owned())
        }
        ActivationError::Not(NotActivated::OtherShare { release, .. }) => Some(format!(
            "to complete it: hookswitch release activate {}; to end it: hookswitch release rollback",
            short(release)
        )),
        ActivationError::Not(NotActivated::Smaller { .. }) => {
            Some("to end it: hookswitch release rollback; then a new share can begin".to_owned())
        }
        ActivationError::Overtaken => Some("see hookswitch release list, and try again".to_owned()),
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
