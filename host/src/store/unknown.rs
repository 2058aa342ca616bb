//! Messages that were sent without an answer, and of which no webhook has told yet: an operator's view of them.

use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Act, Store, StoreError};

/// A message of which nobody can tell whether it was sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnknownNotification {
    /// Its place in the log of notifications, after which the next page begins.
    #[serde(skip)]
    pub seq: i64,
    /// The id of the notification.
    pub id: NotificationId,
    /// The person's username, where it is for staff.
    pub username: Option<String>,
    /// The `wa_id` or user id.
    pub recipient: Option<String>,
    /// The template, by its name in the catalog.
    pub template: String,
    /// The attempt that got no answer.
    pub attempt: i16,
    /// Since when.
    pub since: Option<Timestamp>,
    /// `unknown`: a webhook may tell yet, then its template decides; `hold`: it waits for an operator.
    pub reason: String,
    /// Until when, where a webhook may tell yet.
    pub due_at: Timestamp,
}

impl Store {
    /// All that are unknown, oldest first, after a place in the log of notifications; `limit` at most.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn unknown(&self, after: i64, limit: i64) -> Result<Vec<UnknownNotification>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT n.id, n.username, n.recipient, n.template, w.attempt,
                        (SELECT min(s.at) FROM delivery s
                         WHERE s.notification_id = n.id AND s.attempt = w.attempt AND s.status = 'sending'),
                        w.reason, w.due_at, w.seq
                 FROM deferred w JOIN notification n ON n.lane = w.lane AND n.seq = w.seq
                 WHERE w.reason IN ('unknown', 'hold') AND w.seq > $1
                     AND NOT EXISTS (SELECT FROM delivery d WHERE d.notification_id = n.id
                         AND d.status > 'retrying' AND d.status NOT IN ('skipped', 'expired')
                         AND (d.attempt >= w.attempt OR d.status >= 'delivered'))
                 ORDER BY w.seq LIMIT $2",
            )
            .await?;
        let rows = client.query(&statement, &[&after, &limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(UnknownNotification {
                    id: NotificationId(row.try_get(0)?),
                    username: row.try_get(1)?,
                    recipient: row.try_get(2)?,
                    template: row.try_get(3)?,
                    attempt: row.try_get(4)?,
                    since: row.try_get(5)?,
                    reason: row.try_get(6)?,
                    due_at: row.try_get(7)?,
                    seq: row.try_get(8)?,
                })
            })
            .collect()
    }

    /// Has these sent again, as their next attempt; returns which of them were unknown.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it.
    pub async fn resend_unknown(
        &self,
        ids: &[NotificationId],
        act: &mut Act,
    ) -> Result<Vec<NotificationId>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let statement = transaction
            .prepare_cached(
                "UPDATE deferred SET reason = 'retry', attempt = attempt + 1, due_at = now()
                 FROM notification n
                 WHERE n.id = ANY($1) AND deferred.lane = n.lane AND deferred.seq = n.seq
                     AND deferred.reason IN ('unknown', 'hold')
                 RETURNING n.id",
            )
            .await?;
        let rows = transaction.query(&statement, &[&ids]).await?;
        let changed: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let id = act.record(&transaction, &changed).await?;
        transaction.commit().await?;
        act.id = id;
        Ok(changed.into_iter().map(NotificationId).collect())
    }

    /// Gives these up, with the reason in their history; returns which of them were unknown.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it.
    pub async fn drop_unknown(
        &self,
        ids: &[NotificationId],
        why: &str,
        act: &mut Act,
    ) -> Result<Vec<NotificationId>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let statement = transaction
            .prepare_cached(
                "WITH dropped AS (
                     DELETE FROM deferred USING notification n
                     WHERE n.id = ANY($1) AND deferred.lane = n.lane AND deferred.seq = n.seq
                         AND deferred.reason IN ('unknown', 'hold')
                     RETURNING deferred.notification_id, deferred.attempt
                 ), told AS (
                     INSERT INTO delivery (notification_id, attempt, status, at, detail)
                     SELECT notification_id, attempt, 'failed', now(), $2 FROM dropped
                     ON CONFLICT DO NOTHING
                 )
                 SELECT notification_id FROM dropped",
            )
            .await?;
        let rows = transaction.query(&statement, &[&ids, &why]).await?;
        let changed: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let id = act.record(&transaction, &changed).await?;
        transaction.commit().await?;
        act.id = id;
        Ok(changed.into_iter().map(NotificationId).collect())
    }
}
