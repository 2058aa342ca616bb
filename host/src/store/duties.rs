//! Whether there is something that any of the hosts does.

use super::{Store, StoreError};

/// What there is to do.
#[derive(Clone, Copy, Debug)]
pub struct Duties {
    /// Failed messages to tell of.
    pub failures: bool,
    /// Rules that failed, to tell of.
    pub rule_failures: bool,
    /// Messages with values that must not stay.
    pub secrets: bool,
    /// Messages or events that are held, or something that is resumed.
    pub stopped: bool,
}

impl Store {
    /// What there is to do: one short look for the many times at which there is nothing.
    pub async fn duties(&self) -> Result<Duties, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT EXISTS (SELECT FROM failure), EXISTS (SELECT FROM rule_failure WHERE count > 0),
                        EXISTS (SELECT FROM secret),
                        EXISTS (SELECT FROM switch) OR EXISTS (SELECT FROM deferred WHERE stopped_by IS NOT NULL)",
            )
            .await?;
        let row = client.query_one(&statement, &[]).await?;
        Ok(Duties {
            failures: row.try_get(0)?,
            rule_failures: row.try_get(1)?,
            secrets: row.try_get(2)?,
            stopped: row.try_get(3)?,
        })
    }
}
