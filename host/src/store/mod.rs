//! All SQL: one file a noun, one function a statement. Nothing else knows the tables.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use rustls_platform_verifier::ConfigVerifierExt;
use tokio_postgres::{Config, error::SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;

mod api_key;
mod audience;
mod checkpoint;
mod contact;
mod daily_user;
mod dead_letter;
mod decision;
mod deferred;
mod delivery;
mod digest;
mod directory;
mod erasure;
mod event;
mod failure;
mod group;
mod health;
mod history;
mod identity;
mod lane;
mod log;
mod meta_template;
mod migrate;
mod notification;
mod notification_list;
mod number_window;
mod opt_out;
mod parked;
mod person;
mod recipient;
mod retention;
mod schedule;
mod unfinished;
mod unknown;

pub use api_key::StoredKey;
pub use audience::Member;
pub use checkpoint::Checkpoint;
pub use contact::StoredContact;
pub use daily_user::DailyUsers;
pub use dead_letter::{DeadLetter, DeadLetterFilter};
pub use decision::{DecisionRow, DedupeClaim, DedupeHolder, NotificationRow, RoutingTransaction};
pub use deferred::{Deferred, Done, Intended, Intent, LateRetry, Waiting};
pub use delivery::Histories;
pub use digest::{CollectRow, DueDigest, OpenDigest};
pub use directory::{Imported, NewPerson, StoredPerson};
pub use erasure::{Known, Suspect};
pub use event::{Clash, LoggedEvent, NewEvent};
pub use failure::{Failure, Told};
pub use group::StoredGroup;
pub use health::{
    BacklogFacts, DeferredFacts, FailureFacts, HostFacts, PeopleFacts, RefusedFacts, ServerFacts,
    WebhookFacts,
};
pub use history::{DeadLetterEnd, DecisionHistory, EventHistory, NotificationHistory, Waits};
pub use lane::LEASE;
pub use log::{EVENT_LOG, NOTIFICATION_LOG, listen};
pub use meta_template::{MetaTemplateRow, MetaTemplateStatus, MetaTemplateSwitch};
pub use migrate::{migrate, pending_migrations};
pub use notification::{Due, DueLimits, Logged, LoggedNotification, Unreadable};
pub use notification_list::{ListedNotification, NotificationFilter};
pub use number_window::Opened;
pub use opt_out::{OptedOutPerson, by_meta};
pub use retention::Pruned;
pub use schedule::{ExpiringWindow, LastSlot, SlotOutcome};

pub use parked::{ParkedFacts, ParkedRow};
pub use unfinished::{Progress, Spread, Unfinished};
pub use unknown::UnknownNotification;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or the database cannot do it now: it is down, full, read-only, overloaded or locked. It may
    /// work later.
    #[error("reach PostgreSQL: {0}")]
    Unreachable(String),
    /// A unique key says that somebody else did it already.
    #[error("write what was already written: {0}")]
    Conflict(String),
    /// PostgreSQL refuses these values, now and later.
    #[error("run a statement: {0}")]
    Statement(String),
    /// A row holds what this version does not understand.
    #[error("read a row: {0}")]
    Row(String),
    /// Another transaction was in the way, and PostgreSQL undid this one: it can be tried again at once.
    #[error("run a statement beside another: {0}")]
    Contention(String),
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) if *db.code() == SqlState::UNIQUE_VIOLATION => StoreError::Conflict(db.to_string()),
            Some(db)
                if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED]
                    .contains(db.code()) =>
            {
                StoreError::Contention(format!("{} ({})", db, db.code().code()))
            }
            // Data exceptions, broken constraints, values too large for an index: PostgreSQL, "Error Codes".
            Some(db) if ["22", "23", "54"].contains(&&db.code().code()[..2]) => {
                StoreError::Statement(format!("{} ({})", db, db.code().code()))
            }
            Some(db) => StoreError::Unreachable(format!("{} ({})", db, db.code().code())),
            None if is_about_values(&error) => StoreError::Row(with_causes(&error)),
            None => StoreError::Unreachable(with_causes(&error)),
        }
    }
}

/// Whether the client could not convert a column or a parameter, so that the connection is not to blame. The error's
/// kind is private; its text is not.
fn is_about_values(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    let beginnings = [
        "error deserializing column",
        "error serializing parameter",
        "invalid column",
        "query returned an unexpected",
    ];
    beginnings.iter().any(|beginning| text.starts_with(beginning))
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => StoreError::Unreachable(with_causes(&other)),
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
}

impl Store {
    /// A store over at most `connections` connections, opened as needed.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub fn new(config: Config, connections: usize) -> Result<Store, StoreError> {
        let manager =
            Manager::from_config(config, tls()?, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .wait_timeout(Some(Duration::from_secs(10)))
            .create_timeout(Some(Duration::from_secs(10)))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unreachable(error.to_string()))?;
        Ok(Store { pool })
    }

    async fn client(&self) -> Result<Object, StoreError> {
        Ok(self.pool.get().await?)
    }

    /// Closes all connections.
    pub fn close(&self) {
        self.pool.close();
    }

    /// Whether PostgreSQL answers.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.client().await?.batch_execute("SELECT 1").await?;
        Ok(())
    }
}

/// TLS by rustls with the system's roots; used where the connection string asks for it.
fn tls() -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Already installed is as good.
    let _ = rustls::crypto::CryptoProvider::install_default((*provider).clone());
    let config = rustls::ClientConfig::with_platform_verifier()
        .map_err(|error| StoreError::Unreachable(format!("set up TLS: {error}")))?;
    Ok(MakeRustlsConnect::new(config))
}
