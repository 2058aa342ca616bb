//! Who wants no messages.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::{NotificationId, Preference};

/// In place of a person's words, where Meta says so.
const BY_META: &str = "Meta says so (131050)";

impl Store {
    /// Records what users and operators said, in this order, all or nothing. What is older than what is recorded
    /// changes nothing; who wants nothing at all does not want less for wanting no marketing.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it.
    pub async fn set_preferences(&self, preferences: &[Preference]) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        for Preference { recipients, stop, scope, source, at } in preferences {
            if *stop {
                let statement = transaction
                    .prepare_cached(
                        "INSERT INTO opt_out (recipient, scope, source, at)
                         SELECT unnest($1::text[]), $2, $3, $4 ORDER BY 1
                         ON CONFLICT (recipient) DO UPDATE
                         SET scope = excluded.scope, source = excluded.source, at = excluded.at
                         WHERE opt_out.at <= excluded.at
                             AND NOT (opt_out.scope = 'all' AND excluded.scope = 'marketing')",
                    )
                    .await?;
                transaction.execute(&statement, &[recipients, &scope.as_str(), source, at]).await?;
            } else {
                let statement = transaction
                    .prepare_cached(
                        "DELETE FROM opt_out
                         WHERE recipient = ANY($1) AND at <= $2 AND ($3 = 'all' OR scope = 'marketing')",
                    )
                    .await?;
                transaction.execute(&statement, &[recipients, at, &scope.as_str()]).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Records that the recipients of these want no marketing: Meta refused the messages for that.
pub(super) async fn refused(
    transaction: &Transaction<'_>,
    notifications: &[NotificationId],
    at: Timestamp,
) -> Result<(), StoreError> {
    if notifications.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = notifications.iter().map(|id| id.0).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO opt_out (recipient, scope, source, at)
             SELECT DISTINCT recipient, 'marketing', $2, $3::timestamptz FROM notification
             WHERE id = ANY($1) AND recipient IS NOT NULL ORDER BY recipient
             ON CONFLICT DO NOTHING",
        )
        .await?;
    transaction.execute(&statement, &[&ids, &BY_META, &at]).await?;
    Ok(())
}
