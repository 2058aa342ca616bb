//! `hookswitch replay --events`: exported events, without a database.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use hookswitch_core::catalog::{self, Catalog, Folders};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::{EndArgs, STEPS, bar, markdown, print, threads};
use crate::{
    app,
    cli::{failure::Failure, output, table},
    config::{DatabaseConfig, RulesConfig},
    operate::{FileReplayError, Price, ReplayReport, ReplayTotals, replay_file},
};

/// What is true of each report about a file.
const HELD: &str = "People and groups are those of the file. Opt-outs, limits, quiet hours and windows are not looked at; \
                    deduplication keys are worked out from the events of the file. Nothing was sent.";

/// Events from a file.
#[derive(Args, Debug)]
pub(super) struct FileArgs {
    /// File of exported events (hookswitch events export), instead of a database; needs --base
    #[arg(long, value_name = "FILE", requires = "base",
          conflicts_with_all = ["since", "until", "types", "sample", "network", "release"])]
    events: Option<PathBuf>,
    /// Folder with the rules and plugins to compare with: a checkout of the earlier version
    #[arg(long, value_name = "FOLDER", requires = "events")]
    base: Option<PathBuf>,
}

impl FileArgs {
    /// The file, and the folder to compare with.
    pub fn chosen(&self) -> Option<(&Path, &Path)> {
        self.events.as_deref().zip(self.base.as_deref())
    }
}

/// What the rules of two folders make of the events in a file.
#[derive(Serialize)]
struct FileReplay<'a> {
    /// The release that the rules to compare with would be.
    base: &'a str,
    /// The release that the rules in the folder would be.
    release: &'a str,
    totals: &'a ReplayTotals,
    report: &'a ReplayReport,
}

/// Compares the rules in two folders. Status 1 with `--fail-on-change` if something changes.
///
/// # Errors
/// If a file or a folder cannot be read, or rules do not compile.
pub(super) async fn replay(
    (events, base): (&Path, &Path),
    prices: Vec<Price>,
    rules: &RulesConfig,
    end: &EndArgs,
    settings: &DatabaseConfig,
) -> anyhow::Result<ExitCode> {
    if rules.rules.is_absolute() || rules.plugins.is_absolute() {
        let what = "with --base, --rules and --plugins must be relative: they are looked for in both folders";
        return Err(Failure::usage(what).into());
    }
    let then =
        RulesConfig { rules: base.join(&rules.rules), plugins: base.join(&rules.plugins), ..rules.clone() };
    let now = load(app::folders(rules, settings, false)?).await?;
    let mut folders = app::folders(&then, settings, false)?;
    // As here: nobody has to have plugins.
    folders.plugins = folders.plugins.filter(|plugins| plugins.exists() || !has_default_plugins(rules));
    let then = load(folders).await?;
    let unreadable =
        |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", events.display()));
    let file = File::open(events).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let bar = bar()?;
    let replayed = replay_file(
        BufReader::new(file),
        (then.clone(), now.clone()),
        prices,
        threads(),
        &mut |read, events| {
            bar.set_message(format!("{events} events"));
            bar.set_position(read.saturating_mul(STEPS) / size.max(1));
        },
    )
    .await;
    bar.finish_and_clear();
    let (head, report) = replayed.map_err(|error| match error {
        FileReplayError::Line { line, what } => Failure::new(format!("{}:{line}: {what}", events.display()))
            .help("to export events: hookswitch events export FILE"),
        FileReplayError::Read(error) => unreadable(error),
        FileReplayError::Replay(error) => Failure::new(error.to_string()),
    })?;
    let totals = &report.totals;
    let tried = format!("release {} instead of {}", now.release, then.release);
    let since = format!("received since {}", table::time(head.since));
    match end {
        EndArgs { json: true, .. } => {
            output::json(&FileReplay { base: &then.release, release: &now.release, totals, report: &report })?
        }
        EndArgs { markdown: true, .. } => {
            println!("{}", markdown::summary(&tried, &since, totals, &report).trim_end());
        }
        _ => {
            print::headline(totals, &since, &tried);
            print::body(totals, &report, HELD);
        }
    }
    Ok(end.status(totals))
}

fn has_default_plugins(rules: &RulesConfig) -> bool {
    rules.plugins == Path::new(catalog::PLUGINS)
}

async fn load(folders: Folders) -> anyhow::Result<Arc<Catalog>> {
    let shown = folders.rules.display().to_string();
    let loaded = spawn_blocking(move || catalog::load_to_try(&folders)).await?;
    Ok(Arc::new(loaded.map_err(|findings| Failure::new(format!("invalid rules in {shown}:\n{findings}")))?))
}
