//! Failures that nobody was told of yet: filled by a trigger with the delivery log, emptied into the event log.

use std::time::Duration;

use hookswitch_core::domain::{EventKey, NotificationId};
use jiff::Timestamp;
use uuid::Uuid;

use super::{NewEvent, Store, StoreError, event};

/// Any number will do; it must only be the same on every host.
const TELLING: i64 = 0x686f_6f6b_0003;
/// A failure that Meta reports late may be followed by another attempt: so long that is waited for.
const GRACE: Duration = Duration::from_secs(3);
/// So many are looked at in one transaction.
const BATCH: i64 = 20_000;

/// A failure that nobody was told of yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Whose.
    pub notification_id: NotificationId,
    /// Of which attempt.
    pub attempt: i16,
    /// Meta's error code.
    pub code: Option<i32>,
    /// When it failed.
    pub at: Timestamp,
    /// Whether the notification has failed for good: nothing arrived, and no attempt follows.
    pub is_final: bool,
    /// What there is to say about it.
    pub detail: Option<String>,
    /// The person's username, where the recipient is staff.
    pub username: Option<String>,
    /// The recipient's name.
    pub name: Option<String>,
    /// The recipient's `wa_id` or user id.
    pub recipient: Option<String>,
    /// The template.
    pub template: String,
    /// The type of the event that the notification is about.
    pub event_kind: String,
    /// That event.
    pub event: EventKey,
}

/// What is done about failures.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// The events that tell of them.
    pub events: Vec<NewEvent<'a>>,
    /// The causes that these are about; each is told again after a pause.
    pub causes: Vec<String>,
}

impl Store {
    /// Hands failures whose cause was not told for `pause` to `tell`, appends the events that it makes, and forgets
    /// the failures, in one transaction. Returns whether events were appended. Does nothing where another host is at
    /// it.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it; then the failures are still there.
    pub async fn tell_failures<T>(
        &self,
        pause: Duration,
        tell: impl FnOnce(&[Failure]) -> T,
        told: impl for<'a> FnOnce(&'a T) -> Told<'a>,
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let lock = transaction.query_one("SELECT pg_try_advisory_xact_lock($1)", &[&TELLING]).await?;
        if !lock.try_get::<_, bool>(0)? {
            return Ok(false);
        }
        let statement = transaction
            .prepare_cached(
                "WITH RECURSIVE codes (code) AS (
                     SELECT min(coalesce(code, -1)) FROM failure
                     UNION ALL
                     SELECT (SELECT min(coalesce(f.code, -1)) FROM failure f WHERE coalesce(f.code, -1) > codes.code)
                     FROM codes WHERE codes.code IS NOT NULL
                 )
                 SELECT f.notification_id, f.attempt, f.code, failed.at, failed.detail,
                        last.status = 'failed' AND last.attempt = f.attempt AND NOT EXISTS (
                            SELECT FROM deferred w WHERE w.lane = n.lane AND w.seq = n.seq),
                        n.username, n.name, n.recipient, n.template, e.type, e.id, e.source,
                        e.id IS NOT NULL AND failed.status IS NOT NULL
                 FROM (
                     SELECT f.* FROM codes
                     LEFT JOIN failure_cause c ON c.cause = coalesce(nullif(codes.code, -1)::text, 'none')
                     CROSS JOIN LATERAL (
                         SELECT * FROM failure
                         WHERE coalesce(failure.code, -1) = codes.code
                           AND failure.at <= now() - make_interval(secs => $1)
                         ORDER BY failure.at LIMIT $3
                     ) f
                     WHERE c.told_at IS NULL OR c.told_at <= now() - make_interval(secs => $2)
                     ORDER BY f.at LIMIT $3
                 ) f
                 LEFT JOIN notification n ON n.id = f.notification_id
                 LEFT JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
                 LEFT JOIN delivery failed ON failed.notification_id = f.notification_id
                     AND failed.attempt = f.attempt AND failed.status = 'failed'
                 LEFT JOIN LATERAL (
                     SELECT d.status, d.attempt FROM delivery d WHERE d.notification_id = f.notification_id
                     ORDER BY (d.status >= 'delivered') DESC, d.attempt DESC, d.status DESC
                     LIMIT 1
                 ) last ON true
                 ORDER BY f.at, f.notification_id",
            )
            .await?;
        let rows =
            transaction.query(&statement, &[&GRACE.as_secs_f64(), &pause.as_secs_f64(), &BATCH]).await?;
        if rows.is_empty() {
            return Ok(false);
        }
        let (mut ids, mut attempts, mut failures) = (Vec::<Uuid>::new(), Vec::<i16>::new(), Vec::new());
        for row in &rows {
            ids.push(row.try_get(0)?);
            attempts.push(row.try_get(1)?);
            // Meta may report late of a message that retention has dropped: there is nothing to tell.
            if row.try_get(13)? {
                failures.push(failure(row)?);
            }
        }
        let made = tell(&failures);
        let Told { events, causes } = told(&made);
        transaction
            .execute(
                "DELETE FROM failure f USING unnest($1::uuid[], $2::smallint[]) AS t (id, attempt)
                 WHERE f.notification_id = t.id AND f.attempt = t.attempt",
                &[&ids, &attempts],
            )
            .await?;
        transaction
            .execute(
                "INSERT INTO failure_cause (cause, told_at) SELECT unnest($1::text[]), now()
                 ON CONFLICT (cause) DO UPDATE SET told_at = excluded.told_at",
                &[&causes],
            )
            .await?;
        if !events.is_empty() {
            event::append_own(&transaction, &events).await?;
        }
        let any = !events.is_empty();
        transaction.commit().await?;
        Ok(any)
    }
}

fn failure(row: &tokio_postgres::Row) -> Result<Failure, StoreError> {
    Ok(Failure {
        notification_id: NotificationId(row.try_get(0)?),
        attempt: row.try_get(1)?,
        code: row.try_get(2)?,
        at: row.try_get(3)?,
        detail: row.try_get(4)?,
        is_final: row.try_get(5)?,
        username: row.try_get(6)?,
        name: row.try_get(7)?,
        recipient: row.try_get(8)?,
        template: row.try_get(9)?,
        event_kind: row.try_get(10)?,
        event: EventKey { id: row.try_get(11)?, source: row.try_get(12)? },
    })
}
