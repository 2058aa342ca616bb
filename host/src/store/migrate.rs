//! Brings the tables up to date, from the numbered files in `migrations/`.

use super::{StoreError, with_causes};

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
    let report = embedded::migrations::runner()
        .set_abort_divergent(true)
        .run(&mut client)
        .map_err(|error| StoreError::Statement(with_causes(&error)))?;
    Ok(report.applied_migrations().len())
}
