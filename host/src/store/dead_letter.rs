//! Dead letters: messages that failed for good, until somebody redrives or discards them.

use std::collections::HashSet;

use hookswitch_core::domain::{Lane, Notification, NotificationId, Priority};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Act, COUNTED, NotificationRow, RoutingTransaction, Store, StoreError,
    session::{Session, Transaction},
};

/// Shared by those who redrive; retention takes it alone. Any number will do; it must only be the same on every host.
pub(super) const REDRIVING: i64 = 0x686f_6f6b_0006;

/// Which dead letters. What is `None` or empty does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterFilter {
    /// Only those that failed since then.
    pub since: Timestamp,
    /// Only those of messages made before: what is redriven and fails again is not met again.
    pub made_before: Timestamp,
    /// Only those of this template.
    pub template: Option<String>,
    /// Only those to this person, by username, or to this recipient.
    pub person: Option<String>,
    /// Only those with this error code of Meta's.
    pub code: Option<i32>,
    /// Only these.
    pub ids: Vec<NotificationId>,
}

/// A message that failed for good.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// When it failed.
    pub failed_at: Timestamp,
    /// Meta's error code.
    pub code: Option<i32>,
    /// What there is to say about it.
    pub detail: Option<String>,
    /// Whether the person may get messages; a customer may, and somebody who was deleted may not.
    pub active: bool,
    /// Where the person is reached now: elsewhere than then, or nowhere.
    pub reached_at: Option<String>,
    /// The event's lane.
    pub event_lane: Lane,
    /// The event's place in its log.
    pub event_seq: i64,
    /// Which of the event's decisions.
    pub ordinal: i16,
    /// The message.
    pub notification: Notification,
}

impl DeadLetter {
    /// Where a page of dead letters goes on after this one.
    pub fn place(&self) -> (Timestamp, NotificationId) {
        (self.failed_at, self.notification.id)
    }
}

/// Dead letters about which nobody decided for long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OldFailures {
    /// Number of messages, of the newest [`COUNTED`] failures before then.
    pub count: i64,
    /// Whether more failures were not looked at.
    pub are_more: bool,
    /// When the oldest of them failed.
    pub oldest: Option<Timestamp>,
}

/// A failure is final where nothing arrived, and no attempt follows. That is asked of one failure after the other, in the
/// order of their index: as a join, it would be asked of all of them first.
const DEAD: &str = "FROM unresolved_failure u
     WHERE u.at >= $1
       AND ($3::text IS NULL OR u.template = $3)
       AND ($5::integer IS NULL OR u.code = $5)
       AND (cardinality($6::uuid[]) = 0 OR u.notification_id = ANY($6))
       AND (SELECT true FROM notification n
            WHERE n.id = u.notification_id AND n.created_at < $2
              AND ($4::text IS NULL OR n.username = $4 OR n.recipient = $4)
              AND NOT EXISTS (SELECT FROM deferred w WHERE w.lane = n.lane AND w.seq = n.seq)
              AND NOT EXISTS (
                  SELECT FROM delivery later WHERE later.notification_id = u.notification_id
                  AND (later.attempt > u.attempt OR later.status >= 'delivered')))";

impl Store {
    /// How many dead letters a filter lets through.
    pub async fn count_dead_letters(&self, filter: &DeadLetterFilter) -> Result<u64, StoreError> {
        let ids = ids(filter);
        let row = self
            .client()
            .await?
            .query_one(
                &format!("SELECT count(*) {DEAD}"),
                &[&filter.since, &filter.made_before, &filter.template, &filter.person, &filter.code, &ids],
            )
            .await?;
        Ok(row.try_get::<_, i64>(0)?.unsigned_abs())
    }

    /// How many dead letters there are, counting no further than `limit`, and when the oldest of them failed.
    pub async fn tally_dead_letters(&self, limit: i64) -> Result<(i64, Option<Timestamp>), StoreError> {
        let (since, before) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let (template, person, code): (Option<String>, Option<String>, Option<i32>) = (None, None, None);
        let row = self
            .client()
            .await?
            .query_one(
                &format!("SELECT count(*), min(l.at) FROM (SELECT u.at {DEAD} ORDER BY u.at LIMIT $7) l"),
                &[&since, &before, &template, &person, &code, &Vec::<Uuid>::new(), &limit],
            )
            .await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// The dead letters that failed before then.
    pub async fn old_failures(&self, before: Timestamp) -> Result<OldFailures, StoreError> {
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT count(DISTINCT f.notification_id) FILTER (WHERE f.is_dead), min(f.at) FILTER (WHERE f.is_dead),
                        count(*) >= $2
                 FROM (
                     SELECT u.notification_id, u.at,
                            EXISTS (SELECT FROM notification n WHERE n.id = u.notification_id)
                            AND NOT EXISTS (
                                SELECT FROM delivery later WHERE later.notification_id = u.notification_id
                                AND (later.attempt > u.attempt OR later.status >= 'delivered')) AS is_dead
                     FROM (
                         SELECT notification_id, attempt, at FROM unresolved_failure
                         WHERE at < $1 ORDER BY at DESC LIMIT $2
                     ) u
                 ) f",
                &[&before, &COUNTED],
            )
            .await?;
        Ok(OldFailures { count: row.try_get(0)?, oldest: row.try_get(1)?, are_more: row.try_get(2)? })
    }

    /// At most `limit` of the dead letters that a filter lets through, the oldest failure first, after a place.
    pub async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, NotificationId)>,
        limit: i64,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        dead_letters(&self.client().await?, filter, after, limit).await
    }

    /// Makes a new message of each dead letter, in one transaction, and returns how many that were: one that was
    /// redriven, discarded or dropped meanwhile is left out.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it; then nothing was made.
    pub async fn redrive(
        &self,
        pairs: &[(NotificationId, NotificationRow)],
        now: Timestamp,
        act: &mut Act,
    ) -> Result<usize, StoreError> {
        let (count, id) = self
            .route(None, async |routing| {
                let old = routing.redrive(pairs, now).await?;
                Ok((old.len(), act.record(&routing.transaction, &old).await?))
            })
            .await?;
        act.id = id;
        Ok(count)
    }

    /// Records that these dead letters are done with, and returns how many were not before.
    pub async fn discard(
        &self,
        ids: &[NotificationId],
        now: Timestamp,
        act: &mut Act,
    ) -> Result<usize, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let discarded = discard(&transaction, ids, act.reason.as_deref(), now).await?;
        let id = act.record(&transaction, &discarded).await?;
        transaction.commit().await?;
        act.id = id;
        Ok(discarded.len())
    }
}

async fn dead_letters(
    session: &Session,
    filter: &DeadLetterFilter,
    after: Option<(Timestamp, NotificationId)>,
    limit: i64,
) -> Result<Vec<DeadLetter>, StoreError> {
    let ids = ids(filter);
    let (from, after) = after.map_or((filter.since, Uuid::nil()), |(at, id)| (at, id.0));
    let sql = format!(
        "SELECT l.at, l.code, f.detail, coalesce(p.active, n.username IS NULL),
                CASE WHEN n.username IS NULL THEN n.recipient ELSE coalesce(c.wa_id, c.user_id) END,
                n.event_lane, n.event_seq, n.ordinal, n.id, n.username, n.name, n.recipient, n.phone_number_id,
                n.template, n.priority, n.message, n.reason, n.send_at, n.expires_at, n.key
         FROM (
             SELECT u.at, u.code, u.notification_id, u.attempt
             {DEAD} AND (u.at, u.notification_id) > ($1, $7)
             ORDER BY u.at, u.notification_id LIMIT $8
         ) l
         JOIN notification n ON n.id = l.notification_id
         JOIN delivery f ON f.notification_id = l.notification_id AND f.attempt = l.attempt AND f.status = 'failed'
         LEFT JOIN person p ON p.username = n.username
         LEFT JOIN contact c ON c.id = p.contact_id
         ORDER BY l.at, l.notification_id"
    );
    let DeadLetterFilter { made_before, template, person, code, .. } = filter;
    let rows =
        session.query(&sql, &[&from, made_before, template, person, code, &ids, &after, &limit]).await?;
    rows.iter().map(dead_letter).collect()
}

/// Records that these dead letters are done with, and returns which were not before.
pub(super) async fn discard(
    transaction: &Transaction<'_>,
    ids: &[NotificationId],
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = transaction
        .query(
            "INSERT INTO dead_letter (notification_id, reason, at) SELECT unnest($1::uuid[]), $2, $3
             ON CONFLICT DO NOTHING RETURNING notification_id",
            &[&ids, &reason, &now],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0).map_err(StoreError::from)).collect()
}

impl RoutingTransaction<'_> {
    /// As [`Store::dead_letters`], within the transaction.
    pub async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after: Option<(Timestamp, NotificationId)>,
        limit: i64,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        dead_letters(&self.transaction, filter, after, limit).await
    }

    /// Makes a new message of each dead letter, and returns which of the old ones were still to be redriven.
    pub(super) async fn redrive(
        &self,
        pairs: &[(NotificationId, NotificationRow)],
        now: Timestamp,
    ) -> Result<Vec<Uuid>, StoreError> {
        let old: Vec<Uuid> = pairs.iter().map(|(id, _)| id.0).collect();
        let new: Vec<Uuid> = pairs.iter().map(|(_, row)| row.notification.id.0).collect();
        // Retention looks at an event and then drops it: no message may join it in between.
        self.transaction.execute("SELECT pg_advisory_xact_lock_shared($1)", &[&REDRIVING]).await?;
        let rows = self
            .transaction
            .query(
                "INSERT INTO dead_letter (notification_id, redriven_as, at)
                 SELECT old, new, $3 FROM unnest($1::uuid[], $2::uuid[]) AS r (old, new)
                 JOIN notification n ON n.id = r.old
                 ON CONFLICT DO NOTHING RETURNING notification_id",
                &[&old, &new, &now],
            )
            .await?;
        let ours: HashSet<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let pairs = pairs.iter().filter(|(old, _)| ours.contains(&old.0));
        let rows: Vec<NotificationRow> = pairs.map(|(_, row)| row.clone()).collect();
        self.append_notifications(&rows, now).await?;
        Ok(ours.into_iter().collect())
    }
}

fn ids(filter: &DeadLetterFilter) -> Vec<Uuid> {
    filter.ids.iter().map(|id| id.0).collect()
}

fn dead_letter(row: &Row) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        failed_at: row.try_get(0)?,
        code: row.try_get(1)?,
        detail: row.try_get(2)?,
        active: row.try_get(3)?,
        reached_at: row.try_get(4)?,
        event_lane: Lane(row.try_get(5)?),
        event_seq: row.try_get(6)?,
        ordinal: row.try_get(7)?,
        notification: Notification {
            id: NotificationId(row.try_get(8)?),
            username: row.try_get(9)?,
            name: row.try_get(10)?,
            recipient: row.try_get(11)?,
            phone_number_id: row.try_get(12)?,
            template: row.try_get(13)?,
            priority: Priority::from_rank(row.try_get(14)?),
            message: serde_json::from_str(row.try_get(15)?)
                .map_err(|error| StoreError::Row(format!("the message of a notification: {error}")))?,
            reason: row.try_get(16)?,
            send_at: row.try_get(17)?,
            expires_at: row.try_get(18)?,
            key: row.try_get(19)?,
        },
    })
}
