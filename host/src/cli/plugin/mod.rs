//! `hookswitch plugin`: for authors and operators of plugins.

mod build;
mod cargo;
mod check;
mod compile;
mod dev;
mod list;
mod new;
mod parked;
mod sdk;
mod tools;

pub use compile::{COMPILE, CompileArgs, compile};
#[cfg(feature = "simulator")]
pub use {
    build::{all as all_plugins, rust as build_rust},
    cargo::Progress,
};

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::rules_try::{TryArgs, try_event};
use crate::config::DatabaseConfig;

/// The arguments of `hookswitch plugin`.
#[derive(Args, Debug)]
pub struct PluginArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Create a folder with a working plugin and a case
    New(new::NewArgs),
    /// Build plugins with the tools of their languages
    Build(build::BuildArgs),
    /// Check plugins: imports, grants, cases and the cost of a call
    ///
    /// Cases run in the real sandbox.
    Check(check::CheckArgs),
    /// Build a plugin and run its cases each time a file is saved
    Dev(dev::DevArgs),
    /// Show what rules and plugins make of an event, without sending
    Try(TryArgs),
    /// List plugins
    List(list::ListArgs),
    /// List events that were parked when a plugin failed
    Parked(parked::ParkedArgs),
    /// Re-run the events that were parked when a plugin failed
    Resume(parked::ResumeArgs),
}

/// Runs the command.
///
/// # Errors
/// Why the command failed.
pub fn run(args: PluginArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::New(args) => new::run(&args),
        Command::Build(args) => build::run(&args, database),
        Command::Check(args) => check::run(&args, database),
        Command::Dev(args) => dev::run(&args, database),
        Command::Try(args) => try_event(&args, database),
        Command::List(args) => list::run(&args, database),
        Command::Parked(args) => super::wait(parked::list(args, database)),
        Command::Resume(args) => super::wait(parked::resume(args, database)),
    }
}
