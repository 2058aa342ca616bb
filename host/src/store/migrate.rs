//! Brings the tables up to date, from the numbered files in `migrations/`.

use tokio_postgres::{Client, error::SqlState};

use super::{Store, StoreError, with_causes};

mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// Any number will do; it must only be the same on every host.
pub(super) const MIGRATION_LOCK: i64 = 0x686f_6f6b_7377;

/// How long another process may migrate before this one gives up.
const WAIT: &str = "60s";

/// PostgreSQL 15, as `server_version_num` has it.
const OLDEST: i32 = 150_000;

impl Store {
    /// Applies what is missing and returns how many files that were. Hosts that start together wait for each other.
    ///
    /// # Errors
    /// Where PostgreSQL cannot be reached or is too old, a file that was applied differs from the one we have, or another
    /// process migrates for more than a minute.
    pub async fn migrate(&self) -> Result<usize, StoreError> {
        let mut client = self.connector.client().await?;
        let version: i32 = client
            .query_one("SELECT current_setting('server_version_num')::integer", &[])
            .await?
            .try_get(0)?;
        if version < OLDEST {
            return Err(StoreError::Unsupported(format!(
                "PostgreSQL {} is too old; Hookswitch needs 15 or later",
                version / 10_000
            )));
        }
        let runner = embedded::migrations::runner().set_abort_divergent(true);
        if is_up_to_date(&mut client, &runner).await? {
            return Ok(0);
        }
        let may: bool = client
            .query_one("SELECT has_schema_privilege(current_schema(), 'CREATE')", &[])
            .await?
            .try_get::<_, Option<bool>>(0)?
            .unwrap_or(false);
        if !may {
            return Err(StoreError::Unsupported(
                "the tables are of another version, and this role may not create tables; run `hookswitch migrate` \
                 of this version as the role that owns them"
                    .to_owned(),
            ));
        }
        // A transaction's lock on a second connection: a pooler keeps its server for it, and whatever becomes of this
        // process, it ends with the transaction.
        let mut locking = self.connector.client().await?;
        let lock = locking.transaction().await?;
        lock.batch_execute(&format!(
            "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0; \
             SET LOCAL lock_timeout = '{WAIT}'"
        ))
        .await?;
        lock.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await.map_err(|error| {
            match error.code() {
                Some(&SqlState::LOCK_NOT_AVAILABLE) => StoreError::Unreachable(format!(
                    "another process has been migrating for more than {WAIT}; try again later"
                )),
                _ => error.into(),
            }
        })?;
        // Refinery creates its table first, even where it exists: a role without that right may only look.
        if is_up_to_date(&mut client, &runner).await? {
            return Ok(0);
        }
        let report = runner
            .run_async::<Client>(&mut client)
            .await
            .map_err(|error| StoreError::Statement(with_causes(&error)))?;
        lock.rollback().await?;
        Ok(report.applied_migrations().len())
    }
}

/// Whether what was applied is exactly what we have.
async fn is_up_to_date(client: &mut Client, runner: &refinery::Runner) -> Result<bool, StoreError> {
    let known: bool = client
        .query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])
        .await?
        .try_get(0)?;
    if !known {
        return Ok(false);
    }
    let applied = runner
        .get_applied_migrations_async(client)
        .await
        .map_err(|error| StoreError::Statement(with_causes(&error)))?;
    // The files stand in the order of their names, where 12 comes before 2.
    let mut ours = runner.get_migrations().clone();
    ours.sort_by_key(refinery::Migration::version);
    Ok(applied == ours)
}

/// The names of the files that are not applied yet. Changes nothing.
///
/// # Errors
/// Where PostgreSQL cannot be reached.
pub async fn pending_migrations(store: &Store) -> Result<Vec<String>, StoreError> {
    let client = store.client().await?;
    let known: bool = client
        .query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])
        .await?
        .try_get(0)?;
    let mut applied: Vec<i32> = Vec::new();
    if known {
        for row in client.query("SELECT version FROM refinery_schema_history", &[]).await? {
            applied.push(row.try_get(0)?);
        }
    }
    let runner = embedded::migrations::runner();
    let pending = runner.get_migrations().iter().filter(|file| !applied.contains(&file.version()));
    // In the order in which they are applied; that of their names has 12 before 2.
    let mut pending: Vec<_> = pending.collect();
    pending.sort_by_key(|file| file.version());
    Ok(pending.into_iter().map(ToString::to_string).collect())
}
