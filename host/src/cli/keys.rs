//! `hookswitch keys`: API keys, for posting events, reading their history and managing people.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::{failure::Failure, output, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    http::{ApiKey, Scope, is_reserved},
    store::{Store, StoreError, StoredKey},
};

/// The arguments of `hookswitch keys`.
#[derive(Args, Debug)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Create an API key and print it once; only a hash is stored
    Create(NewKey),
    /// Create an API key unless one with this name is active
    ///
    /// Fails if the active key has other scopes or sources. Safe to repeat, for example in a set-up script.
    Ensure(NewKey),
    /// List API keys, without the keys themselves
    List {
        /// Print each key as a JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Revoke an API key; running hosts refuse it within 5 seconds
    Revoke {
        /// Name of the key
        name: String,
    },
}

/// A key to create.
#[derive(Args, Debug)]
struct NewKey {
    /// Name of the key; events without a source get /keys/NAME
    #[arg(value_parser = key_name)]
    name: String,
    /// What the key may be used for (comma-separated)
    #[arg(long = "scope", value_enum, value_delimiter = ',', required = true)]
    scopes: Vec<Scope>,
    /// Restrict the key to events of this source and those below it (repeatable); the first is the default source
    #[arg(long = "source", value_name = "SOURCE", value_parser = source)]
    sources: Vec<String>,
}

impl NewKey {
    /// Creates the key and prints it.
    async fn create(&self, store: &Store) -> Result<(), StoreError> {
        let key = ApiKey::bound(store, &self.name, &self.scopes, &self.sources).await?;
        eprintln!("API key {} (it will not be shown again):", self.name);
        println!("{key}");
        Ok(())
    }

    /// Whether a stored key may do the same; the order of scopes does not matter, the first source is the default.
    fn is_like(&self, stored: &StoredKey) -> bool {
        let wanted: BTreeSet<String> = self.scopes.iter().map(ToString::to_string).collect();
        wanted.iter().eq(stored.scopes.iter().collect::<BTreeSet<_>>()) && self.sources == stored.sources
    }
}

/// An API key as it is listed.
#[derive(Serialize)]
struct KeyJson<'a> {
    name: &'a str,
    scopes: &'a [String],
    sources: &'a [String],
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl<'a> From<&'a StoredKey> for KeyJson<'a> {
    fn from(key: &'a StoredKey) -> Self {
        let StoredKey { name, scopes, sources, created_at, revoked_at, .. } = key;
        KeyJson { name, scopes, sources, created_at: *created_at, revoked_at: *revoked_at }
    }
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, the name is taken, or no active key has it.
pub async fn run(args: KeysArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let done = command(&args.command, &database).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// A name that can be part of a URI: the source of events that have none.
fn key_name(name: &str) -> Result<String, String> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if (1..=64).contains(&name.len()) && name.bytes().all(unreserved) {
        return Ok(name.to_owned());
    }
    Err("expected 1 to 64 letters, digits, or - . _ ~".to_owned())
}

fn source(source: &str) -> Result<String, String> {
    let invisible = |c: char| c.is_whitespace() || c.is_control();
    if source.is_empty() || source.len() > 1_024 || source.contains(invisible) {
        return Err("expected something like /shop: 1 to 1024 bytes without whitespace".to_owned());
    }
    if is_reserved(source) {
        return Err("this source is reserved for the system's own events".to_owned());
    }
    Ok(source.to_owned())
}

async fn command(command: &Command, database: &Database) -> anyhow::Result<()> {
    let store = &database.store;
    match command {
        Command::Create(new) => new.create(store).await.map_err(|error| match error {
            StoreError::Conflict(_) => Failure::new(format!("an active key named {} exists", new.name))
                .help(format!("choose another name, or revoke it: hookswitch keys revoke {}", new.name))
                .into(),
            error => anyhow::Error::from(error),
        })?,
        Command::Ensure(new) => match new.create(store).await {
            Err(StoreError::Conflict(_)) => {
                let keys = store.keys_in_force().await.context("cannot read the keys")?;
                let Some(active) = keys.iter().find(|key| key.name == new.name) else {
                    return Err(Failure::new(format!("the key {} was revoked just now", new.name)).into());
                };
                if !new.is_like(active) {
                    let (scopes, sources) = (active.scopes.join(","), sources(active));
                    let what = format!("the active key {} has scopes {scopes}, sources {sources}", new.name);
                    let help =
                        format!("choose another name, or revoke it: hookswitch keys revoke {}", new.name);
                    return Err(Failure::new(what).help(help).into());
                }
                eprintln!("API key {} exists.", new.name);
            }
            created => created?,
        },
        Command::List { json } => {
            let keys = store.keys().await.context("cannot list the keys")?;
            match (json, keys.is_empty()) {
                (true, _) => output::json_lines(keys.iter().map(KeyJson::from))?,
                (false, true) => println!("No API keys."),
                (false, false) => print(&keys),
            }
        }
        Command::Revoke { name } => {
            if !store.revoke_key(name).await? {
                return Err(Failure::new(format!("no active key is named {name}"))
                    .help("to list keys: hookswitch keys list")
                    .into());
            }
            eprintln!("Revoked API key {name}.");
        }
    }
    Ok(())
}

/// The sources of a key, for people.
fn sources(key: &StoredKey) -> String {
    if key.sources.is_empty() { "any".to_owned() } else { key.sources.join(",") }
}

fn print(keys: &[StoredKey]) {
    let mut table = table::table(&["NAME", "SCOPES", "SOURCES", "CREATED", "REVOKED"]);
    for key in keys {
        table.add_row([
            key.name.clone(),
            key.scopes.join(","),
            sources(key),
            table::time(key.created_at),
            key.revoked_at.map(table::time).unwrap_or_default(),
        ]);
    }
    table::print(&table);
}

#[cfg(test)]
mod tests {
    use super::{key_name, source};

    #[test]
    fn names_and_sources_are_parts_of_uris() {
        assert!(key_name("shop-1.a_b~c").is_ok());
        for wrong in ["", "a b", "é", "a/b", &"x".repeat(65)] {
            assert!(key_name(wrong).is_err(), "{wrong}");
        }
        assert!(source("/shop").is_ok());
        for wrong in ["", "/a b", "/a\n", &"x".repeat(1_025)] {
            assert!(source(wrong).is_err(), "{wrong}");
        }
    }
}
