//! Who wants no messages.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Store, StoreError, session::Transaction};
use crate::domain::{NotificationId, OptOut, OptOutScope, Preference};

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
                         SET scope = excluded.scope, source = excluded.source, at = excluded.at,
                             came_back = false
                         WHERE CASE
                             WHEN NOT opt_out.came_back THEN opt_out.at <= excluded.at
                                 AND NOT (opt_out.scope = 'all' AND excluded.scope = 'marketing')
                             WHEN opt_out.scope = 'marketing' AND excluded.scope = 'all' THEN true
                             ELSE opt_out.at < excluded.at END",
                    )
                    .await?;
                transaction.execute(&statement, &[recipients, &scope.as_str(), source, at]).await?;
            } else {
                let statement = transaction
                    .prepare_cached(
                        "INSERT INTO opt_out (recipient, scope, source, at, came_back)
                         SELECT unnest($1::text[]), $2, $3, $4, true ORDER BY 1
                         ON CONFLICT (recipient) DO UPDATE
                         SET scope = excluded.scope, source = excluded.source, at = excluded.at,
                             came_back = true
                         WHERE opt_out.at <= excluded.at
                             AND (excluded.scope = 'all' OR opt_out.scope = 'marketing')",
                    )
                    .await?;
                transaction.execute(&statement, &[recipients, &scope.as_str(), source, at]).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The active people who want no messages at all, with when and how they said so, by username.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn opted_out_people(&self) -> Result<Vec<OptedOutPerson>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT p.username, o.recipient, o.source, o.at
                 FROM opt_out o
                 JOIN contact c ON coalesce(c.wa_id, c.user_id) = o.recipient
                 JOIN person p ON p.contact_id = c.id AND p.active
                 WHERE o.scope = 'all' AND NOT o.came_back
                 ORDER BY p.username",
                &[],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let opt_out =
                    OptOut { scope: OptOutScope::All, source: row.try_get(2)?, at: row.try_get(3)? };
                Ok(OptedOutPerson { username: row.try_get(0)?, recipient: row.try_get(1)?, opt_out })
            })
            .collect()
    }
}

/// An active person who wants no messages at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptedOutPerson {
    /// Who.
    pub username: String,
    /// The `wa_id` or user id.
    pub recipient: String,
    /// When, and how.
    pub opt_out: OptOut,
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
             ON CONFLICT (recipient) DO UPDATE
             SET scope = excluded.scope, source = excluded.source, at = excluded.at, came_back = false
             WHERE opt_out.came_back",
        )
        .await?;
    transaction.execute(&statement, &[&ids, &BY_META, &at]).await?;
    Ok(())
}
