//! `hookswitch plugin`: for those who write plugins, and those who run them.

mod build;
mod cargo;
mod check;
mod compile;
mod list;
mod new;
mod resume;

pub use compile::{COMPILE, CompileArgs, compile};
#[cfg(feature = "simulator")]
pub use {
    build::{all as all_plugins, rust as build_rust},
    cargo::Progress,
};

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::rules_try::{TryArgs, try_event};

/// Makes, builds, checks and tries plugins; has events decided again that one failed on.
#[derive(Args, Debug)]
pub struct PluginArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Makes a folder with a plugin that works, and one case.
    New(new::NewArgs),
    /// Builds a plugin's component with the tools of its language.
    Build(build::BuildArgs),
    /// Looks at a plugin: its contract, what it imports, its cases in the real sandbox, what a call costs.
    Check(check::CheckArgs),
    /// Shows what rules and plugins make of an event; sends nothing.
    Try(TryArgs),
    /// Lists the plugins.
    List(list::ListArgs),
    /// Has the events decided again that a plugin failed on.
    Resume(resume::ResumeArgs),
}

/// Runs the command.
///
/// # Errors
/// What the command failed to do.
pub fn run(args: PluginArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::New(args) => new::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Try(args) => try_event(&args),
        Command::List(args) => list::run(&args),
        Command::Resume(args) => super::wait(resume::run(args)),
    }
}
