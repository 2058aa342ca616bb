//! `hookswitch keys`: API keys, for posting events, reading their history and managing people.

use std::{collections::BTreeSet, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{failure::Failure, output, table};
use crate::{
    app::Database,
    config::DatabaseConfig,
    http::{Grant, Scope},
    operate::{KeyReport, Operate, check_key_name, check_key_source},
    store::StoreError,
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
    /// Fails if the active key has other scopes, sources or another limit. Safe to repeat, for example in a set-up script.
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
    /// Maximum requests per second, per host [default: not limited]
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
}

impl NewKey {
    /// Creates the key and prints it.
    async fn create(&self, operate: &Operate) -> Result<(), StoreError> {
        let NewKey { name, scopes, sources, rate } = self;
        let (name, scopes, sources) = (name.clone(), scopes.clone(), sources.clone());
        let grant = Grant { name, scopes, sources, rate: *rate };
        let key = operate.create_key(&operate.user().await?, &grant).await?;
        eprintln!("API key {} (it will not be shown again):", self.name);
        println!("{key}");
        Ok(())
    }

    /// Whether a stored key may do the same; the order of scopes does not matter, the first source is the default.
    fn is_like(&self, stored: &KeyReport) -> bool {
        let wanted: BTreeSet<String> = self.scopes.iter().map(ToString::to_string).collect();
        wanted.iter().eq(stored.scopes.iter().collect::<BTreeSet<_>>())
            && self.sources == stored.sources
            && self.rate.map(i64::from) == stored.rate.map(i64::from)
    }
}

/// Runs the command.
///
/// # Errors
/// If the database cannot be reached, the name is taken, or no active key has it.
pub async fn run(args: KeysArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let done = command(&args.command, &Operate::new(database.store.clone())).await;
    database.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

fn key_name(name: &str) -> Result<String, String> {
    check_key_name(name).map(|()| name.to_owned())
}

fn source(source: &str) -> Result<String, String> {
    check_key_source(source).map(|()| source.to_owned())
}

async fn command(command: &Command, operate: &Operate) -> anyhow::Result<()> {
    match command {
        Command::Create(new) => new.create(operate).await.map_err(|error| match error {
            StoreError::Conflict(_) => Failure::new(format!("an active key named {} exists", new.name))
                .help(format!("choose another name, or revoke it: hookswitch keys revoke {}", new.name))
                .into(),
            error => anyhow::Error::from(error),
        })?,
        Command::Ensure(new) => match new.create(operate).await {
            Err(StoreError::Conflict(_)) => {
                let keys = operate.keys().await.context("cannot read the keys")?;
                let is_it = |key: &&KeyReport| key.name == new.name && key.revoked_at.is_none();
                let Some(active) = keys.iter().find(is_it) else {
                    return Err(Failure::new(format!("the key {} was revoked just now", new.name)).into());
                };
                if !new.is_like(active) {
                    let (scopes, sources) = (active.scopes.join(","), sources(active));
                    let limit = active.rate.map(|rate| format!(", a limit of {rate} requests per second"));
                    let limit = limit.unwrap_or_default();
                    let what =
                        format!("the active key {} has scopes {scopes}, sources {sources}{limit}", new.name);
                    let help =
                        format!("choose another name, or revoke it: hookswitch keys revoke {}", new.name);
                    return Err(Failure::new(what).help(help).into());
                }
                eprintln!("API key {} exists.", new.name);
            }
            created => created?,
        },
        Command::List { json } => {
            let keys = operate.keys().await.context("cannot list the keys")?;
            match (json, keys.is_empty()) {
                (true, _) => output::json_lines(&keys)?,
                (false, true) => println!("No API keys."),
                (false, false) => print(&keys),
            }
        }
        Command::Revoke { name } => {
            if !operate.revoke_key(&operate.user().await?, name).await? {
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
fn sources(key: &KeyReport) -> String {
    if key.sources.is_empty() { "any".to_owned() } else { key.sources.join(",") }
}

fn print(keys: &[KeyReport]) {
    let mut table = table::table(&["NAME", "SCOPES", "SOURCES", "RATE", "CREATED", "REVOKED"]);
    for key in keys {
        table.add_row([
            key.name.clone(),
            key.scopes.join(","),
            sources(key),
            key.rate.map(|rate| format!("{rate}/s")).unwrap_or_default(),
            table::time(key.created_at),
            key.revoked_at.map(table::time).unwrap_or_default(),
        ]);
    }
    table::print(&table);
}
