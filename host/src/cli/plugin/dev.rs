//! `hookswitch plugin dev`: builds a plugin and runs its cases each time that one of its files is saved.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use notify::{RecursiveMode, Watcher};
use sha2::{Digest, Sha256};

use super::{build, check};
use crate::{
    cli::failure::{Failure, report},
    config::{DatabaseConfig, RulesConfig},
};

/// The arguments of `hookswitch plugin dev`.
#[derive(Args, Debug)]
pub struct DevArgs {
    /// Id of the plugin
    id: String,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Folders of tools within a plugin's folder.
const NOT_SOURCES: [&str; 3] = ["target", "node_modules", "__pycache__"];
/// How long saves that belong together may be apart: an editor writes a file in several steps.
const TOGETHER: Duration = Duration::from_millis(100);

/// Builds and checks the plugin until the process is stopped.
///
/// # Errors
/// If there is no such plugin, or its folder cannot be watched.
pub fn run(args: &DevArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let folder = args.rules.plugins.join(&args.id);
    if !folder.join("plugin.yaml").is_file() {
        let known = build::all(&args.rules.plugins).unwrap_or_default();
        let what = format!("unknown plugin {:?}: no {}", args.id, folder.join("plugin.yaml").display());
        return Err(Failure::usage(what).did_you_mean(&args.id, known.iter().map(String::as_str)).into());
    }
    let (sender, notices) = mpsc::channel();
    let notice = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // It fails only when the command ends.
            let _ = sender.send(());
        }
    };
    let cannot = || format!("cannot watch the folder {}", folder.display());
    let mut watcher = notify::recommended_watcher(notice).with_context(cannot)?;
    watcher.watch(&folder, RecursiveMode::Recursive).with_context(cannot)?;
    loop {
        let built = sources(&folder);
        if let Err(error) = once(args, database) {
            report(&error);
        }
        eprintln!("waiting for a change in {}; Ctrl-C ends", folder.display());
        changed(&folder, &built, &notices)?;
    }
}

fn once(args: &DevArgs, database: &DatabaseConfig) -> anyhow::Result<()> {
    build::run(&build::BuildArgs::of(&args.id, &args.rules), database)?;
    check::run(&check::CheckArgs::of(&args.id, &args.rules), database).map(|_| ())
}

/// Waits until the sources differ from those that were built, also if they changed meanwhile.
fn changed(folder: &Path, built: &BTreeMap<PathBuf, Vec<u8>>, notices: &Receiver<()>) -> anyhow::Result<()> {
    while sources(folder) == *built {
        notices.recv().context("the watch of the folder has ended")?;
        while notices.recv_timeout(TOGETHER).is_ok() {}
    }
    Ok(())
}

/// The SHA-256 of each file that an author writes.
fn sources(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let is_made = name.ends_with(".wasm") || name.ends_with(".wasm.new") || name == "Cargo.lock";
            if name.starts_with('.') || is_made || NOT_SOURCES.contains(&name.as_str()) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                found.insert(path, Sha256::digest(bytes).to_vec());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::sources;

    #[test]
    fn what_tools_write_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        write("src/lib.rs");
        let before = sources(folder.path());
        for made in ["x.wasm", "x.wasm.new", "Cargo.lock", "target/a", "__pycache__/a.pyc", ".a.swp"] {
            write(made);
        }
        assert_eq!(sources(folder.path()), before);
        write("cases/a.yaml");
        assert_eq!(sources(folder.path()).len(), 2);
    }
}
