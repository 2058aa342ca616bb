//! Dropping what is old from the logs: an event goes with all that came of it, once all of that is settled.

use hookswitch_core::domain::{Lane, NotificationId};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Store, StoreError, dead_letter::REDRIVING};

/// Any number will do; it must only be the same on every host.
const PRUNING: i64 = 0x686f_6f6b_0004;

/// What came of looking at a lane's oldest events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// How many were dropped.
    pub events: u64,
    /// Where to look on; `None` at the end of what is old.
    pub next: Option<i64>,
}

impl Store {
    /// Looks at the `limit` oldest events of a lane after a place, and drops those that came before `before` and are
    /// settled, with their decisions, notifications and deliveries. `None` where another host is at it.
    ///
    /// The newest routed event of a lane stays, and the event of the newest notification of a lane: they are where
    /// routing and dispatch go on.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it; then nothing was dropped.
    pub async fn prune_events(
        &self,
        lane: Lane,
        after: i64,
        before: Timestamp,
        limit: i64,
    ) -> Result<Option<Pruned>, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let lock = transaction.query_one("SELECT pg_try_advisory_xact_lock($1)", &[&PRUNING]).await?;
        if !lock.try_get::<_, bool>(0)? {
            return Ok(None);
        }
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&REDRIVING]).await?;
        let statement = transaction
            .prepare_cached(
                // One look for each event: an EXISTS may be answered by reading all of the lane's decisions.
                "SELECT e.seq, e.received_at < $3, e.received_at < $3
                     AND e.seq < (SELECT max(event_seq) FROM decision WHERE lane = $1)
                     AND (SELECT true FROM decision d WHERE d.lane = $1 AND d.event_seq = e.seq LIMIT 1) IS NOT NULL
                     AND (SELECT true FROM parked p WHERE p.lane = $1 AND p.event_seq = e.seq LIMIT 1) IS NULL
                     AND (SELECT true FROM unfinished u WHERE u.lane = $1 AND u.event_seq = e.seq LIMIT 1) IS NULL
                     AND NOT EXISTS (
                         SELECT FROM notification n
                         WHERE n.event_lane = $1 AND n.event_seq = e.seq AND (
                             n.seq = (SELECT max(m.seq) FROM notification m WHERE m.lane = n.lane)
                             OR EXISTS (SELECT FROM deferred w WHERE w.lane = n.lane AND w.seq = n.seq)
                             OR EXISTS (SELECT FROM failure f WHERE f.notification_id = n.id)
                             OR EXISTS (SELECT FROM delivery d WHERE d.notification_id = n.id AND d.at >= $3)
                             OR NOT EXISTS (
                                 SELECT FROM delivery d
                                 WHERE d.notification_id = n.id AND d.status > 'retrying'
                                     AND (d.status >= 'delivered' OR d.attempt = (
                                         SELECT max(l.attempt) FROM delivery l WHERE l.notification_id = n.id)))))
                 FROM (
                     SELECT seq, received_at FROM event WHERE lane = $1 AND seq > $2 ORDER BY seq LIMIT $4
                 ) e
                 ORDER BY e.seq",
            )
            .await?;
        let rows = transaction.query(&statement, &[&lane.0, &after, &before, &limit]).await?;
        let mut seqs: Vec<i64> = Vec::new();
        let mut next = None;
        for row in &rows {
            let (seq, is_old) = (row.try_get(0)?, row.try_get::<_, bool>(1)?);
            // Later ones came later.
            next = is_old.then_some(seq);
            if !is_old {
                break;
            }
            if row.try_get(2)? {
                seqs.push(seq);
            }
        }
        if i64::try_from(rows.len()).is_ok_and(|read| read < limit) {
            next = None;
        }
        if seqs.is_empty() {
            // Waited for: the next look takes the lock again, over another connection.
            transaction.rollback().await?;
            return Ok(Some(Pruned { events: 0, next }));
        }
        let lanes = vec![lane.0; seqs.len()];
        let dropped = transaction.query_one("SELECT prune_events($1, $2)", &[&lanes, &seqs]).await?;
        transaction.commit().await?;
        Ok(Some(Pruned { events: dropped.try_get::<_, i64>(0)?.unsigned_abs(), next }))
    }

    /// Looks at the `limit` oldest rows of the delivery log after a message, and drops what was reported before `before`
    /// of messages that were dropped. Returns where to look on; `None` at the end of what is old.
    pub async fn prune_deliveries(
        &self,
        after: NotificationId,
        before: Timestamp,
        limit: i64,
    ) -> Result<Option<NotificationId>, StoreError> {
        let milliseconds = u128::try_from(before.as_millisecond()).unwrap_or(0);
        // A UUID of version 7 begins with the time.
        let first = Uuid::from_u128(milliseconds << 80);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT d.notification_id, d.at < $3 AND NOT EXISTS (
                     SELECT FROM notification n WHERE n.id = d.notification_id)
                 FROM (
                     SELECT notification_id, at FROM delivery WHERE notification_id > $1 AND notification_id < $2
                     ORDER BY notification_id LIMIT $4
                 ) d
                 ORDER BY d.notification_id",
            )
            .await?;
        let rows = client.query(&statement, &[&after.0, &first, &before, &limit]).await?;
        let mut gone: Vec<Uuid> = Vec::new();
        for row in &rows {
            if row.try_get(1)? {
                gone.push(row.try_get(0)?);
            }
        }
        if !gone.is_empty() {
            gone.dedup();
            client.execute("SELECT prune_deliveries($1)", &[&gone]).await?;
        }
        let is_full = i64::try_from(rows.len()).is_ok_and(|read| read == limit);
        rows.last().filter(|_| is_full).map(|row| Ok(NotificationId(row.try_get(0)?))).transpose()
    }

    /// Drops what became of old times of schedules, but for the last of each, old causes of failures, and old clashes.
    pub async fn prune_schedules(&self, before: Timestamp) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "WITH RECURSIVE schedules (schedule) AS (
                     SELECT min(schedule) FROM schedule_slot
                     UNION ALL
                     SELECT (SELECT min(s.schedule) FROM schedule_slot s WHERE s.schedule > schedules.schedule)
                     FROM schedules WHERE schedules.schedule IS NOT NULL
                 ), last AS (
                     SELECT schedule, (SELECT max(s.slot) FROM schedule_slot s WHERE s.schedule = schedules.schedule) AS slot
                     FROM schedules
                 )
                 DELETE FROM schedule_slot s USING last
                 WHERE s.schedule = last.schedule AND s.slot < least($1, last.slot)",
                &[&before],
            )
            .await?;
        client.execute("DELETE FROM failure_cause WHERE told_at < $1", &[&before]).await?;
        client.execute("DELETE FROM own_clash WHERE at < $1", &[&before]).await?;
        Ok(())
    }
}
