//! The mark of a database that `hookswitch demo` may work on.

use super::{Store, StoreError, migrate::MIGRATION_LOCK};

/// A table whose presence says that the demo made the database; it has no rows.
const MARK: &str = "hookswitch_demo";

/// Whose database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoClaim {
    /// Was empty, and is the demo's now.
    Empty,
    /// Was made by the demo before, and has tables.
    Own,
    /// Holds what the demo did not make.
    Foreign,
}

impl Store {
    /// Marks an empty database as the demo's. Any other database stays as it is.
    pub async fn claim_for_demo(&self) -> Result<DemoClaim, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        // Nobody migrates between the look and the mark.
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;
        let sql = "SELECT to_regclass($1) IS NOT NULL, to_regclass('host') IS NOT NULL";
        let row = transaction.query_one(sql, &[&MARK]).await?;
        let (marked, migrated): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
        if marked {
            return Ok(if migrated { DemoClaim::Own } else { DemoClaim::Empty });
        }
        // Extensions, which providers install beforehand, are nobody's data.
        let used: bool = transaction
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                                WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
                                  AND NOT EXISTS (SELECT FROM pg_depend d
                                                  WHERE d.objid = c.oid AND d.deptype = 'e'))",
                &[],
            )
            .await?
            .try_get(0)?;
        if used {
            return Ok(DemoClaim::Foreign);
        }
        transaction.batch_execute(&format!("CREATE TABLE {MARK} ()")).await?;
        transaction.commit().await?;
        Ok(DemoClaim::Empty)
    }
}
