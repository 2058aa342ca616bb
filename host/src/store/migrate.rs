//! Brings the tables up to date, from the numbered files in `migrations/`.

use super::{Store, StoreError, with_causes};

mod embedded {
    refinery::embed_migrations!("../migrations");
}

/// Any number will do; it must only be the same on every host.
const MIGRATION_LOCK: i64 = 0x686f_6f6b_7377;

/// PostgreSQL 15, as `server_version_num` has it.
const OLDEST: i32 = 150_000;

/// Applies what is missing and returns how many files that were. Hosts that start together wait for each
/// other. Blocking: start-up work.
///
/// # Errors
/// Where PostgreSQL cannot be reached, or a file that was applied differs from the one we have.
pub fn migrate(config: &postgres::Config) -> Result<usize, StoreError> {
    let mut client = config.connect(super::tls()?)?;
    let version: i32 =
        client.query_one("SELECT current_setting('server_version_num')::integer", &[])?.try_get(0)?;
    if version < OLDEST {
        return Err(StoreError::Statement(format!(
            "this is PostgreSQL {}; Hookswitch needs 15 or later",
            version / 10_000
        )));
    }
    client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])?;
    let runner = embedded::migrations::runner().set_abort_divergent(true);
    // Refinery creates its table first, even where it exists: a role without that right may only look.
    if is_up_to_date(&mut client, &runner)? {
        return Ok(0);
    }
    let may: bool = client
        .query_one("SELECT has_schema_privilege(current_schema(), 'CREATE')", &[])?
        .try_get::<_, Option<bool>>(0)?
        .unwrap_or(false);
    if !may {
        return Err(StoreError::Statement(
            "the tables are not those of this version, and this role may not create tables: run `hookswitch \
             migrate` of this version as the role that owns them"
                .to_owned(),
        ));
    }
    let report = runner.run(&mut client).map_err(|error| StoreError::Statement(with_causes(&error)))?;
    Ok(report.applied_migrations().len())
}

/// Whether what was applied is exactly what we have.
fn is_up_to_date(client: &mut postgres::Client, runner: &refinery::Runner) -> Result<bool, StoreError> {
    let known: bool =
        client.query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])?.try_get(0)?;
    if !known {
        return Ok(false);
    }
    let applied =
        runner.get_applied_migrations(client).map_err(|error| StoreError::Statement(with_causes(&error)))?;
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
    Ok(pending.map(ToString::to_string).collect())
}
