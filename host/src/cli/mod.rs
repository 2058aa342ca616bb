//! The command line: one file a command.

#[macro_use]
pub mod output;

mod bubble;
mod check;
#[cfg(feature = "simulator")]
mod demo;
mod explain;
mod failed;
mod forget;
mod groups;
mod keys;
mod migrate;
mod notifications;
mod openapi;
mod page;
mod people;
mod plugin;
mod rules;
mod rules_replay;
mod rules_try;
mod send;
mod serve;
#[cfg(feature = "simulator")]
mod simulate;
mod table;
mod templates;
mod unknown;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use crate::config::ServeArgs;

/// A programmable notification switch: events in over HTTP, rules decide, WhatsApp messages out.
#[derive(Parser, Debug)]
#[command(name = "hookswitch", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Shows everything at work on this machine, with a stand-in for WhatsApp.
    #[cfg(feature = "simulator")]
    Demo(demo::DemoArgs),
    /// Runs the service.
    Serve(Box<ServeArgs>),
    /// Checks whether everything is set up, and says what to do where it is not.
    Check(Box<check::CheckArgs>),
    /// Checks rules, and tries them on an event.
    Rules(rules::RulesArgs),
    /// Makes, builds, checks and tries plugins.
    Plugin(plugin::PluginArgs),
    /// Sends a test message, and follows it until it is read.
    Send(send::SendArgs),
    /// Tells why each person did or did not get a message.
    Explain(explain::ExplainArgs),
    /// Lists notifications and what became of them.
    Notifications(notifications::NotificationsArgs),
    /// Lists messages that were sent without an answer; sends them again or gives them up.
    Unknown(unknown::UnknownArgs),
    /// Lists messages that failed for good, sends them again, or puts them aside.
    Failed(failed::FailedArgs),
    /// Adds, links and lists the people who get messages.
    People(people::PeopleArgs),
    /// Creates, lists and fills groups of people.
    Groups(groups::GroupsArgs),
    /// Lists WhatsApp users who wrote in or were written to.
    Contacts(people::ContactsArgs),
    /// Keeps the templates at Meta as the rules folder has them.
    Templates(templates::TemplatesArgs),
    /// Makes, lists and revokes API keys.
    Keys(keys::KeysArgs),
    /// Brings the tables up to date.
    Migrate(migrate::MigrateArgs),
    /// Prints the HTTP API's description (OpenAPI 3.1).
    Openapi,
    /// Stands in for Meta's WhatsApp Cloud API.
    #[cfg(feature = "simulator")]
    Simulate(Box<simulate::SimulateArgs>),
    /// Compiles a plugin: from standard input to standard output. The program runs itself so.
    #[command(name = plugin::COMPILE, hide = true)]
    CompilePlugin(plugin::CompileArgs),
}

impl Cli {
    /// Runs the command. Status 2 is for usage, 1 for findings.
    ///
    /// # Errors
    /// What the command failed to do.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            #[cfg(feature = "simulator")]
            Command::Demo(args) => wait(demo::run(args)),
            Command::Check(args) => wait(check::run(*args)),
            Command::Rules(args) => rules::run(args),
            Command::Serve(args) => wait(serve::run(*args)),
            Command::Plugin(args) => plugin::run(args),
            Command::Send(args) => wait(send::run(args)),
            Command::Explain(args) => wait(explain::run(args)),
            Command::Notifications(args) => wait(notifications::run(args)),
            Command::Unknown(args) => wait(unknown::run(args)),
            Command::Failed(args) => wait(failed::run(args)),
            Command::People(args) => wait(people::run(args)),
            Command::Groups(args) => wait(groups::run(args)),
            Command::Contacts(args) => wait(people::contacts(args)),
            Command::Migrate(args) => wait(migrate::run(args)),
            Command::Openapi => openapi::run(),
            Command::Templates(args) => wait(templates::run(args)),
            Command::Keys(args) => wait(keys::run(args)),
            #[cfg(feature = "simulator")]
            Command::Simulate(args) => wait(simulate::run(*args)),
            Command::CompilePlugin(args) => Ok(plugin::compile(&args)),
        }
    }
}

/// Threads for what blocks, beside those of the guests: tokio's own 512 would each keep a heap.
const BLOCKING: usize = 128;
/// A rule that still runs when a command is done is left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING).build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEFT_BEHIND);
    done
}
