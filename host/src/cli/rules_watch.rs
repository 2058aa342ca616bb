//! `hookswitch rules check --watch`: one check per change, until Ctrl-C.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result};
use console::Term;
use hookswitch_core::catalog::{self, Changes, Folders};
use tokio::{signal, sync::oneshot};

use super::rules::{CheckArgs, once};

/// Checks until Ctrl-C; the status is that of the last check.
///
/// # Errors
/// If the folders cannot be watched, or a result cannot be printed.
pub fn run(args: &CheckArgs, folders: Folders) -> Result<ExitCode> {
    let last = Arc::new(Mutex::new(ExitCode::FAILURE));
    let (args, of_rounds) = (args.clone(), last.clone());
    super::wait(async move {
        // Before the first word: whoever reads it may end the watch.
        let mut interrupt = signal::unix::signal(signal::unix::SignalKind::interrupt())?;
        let (ends, ended) = oneshot::channel();
        // A thread of its own, which nobody waits for: a check is computation, and Ctrl-C ends it at once.
        thread::Builder::new().name("check".to_owned()).spawn(move || {
            // Fails only if the watch was ended.
            let _ = ends.send(rounds(&args, &folders, &of_rounds));
        })?;
        tokio::select! {
            ended = ended => ended.context("the watch has ended")??,
            _ = interrupt.recv() => {}
        }
        Ok(*last.lock().unwrap_or_else(PoisonError::into_inner))
    })
}

fn rounds(args: &CheckArgs, folders: &Folders, last: &Mutex<ExitCode>) -> Result<()> {
    let mut changes = Changes::of(folders);
    let mut checked = None;
    let terminal = Term::stdout();
    loop {
        changes.note();
        let content = Some(catalog::content_of(folders));
        if checked != content {
            checked = content;
            if terminal.features().is_attended() && !args.json {
                terminal.clear_screen()?;
            }
            let status = once(args, folders)?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = status;
            eprintln!("waiting for a change in {}; Ctrl-C ends", args.rules.rules.display());
        }
        if !changes.wait() {
            return Ok(());
        }
    }
}
