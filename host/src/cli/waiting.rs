//! `hookswitch waiting`: what waits, and withdrawing it by key.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{failure::Failure, output, page::waits_for, table};
use crate::{
    app::Database,
    check::count,
    config::DatabaseConfig,
    operate::{Operate, wrong_key},
    store::COUNTED,
};

/// The arguments of `hookswitch waiting`.
#[derive(Args, Debug)]
pub struct WaitingArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List how many messages wait, by reason
    List {
        /// Print each reason as a JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Withdraw the messages with a key that are not sent yet
    ///
    /// `hookswitch explain ID` shows the key of a message that waits.
    Withdraw {
        /// Key of the messages, as their rule gives it
        #[arg(value_name = "KEY", value_parser = key)]
        key: String,
        /// Reason, for the record
        #[arg(long)]
        reason: Option<String>,
    },
}

fn key(text: &str) -> Result<String, String> {
    wrong_key(text).map_or_else(|| Ok(text.to_owned()), Err)
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, or no message with the key waits.
pub async fn run(args: WaitingArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |_| {}).await?;
    let operate = Operate::new(database.store.clone());
    let done = match args.command {
        Command::List { json } => list(&operate, json).await,
        Command::Withdraw { key, reason } => withdraw(&operate, &key, reason.as_deref()).await,
    };
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn withdraw(operate: &Operate, key: &str, reason: Option<&str>) -> anyhow::Result<()> {
    let waited = operate.withdraw(&operate.user().await?, key, reason).await?;
    if waited == 0 {
        let help = "those that were about to be sent are withdrawn all the same; hookswitch explain ID shows a message's key";
        return Err(Failure::new(format!("no message with the key {key} waited")).help(help).into());
    }
    println!("Withdrew {}.", count(usize::try_from(waited).unwrap_or(usize::MAX), "message", "messages"));
    Ok(())
}

async fn list(operate: &Operate, json: bool) -> anyhow::Result<()> {
    let waiting = operate.waiting(COUNTED).await?;
    if json {
        output::json_lines(&waiting)?;
        return Ok(());
    }
    if waiting.is_empty() {
        println!("No messages wait.");
        return Ok(());
    }
    let mut table = table::table(&["REASON", "MESSAGES", "FIRST DUE", "LAST DUE", "THEY WAIT FOR"]);
    for facts in &waiting {
        let more = if facts.count >= COUNTED { " or more" } else { "" };
        table.add_row([
            facts.reason.clone(),
            format!("{}{more}", facts.count),
            table::time(facts.first_due_at),
            table::time(facts.last_due_at),
            waits_for(&facts.reason).to_owned(),
        ]);
    }
    table::print(&table);
    Ok(())
}
