//! The command line: one file per command.

#[macro_use]
pub mod output;

mod actions;
mod bubble;
mod check;
mod confirm;
mod contacts;
#[cfg(feature = "simulator")]
mod demo;
mod events;
mod explain;
mod failed;
mod failure;
mod forget;
mod groups;
mod keys;
mod media;
mod migrate;
mod notifications;
mod openapi;
mod page;
mod pages;
mod people;
mod people_import;
mod plugin;
mod ready;
mod release;
mod replay;
mod rules;
mod rules_fmt;
mod rules_new;
mod rules_replay;
mod rules_schema;
mod rules_try;
mod rules_watch;
mod send;
mod serve;
#[cfg(feature = "simulator")]
mod simulate;
mod switches;
mod table;
mod templates;
mod unknown;
mod waiting;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

pub use self::{
    failure::report,
    plugin::{COMPILE, CompileArgs, compile},
};
use crate::config::{DatabaseConfig, ServeArgs};

/// A programmable notification switch: events in, WhatsApp messages out
///
/// Systems post events over HTTP, rules decide who is notified, and messages go out through the WhatsApp Cloud API.
#[derive(Parser, Debug)]
#[command(name = "hookswitch", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show everything at work on this machine, with a simulated WhatsApp
    #[cfg(feature = "simulator")]
    Demo(demo::DemoArgs),
    /// Run the service
    Serve(Box<ServeArgs>),
    /// Check whether a host is ready, for health checks
    Ready(ready::ReadyArgs),
    /// Check the whole set-up and say how to fix what is wrong
    Check(Box<check::CheckArgs>),
    /// Check rules, try them on an event, replay events
    Rules(rules::RulesArgs),
    /// Create, compare and activate releases of rules and plugins
    Release(release::ReleaseArgs),
    /// Show what other rules would have made of past events
    Replay(Box<replay::ReplayArgs>),
    /// Create, build, check, try and list plugins; resume parked events
    Plugin(plugin::PluginArgs),
    /// Send a test message and follow it until it is read
    Send(send::SendArgs),
    /// List events and what came of them, or route them again
    Events(events::EventsArgs),
    /// Explain why each person did or did not get a message
    Explain(explain::ExplainArgs),
    /// List notifications and their status
    Notifications(notifications::NotificationsArgs),
    /// Fetch files that people have sent
    Media(media::MediaArgs),
    /// List how many messages wait, or withdraw them by key
    Waiting(waiting::WaitingArgs),
    /// Stop a rule, a template, a group, a person, a plugin, a number, or all
    Stop(switches::StopArgs),
    /// Resume what was stopped; what was held is sent at a bounded pace
    Resume(switches::ResumeArgs),
    /// List what is stopped
    Stopped(switches::StoppedArgs),
    /// List, resend or drop messages whose delivery could not be confirmed
    Unknown(unknown::UnknownArgs),
    /// List, redrive or discard messages that failed permanently
    Failed(failed::FailedArgs),
    /// List what operators did: messages resent or dropped, keys, opt-outs
    Actions(actions::ActionsArgs),
    /// Add, link and list the people who get messages
    People(people::PeopleArgs),
    /// Create, fill and list groups of people
    Groups(groups::GroupsArgs),
    /// List WhatsApp users, opt them out or in
    Contacts(contacts::ContactsArgs),
    /// Compare templates with Meta's and submit them for review
    Templates(templates::TemplatesArgs),
    /// Create, list and revoke API keys
    Keys(keys::KeysArgs),
    /// Create or update the tables
    Migrate,
    /// Print the description of the HTTP API (OpenAPI 3.1)
    Openapi,
    /// Run a simulator of Meta's WhatsApp Cloud API
    #[cfg(feature = "simulator")]
    Simulate(Box<simulate::SimulateArgs>),
    /// Compile a plugin from standard input to standard output
    ///
    /// The program runs itself with this command.
    #[command(name = plugin::COMPILE, hide = true)]
    CompilePlugin(plugin::CompileArgs),
}

impl Cli {
    /// Runs the command. Status 2 is for usage errors, 1 for findings and failures.
    ///
    /// # Errors
    /// Why the command failed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let database = &self.database;
        match self.command {
            #[cfg(feature = "simulator")]
            Command::Demo(args) => wait(demo::run(args)),
            Command::Check(args) => wait(check::run(*args, database)),
            Command::Rules(args) => rules::run(args, database),
            Command::Release(args) => wait(release::run(args, database)),
            Command::Replay(args) => wait(replay::run(*args, database)),
            Command::Serve(args) => wait(serve::run(*args, self.database)),
            Command::Ready(args) => wait(ready::run(args)),
            Command::Plugin(args) => plugin::run(args, database),
            Command::Send(args) => wait(send::run(args, database)),
            Command::Events(args) => wait(events::run(args, database)),
            Command::Explain(args) => wait(explain::run(args, database)),
            Command::Notifications(args) => wait(notifications::run(args, database)),
            Command::Media(args) => wait(media::run(args, database)),
            Command::Waiting(args) => wait(waiting::run(args, database)),
            Command::Stop(args) => wait(switches::stop(args, database)),
            Command::Resume(args) => wait(switches::resume(args, database)),
            Command::Stopped(args) => wait(switches::list(args, database)),
            Command::Unknown(args) => wait(unknown::run(args, database)),
            Command::Failed(args) => wait(failed::run(args, database)),
            Command::Actions(args) => wait(actions::run(args, database)),
            Command::People(args) => wait(people::run(args, database)),
            Command::Groups(args) => wait(groups::run(args, database)),
            Command::Contacts(args) => wait(contacts::run(args, database)),
            Command::Migrate => wait(migrate::run(database)),
            Command::Openapi => openapi::run(),
            Command::Templates(args) => wait(templates::run(args, database)),
            Command::Keys(args) => wait(keys::run(args, database)),
            #[cfg(feature = "simulator")]
            Command::Simulate(args) => wait(simulate::run(*args)),
            Command::CompilePlugin(args) => Ok(plugin::compile(&args)),
        }
    }
}

/// Maximum number of threads for blocking work; tokio's 512 would each keep a heap.
const BLOCKING: usize = 128;
/// How long to wait for a rule that still runs when a command is done.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING).build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEFT_BEHIND);
    done
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn database_settings_stand_before_or_after_the_command() {
        let command = ["people", "list"];
        let flags = ["--database-url", "postgresql://a/b", "--data-dir", "here"];
        let before = [&["hookswitch"], &flags[..], &command[..]].concat();
        let between = [&["hookswitch", "people"], &flags[..], &["list"]].concat();
        let after = [&["hookswitch"], &command[..], &flags[..]].concat();
        for arguments in [before, between, after] {
            let database = Cli::parse_from(&arguments).database;
            let url = database.database_url.unwrap();
            assert_eq!((url.expose(), database.data_dir.as_path()), ("postgresql://a/b", "here".as_ref()));
        }
    }

    #[test]
    fn every_command_says_in_a_line_what_it_does() {
        fn visit(command: &clap::Command, path: &str) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && about.chars().count() <= 72, "{path}: {about:?}");
            assert!(!about.ends_with('.') && !about.contains('\n'), "{path}: {about:?}");
            let verb = about.split(' ').next().unwrap_or_default();
            assert!(path == "hookswitch" || !verb.ends_with('s'), "{path}: {about:?} is not an imperative");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty() && !help.ends_with('.'), "{path} {}: {help:?}", argument.get_id());
            }
            for command in command.get_subcommands() {
                visit(command, &format!("{path} {}", command.get_name()));
            }
        }
        visit(&Cli::command(), "hookswitch");
        Cli::command().debug_assert();
    }
}
