//! All SQL: one file a noun, one function a statement. Nothing else knows the tables.

use std::{sync::Arc, time::Duration};

use deadpool::{
    Runtime,
    managed::{Pool, PoolError, TimeoutType},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_postgres::{Config, error::SqlState};

use self::{
    connect::Connector,
    session::{Manager, Session},
};
use crate::{
    config::Limits,
    metrics::{Connections, DatabaseMetrics},
};

mod answer;
mod api_key;
mod audience;
mod checkpoint;
mod clock;
mod connect;
mod console_session;
mod contact;
mod daily_user;
mod dead_letter;
mod decision;
mod deferred;
mod delivery;
#[cfg(feature = "simulator")]
mod demo;
mod digest;
mod directory;
mod duties;
mod erasure;
mod event;
mod event_list;
mod failure;
mod gauges;
mod group;
mod health;
mod history;
mod identity;
mod import;
mod job;
mod lane;
mod log;
mod looks;
mod media;
mod meta_template;
mod migrate;
mod notification;
mod notification_list;
mod number;
mod number_window;
mod operator_action;
mod opt_out;
mod parked;
mod past;
mod person;
mod pooler;
mod recipient;
mod release;
mod replay;
mod rerun;
mod retention;
mod rule_failure;
mod schedule;
mod secret;
mod session;
mod shadow;
mod shared_number;
mod switch;
mod tally;
mod template_day;
mod told;
mod unfinished;
mod unknown;
mod waiting;
mod withdrawal;

pub use answer::{Answered, Writer};
pub use api_key::{NewStoredKey, StoredKey};
pub use audience::Member;
pub use checkpoint::Checkpoint;
pub use connect::{Incarnation, PLANNER};
pub use console_session::{ConsoleSession, OpenSession};
pub use contact::StoredContact;
pub use daily_user::DailyUsers;
pub use dead_letter::{DeadLetter, DeadLetterFilter, OldFailures};
pub use decision::{DecisionRow, DedupeClaim, DedupeHolder, Limit, NotificationRow, RoutingTransaction};
pub use deferred::{Behind, Deferred, Done, Intended, Intent, LateRetry, Waiting};
pub use delivery::Histories;
#[cfg(feature = "simulator")]
pub use demo::DemoClaim;
pub use digest::{CollectRow, DueDigest, DueItem, ListedDigest, OpenDigest};
pub use directory::{ChangedPerson, NewPerson, StoredPerson};
pub use erasure::{Known, Suspect};
pub use event::{Clash, LoggedEvent, NewEvent};
pub use event_list::{EventFilter, EventPage, Lately, ListedEvent, UnsentFacts};
pub use failure::{Failure, Told};
pub use gauges::{Counted, EventsWaiting};
pub use group::StoredGroup;
pub use health::{
    BacklogFacts, DeferredFacts, FailureFacts, HostFacts, PeopleFacts, RefusedFacts, ServerFacts,
    WebhookFacts,
};
pub use history::{DeadLetterEnd, DecisionHistory, EventHistory, NotificationHistory, Waits};
pub use import::{ImportOptions, Imported};
pub use job::{Job, JobMessage, JobStep, JobTask};
pub use lane::{HostSeen, LEASE};
pub use log::{EVENT_LOG, NOTIFICATION_LOG};
pub use media::{ReceivedMedia, UploadedMedia};
pub use meta_template::{MetaTemplateRow, MetaTemplateStatus, MetaTemplateSwitch};
pub use migrate::pending_migrations;
pub use notification::{Due, DueLimits, Logged, LoggedNotification, Searched, Unreadable};
pub use notification_list::{ListedNotification, NotificationFilter, NotificationPage};
pub use number::NumberWaiting;
pub use number_window::Opened;
pub use operator_action::{Act, Action, ActionFilter, ActionWay};
pub use opt_out::{OptedOutPerson, by_meta};
pub use past::{PastDecision, PastEvent, PastFilter, PastPage};
pub use recipient::Wishes;
pub use release::{
    Activation, ActivationShare, ActivationWay, NewActivation, NewRelease, ReleaseFile, StoredRelease,
};
pub use replay::{NewReplay, ReplayState, ReplayTask, StoredReplay};
pub use rerun::ToldBefore;
pub use retention::Pruned;
pub use rule_failure::{RuleFailed, RuleFailure};
pub use schedule::{ExpiringWindow, LastSlot, MissedSlots, SlotOutcome};
pub use secret::HiddenEvent;
pub use shadow::{NewShadow, ShadowEnd, ShadowProgress, ShadowTask, StoredShadow};
pub use shared_number::{SharedNumber, SharedNumbers};
pub use switch::{RESUMED_PER_SECOND, Stop, SwitchFacts};
pub use tally::{Step, Tallied};
pub use template_day::TemplateDay;
pub use told::ToldLately;

pub use parked::{ParkedDue, ParkedFacts, ParkedRow};
pub use unfinished::{NewSpread, NextDecision, Progress, Spread, Unfinished};
pub use unknown::UnknownNotification;
pub use waiting::{EventWaits, WaitsFor};
pub use withdrawal::Withdrawal;

/// Why the database did not do what it was asked. Each text stands alone.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or a database that is down, full, read-only, overloaded or locked. It may work later.
    #[error("cannot reach PostgreSQL: {0}")]
    Unreachable(String),
    /// All connections are in use, or a lock is held for too long. It may work later.
    #[error("PostgreSQL is busy: {0}")]
    Busy(String),
    /// The role has no right to do it.
    #[error("PostgreSQL denied the statement: {0}")]
    Denied(String),
    /// A connection pooler in front of PostgreSQL does not keep what Hookswitch relies on.
    #[error("unsuitable connection pooler: {0}")]
    Pooler(String),
    /// A unique key exists: another process did it first.
    #[error("already written: {0}")]
    Conflict(String),
    /// PostgreSQL rejects these values, now and later.
    #[error("PostgreSQL rejected the statement: {0}")]
    Statement(String),
    /// This version of PostgreSQL, or of the tables, is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// A row that this version does not understand.
    #[error("unreadable row: {0}")]
    Row(String),
    /// PostgreSQL rolled the transaction back because of another one; it can be retried at once.
    #[error("conflicting transactions: {0}")]
    Contention(String),
}

impl StoreError {
    /// Whether it may work later, unchanged.
    pub fn may_pass(&self) -> bool {
        matches!(self, StoreError::Unreachable(_) | StoreError::Busy(_))
    }

    /// Whether PostgreSQL's disk is full, so that the statement is not to blame, whatever else works meanwhile.
    pub fn is_disk_full(&self) -> bool {
        self.code() == Some(SqlState::DISK_FULL.code())
    }

    /// Whether the connection was lost, the session ended or no session was to be had, which a statement seldom causes: a
    /// network, a pooler, an operator or too many others do, and may do so several times in a row.
    pub fn is_cut_off(&self) -> bool {
        let ended = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::TOO_MANY_CONNECTIONS,
        ];
        matches!(self, StoreError::Unreachable(_))
            && self
                .code()
                .is_none_or(|code| code.starts_with("08") || ended.iter().any(|state| state.code() == code))
    }

    /// PostgreSQL's code, where it was reached.
    fn code(&self) -> Option<&str> {
        let StoreError::Unreachable(words) = self else { return None };
        let (_, code) = words.strip_suffix(')')?.rsplit_once('(')?;
        (code.len() == 5 && code.bytes().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()))
            .then_some(code)
    }

    /// Its kind, for counters.
    fn kind(&self) -> &'static str {
        match self {
            StoreError::Unreachable(_) => "unreachable",
            StoreError::Busy(_) => "busy",
            StoreError::Contention(_) => "contention",
            StoreError::Conflict(_) => "conflict",
            StoreError::Denied(_)
            | StoreError::Pooler(_)
            | StoreError::Statement(_)
            | StoreError::Unsupported(_)
            | StoreError::Row(_) => "other",
        }
    }

    /// Whether PostgreSQL only refuses to go on with a transaction in which another statement has failed.
    fn is_consequence(&self) -> bool {
        self.code() == Some(SqlState::IN_FAILED_SQL_TRANSACTION.code())
    }
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
            Some(db) if *db.code() == SqlState::LOCK_NOT_AVAILABLE => StoreError::Busy(db.to_string()),
            Some(db) if *db.code() == SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Denied(db.to_string()),
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

impl From<PoolError<StoreError>> for StoreError {
    fn from(error: PoolError<StoreError>) -> Self {
        match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => {
                StoreError::Busy(format!("no connection became available within {} s", WAIT.as_secs()))
            }
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

/// What waits, failed or is parked is counted up to here, so that to count takes no longer when there is more.
pub const COUNTED: i64 = 10_000;

/// For a connection of the pool to become free.
const WAIT: Duration = Duration::from_secs(10);
/// For the statements of maintenance, which read or change much.
const PATIENT: Duration = Duration::from_secs(600);

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool<Manager>,
    connector: Arc<Connector>,
    limits: Arc<Limits>,
}

impl Store {
    /// A store over at most `connections` connections, opened as needed, with the usual limits.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub fn new(config: Config, connections: usize) -> Result<Store, StoreError> {
        Store::with_limits(config, connections, Limits::default())
    }

    /// As [`Store::new`], with limits.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub fn with_limits(config: Config, connections: usize, limits: Limits) -> Result<Store, StoreError> {
        Store::over(Arc::new(Connector::new(config)?), connections, Arc::new(limits))
    }

    /// A store of its own connections, at most `connections`: who uses these does not take them from the others.
    ///
    /// # Errors
    /// None that [`Store::new`] did not have.
    pub fn share(&self, connections: usize) -> Result<Store, StoreError> {
        Store::over(self.connector.clone(), connections, self.limits.clone())
    }

    /// The same connections, for statements that read or change much.
    #[must_use]
    pub fn patient(&self) -> Store {
        let limits = Limits { statement: self.limits.statement.max(PATIENT), ..*self.limits };
        Store { limits: Arc::new(limits), ..self.clone() }
    }

    fn over(connector: Arc<Connector>, connections: usize, limits: Arc<Limits>) -> Result<Store, StoreError> {
        let pool = Pool::builder(Manager { connector: connector.clone() })
            .max_size(connections)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(connector.patience()))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unreachable(error.to_string()))?;
        Ok(Store { pool, connector, limits })
    }

    async fn client(&self) -> Result<Session, StoreError> {
        let metrics = &self.connector.metrics;
        let client = match self.pool.get().await {
            Ok(client) => client,
            // A connection that failed was counted when it was opened.
            Err(managed @ PoolError::Backend(_)) => return Err(managed.into()),
            Err(error) => {
                let error = StoreError::from(error);
                metrics.failed(error.kind());
                return Err(error);
            }
        };
        Ok(Session::new(client, self.limits.clone(), metrics.clone()))
    }

    /// Counts of what was asked of PostgreSQL, by all that share its connections' settings.
    pub fn metrics(&self) -> DatabaseMetrics {
        self.connector.metrics.clone()
    }

    /// The connections of this store, which are for `share`.
    pub fn connections(&self, share: &'static str) -> Connections {
        let status = self.pool.status();
        Connections {
            share,
            used: status.size.saturating_sub(status.available),
            idle: status.available,
            max: status.max_size,
            waiting: status.waiting,
        }
    }

    /// Closes all connections.
    pub fn close(&self) {
        self.pool.close();
    }

    /// Which server answers; changes when another does, or the same anew. What was read before may then be ahead of
    /// its logs.
    pub fn incarnation(&self) -> watch::Receiver<Option<Incarnation>> {
        self.connector.incarnation()
    }

    /// PostgreSQL's time, by which hosts agree on what is due: read at each connection and heartbeat, and counted on from
    /// there, so that a wrong or moved clock of this machine changes nothing.
    pub fn now(&self) -> Timestamp {
        self.connector.clock.now()
    }

    /// How far this machine's clock is ahead of PostgreSQL's.
    pub fn clock_ahead(&self) -> SignedDuration {
        self.connector.clock.ahead()
    }

    /// Whether PostgreSQL answers.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.client().await?.batch_execute("SELECT 1").await
    }
}

#[cfg(test)]
mod tests {
    use super::StoreError;

    #[test]
    fn a_lost_connection_is_told_from_a_refusal() {
        let is_cut = |words: &str| StoreError::Unreachable(words.to_owned()).is_cut_off();
        for words in [
            "no answer: connection reset by peer",
            "terminating connection due to administrator command (57P01)",
            "the database system is starting up (57P03)",
            "connection failure (08006)",
            "sorry, too many clients already (53300)",
        ] {
            assert!(is_cut(words), "{words}");
        }
        for words in ["out of order (XX000)", "out of memory (53200)", "no space left on device (53100)"] {
            assert!(!is_cut(words), "{words}");
        }
        assert!(!StoreError::Statement("connection failure (08006)".to_owned()).is_cut_off());
    }
}
