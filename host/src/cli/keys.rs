//! `hookswitch keys`: who may post events and read what came of them.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::{
    app::Database,
    config::DatabaseConfig,
    http::{ApiKey, Scope, is_reserved},
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
        /// Restrict the key to events of this source and those below it (repeatable); the first is the default source
        #[arg(long = "source", value_name = "SOURCE")]
        sources: Vec<String>,
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
        Command::Create { name, scopes, sources, .. } => {
            // It becomes part of a URI: the source of events that have none.
            let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
            if !(1..=64).contains(&name.len()) || !name.bytes().all(unreserved) {
                bail!(
                    "make the key {name:?}: a name has 1 to 64 letters, digits, dashes, dots or underscores"
                );
            }
            for source in sources {
                let is_uri = !source.is_empty()
                    && source.len() <= 1_024
                    && !source.contains(|c: char| c.is_whitespace() || c.is_control());
                if !is_uri {
                    bail!("{source:?} is not a valid source: expected something like /shop");
                }
                if is_reserved(source) {
                    bail!("the source {source} is reserved for the system's own events");
                }
            }
            let key = ApiKey::bound(store, name, scopes, sources).await.map_err(|error| match error {
                StoreError::Conflict(_) => anyhow::anyhow!(
                    "make the key {name}: one of this name is in force; choose another name, or end that one: \
                     hookswitch keys revoke {name}"
                ),
                error => error.into(),
            })?;
            eprintln!("The key {name}, shown this once:");
            println!("{key}");
        }
        Command::List { .. } => {
            println!("{:<24} {:<20} {:<24} {:<20} REVOKED", "NAME", "SCOPES", "SOURCES", "CREATED");
            for key in store.keys().await.context("list the keys")? {
                let made = format!("{:.0}", key.created_at);
                let revoked = key.revoked_at.map(|at| format!("{at:.0}")).unwrap_or_default();
                let sources = if key.sources.is_empty() { "any".to_owned() } else { key.sources.join(",") };
                println!("{:<24} {:<20} {sources:<24} {made:<20} {revoked}", key.name, key.scopes.join(","));
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
