//! Dropping what is old from the logs: an event goes with all that came of it, once all of that is settled.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Store, StoreError, dead_letter::REDRIVING};
use crate::domain::Lane;

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
                "SELECT e.seq, e.received_at < $3, e.received_at < $3
                     AND e.seq < (SELECT max(event_seq) FROM decision WHERE lane = $1)
                     AND EXISTS (SELECT FROM decision d WHERE d.lane = $1 AND d.event_seq = e.seq)
                     AND NOT EXISTS (SELECT FROM parked p WHERE p.lane = $1 AND p.event_seq = e.seq)
                     AND NOT EXISTS (SELECT FROM unfinished u WHERE u.lane = $1 AND u.event_seq = e.seq)
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

    /// Drops at most `limit` reports about messages that were dropped before, made before `before`. Returns how many
    /// rows went.
    pub async fn prune_deliveries(&self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let milliseconds = u128::try_from(before.as_millisecond()).unwrap_or(0);
        // A UUID of version 7 begins with the time.
        let first = Uuid::from_u128(milliseconds << 80);
        let client = self.client().await?;
        let row = client
            .query_one(
                "SELECT prune_deliveries(ARRAY(
                     SELECT DISTINCT d.notification_id FROM delivery d
                     WHERE d.notification_id < $1 AND d.at < $2
                         AND NOT EXISTS (SELECT FROM notification n WHERE n.id = d.notification_id)
                     LIMIT $3))",
                &[&first, &before, &limit],
            )
            .await?;
        Ok(row.try_get::<_, i64>(0)?.unsigned_abs())
    }

    /// Drops what became of old times of schedules, but for the last of each, old causes of failures, and old clashes.
    pub async fn prune_schedules(&self, before: Timestamp) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "DELETE FROM schedule_slot s WHERE s.slot < $1
                     AND EXISTS (SELECT FROM schedule_slot l WHERE l.schedule = s.schedule AND l.slot > s.slot)",
                &[&before],
            )
            .await?;
        client.execute("DELETE FROM failure_cause WHERE told_at < $1", &[&before]).await?;
        client.execute("DELETE FROM own_clash WHERE at < $1", &[&before]).await?;
        Ok(())
    }
}
