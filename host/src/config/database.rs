//! Where the data is, and how long to wait for it.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::Secret;

/// Where the data is. Every command takes these, before or after its name.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// PostgreSQL 15 or later, as postgresql://USER:PASSWORD@HOST/DATABASE [default: a private server in the data directory]
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// Folder of the private PostgreSQL and of compiled plugins
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        env = "HOOKSWITCH_DATA_DIR",
        default_value = ".hookswitch"
    )]
    pub data_dir: PathBuf,

    /// Maximum connections to PostgreSQL, per host (4 to 200)
    ///
    /// One more listens for other hosts. The heartbeat, incoming events and webhooks, HTTP requests, and routing and sending
    /// each have a share. Too many use up PostgreSQL's memory and its max_connections, which all hosts share; with too few,
    /// routing and sending wait for each other.
    #[arg(long, global = true, hide_short_help = true, value_name = "COUNT",
          env = "HOOKSWITCH_DATABASE_CONNECTIONS", default_value_t = 16,
          value_parser = clap::value_parser!(u16).range(4..=200))]
    pub database_connections: u16,

    /// Seconds to wait for the result of a statement (2 to 600)
    ///
    /// After that the statement fails and its connection is closed. If this is too high, a primary that vanishes silently
    /// stops this host for longer; if it is too low, statements fail on a slow disk that would have succeeded. Maintenance
    /// commands (`people forget`, `rules replay`) wait ten minutes.
    #[arg(long, global = true, hide_short_help = true, value_name = "SECONDS",
          env = "HOOKSWITCH_DATABASE_STATEMENT_SECONDS", default_value_t = 8,
          value_parser = clap::value_parser!(u16).range(2..=600))]
    pub database_statement_seconds: u16,

    /// Seconds that a transaction may be idle before PostgreSQL ends it (1 to 600)
    ///
    /// A host that freezes in a transaction holds a lock that other hosts wait for. If this is too high, they wait longer; if
    /// it is too low, a host that is short of CPU loses transactions and repeats them.
    #[arg(long, global = true, hide_short_help = true, value_name = "SECONDS",
          env = "HOOKSWITCH_DATABASE_IDLE_SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u16).range(1..=600))]
    pub database_idle_seconds: u16,
}

impl DatabaseConfig {
    /// A database by its URL, or else a private one in `data_dir`, with the default limits. The environment is not
    /// read.
    pub fn only(database_url: Option<Secret>, data_dir: PathBuf) -> DatabaseConfig {
        DatabaseConfig {
            database_url,
            data_dir,
            database_connections: 16,
            database_statement_seconds: 8,
            database_idle_seconds: 5,
        }
    }

    /// Whether the database's URL holds a password, or may: what is not understood stays secret.
    pub fn has_password(&self) -> bool {
        let Some(url) = &self.database_url else { return false };
        url.expose().parse::<tokio_postgres::Config>().map_or(true, |config| config.get_password().is_some())
    }

    /// The maximum number of connections.
    pub fn connections(&self) -> usize {
        self.database_connections.into()
    }

    /// How long to wait for PostgreSQL.
    pub fn limits(&self) -> Limits {
        let statement = Duration::from_secs(self.database_statement_seconds.into());
        Limits {
            statement,
            // Sooner than the statement, so that PostgreSQL says what it waited for.
            lock: statement.mul_f64(0.8),
            idle: Duration::from_secs(self.database_idle_seconds.into()),
        }
    }
}

/// How long to wait for PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For one statement.
    pub statement: Duration,
    /// For one lock, within a transaction.
    pub lock: Duration,
    /// Between two statements of a transaction.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let statement = Duration::from_secs(8);
        Limits { statement, lock: statement.mul_f64(0.8), idle: Duration::from_secs(5) }
    }
}
