//! Users who were written to outside their windows in the last 24 hours.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Store, StoreError};

/// Any number will do; it must only be the same on every host.
const COUNTING: i64 = 0x686f_6f6b_0005;
/// Meta counts the users of a moving day.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Whom may be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyUsers {
    /// Of those who were asked for.
    pub allowed: BTreeSet<String>,
    /// When the next place is free, where some are not.
    pub free_at: Timestamp,
}

impl Store {
    /// How many users were written to outside their windows in the last 24 hours, counted up to `limit`.
    pub async fn daily_users(&self, now: Timestamp, limit: i64) -> Result<i64, StoreError> {
        let after = now.checked_sub(DAY).unwrap_or(Timestamp::UNIX_EPOCH);
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT count(*) FROM (SELECT FROM daily_user WHERE at > $1 ORDER BY at LIMIT $2) AS d",
                &[&after, &limit],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Counts these users as written to now, as far as no more than `limit` are in 24 hours, on all hosts together.
    /// Who was written to already takes no further place.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it; then nobody is counted.
    pub async fn count_daily_users(
        &self,
        recipients: &BTreeSet<&str>,
        limit: u32,
        now: Timestamp,
    ) -> Result<DailyUsers, StoreError> {
        let recipients: Vec<&str> = recipients.iter().copied().collect();
        let before = now.checked_sub(DAY).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&COUNTING]).await?;
        transaction.execute("DELETE FROM daily_user WHERE at <= $1", &[&before]).await?;
        let statement = transaction
            .prepare_cached(
                "WITH known AS (
                     UPDATE daily_user SET at = $2 WHERE recipient = ANY($1) RETURNING recipient
                 ), fresh AS (
                     INSERT INTO daily_user (recipient, at)
                     SELECT r, $2 FROM unnest($1::text[]) WITH ORDINALITY AS r (r, n)
                     WHERE r NOT IN (SELECT recipient FROM known)
                     ORDER BY n
                     LIMIT greatest($3::bigint - (SELECT count(*) FROM daily_user), 0)
                     RETURNING recipient
                 )
                 SELECT recipient FROM known UNION ALL SELECT recipient FROM fresh",
            )
            .await?;
        let rows = transaction.query(&statement, &[&recipients, &now, &i64::from(limit)]).await?;
        let allowed = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let oldest = transaction.query_one("SELECT min(at) FROM daily_user", &[]).await?;
        let oldest = oldest.try_get::<_, Option<Timestamp>>(0)?.unwrap_or(now);
        transaction.commit().await?;
        Ok(DailyUsers { allowed, free_at: oldest.checked_add(DAY).unwrap_or(now) })
    }
}
