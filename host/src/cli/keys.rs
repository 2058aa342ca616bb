//! `hookswitch keys`: who may post events and read what came of them.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::{
    app::Database,
    config::DatabaseConfig,
    intake::{ApiKey, Scope},
    store::StoreError,
};

/// Makes, lists and revokes API keys.
#[derive(Args, Debug)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Makes a key and prints it. It is shown this once; only a hash is stored.
    Create {
        /// What the key is called; events without a source get /keys/NAME.
        name: String,
        /// What it may be used for; give several with commas.
        #[arg(long = "scope", value_enum, value_delimiter = ',', required = true)]
        scopes: Vec<Scope>,
        #[command(flatten)]
        database: DatabaseConfig,
    },
    /// Lists the keys, without the keys themselves.
    List {
        #[command(flatten)]
        database: DatabaseConfig,
    },
    /// Revokes a key; hosts that run forget it within five seconds.
    Revoke {
        /// The key's name.
        name: String,
        #[command(flatten)]
        database: DatabaseConfig,
    },
}

/// Runs the command.
///
/// # Errors
/// Where the database cannot be reached, the name is taken, or there is no such key.
pub async fn run(args: KeysArgs) -> anyhow::Result<ExitCode> {
    let (Command::Create { database, .. } | Command::List { database } | Command::Revoke { database, .. }) =
        &args.command;
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let done = command(&args.command, &database).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn command(command: &Command, database: &Database) -> anyhow::Result<()> {
    let store = &database.store;
    match command {
        Command::Create { name, scopes, .. } => {
            if name.is_empty() || name.len() > 64 || name.chars().any(|c| c.is_control() || c.is_whitespace())
            {
                bail!("make the key {name:?}: a name has 1 to 64 characters and no white space");
            }
            let key = ApiKey::create(store, name, scopes).await.map_err(|error| match error {
                StoreError::Conflict(_) => anyhow::anyhow!(
                    "make the key {name}: the name is taken; choose another (a revoked key keeps its name)"
                ),
                error => error.into(),
            })?;
            eprintln!("The key {name}, shown this once:");
            println!("{key}");
        }
        Command::List { .. } => {
            for key in store.keys().await.context("list the keys")? {
                let revoked = key.revoked_at.map(|at| format!("  revoked {at:.0}")).unwrap_or_default();
                println!("{:<24} {:<20} made {:.0}{revoked}", key.name, key.scopes.join(","), key.created_at);
            }
        }
        Command::Revoke { name, .. } => {
            if !store.revoke_key(name).await? {
                bail!("revoke the key {name}: there is none of this name that is in force");
            }
            eprintln!("The key {name} is revoked.");
        }
    }
    Ok(())
}
