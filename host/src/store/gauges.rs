//! What waits in the lanes of a host, for a monitoring system that asks every few seconds. As much of each lane is looked at
//! as is asked for, whatever its length.

use std::collections::HashMap;

use hookswitch_core::domain::{Lane, Priority, Track};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Store, StoreError};

/// Events that are not routed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventsWaiting {
    /// Their number.
    pub count: i64,
    /// When the oldest was received.
    pub oldest: Option<Timestamp>,
    /// Whether there may be more than were counted.
    pub more: bool,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Those that were counted.
    pub count: i64,
    /// Whether there may be more.
    pub more: bool,
}

impl Store {
    /// Events of these lanes that are not routed yet, at most `limit` of each lane.
    pub async fn events_waiting(&self, lanes: &[Lane], limit: i64) -> Result<EventsWaiting, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT coalesce(sum(w.count), 0)::bigint, min(w.oldest), coalesce(bool_or(w.count >= $2), false)
                 FROM unnest($1::smallint[]) AS l (lane)
                 CROSS JOIN LATERAL (
                     SELECT greatest(
                         (SELECT max(event_seq) FROM decision d WHERE d.lane = l.lane),
                         (SELECT max(event_seq) FROM unfinished u WHERE u.lane = l.lane), 0) AS seq) AS routed
                 CROSS JOIN LATERAL (
                     SELECT count(*) AS count, min(received_at) AS oldest
                     FROM ((SELECT received_at FROM event WHERE event.lane = l.lane AND event.seq > routed.seq
                            ORDER BY event.seq LIMIT $2)
                           UNION ALL
                           (SELECT since FROM unfinished WHERE unfinished.lane = l.lane
                            ORDER BY event_seq LIMIT $2)) AS waiting) AS w",
            )
            .await?;
        let row = client.query_one(&statement, &[&lanes, &limit]).await?;
        Ok(EventsWaiting { count: row.try_get(0)?, oldest: row.try_get(1)?, more: row.try_get(2)? })
    }

    /// Since when the oldest transaction lasts that this role can see, of whichever client; old rows stay until it ends.
    pub async fn oldest_transaction(&self) -> Result<Option<Timestamp>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT min(xact_start) FROM pg_stat_activity
                 WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            )
            .await?;
        Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
    }

    /// Number of messages of these tracks that wait, by reason as stored, and `queued` for those of which dispatch has not
    /// stored anything; at most `limit` of each track are counted.
    pub async fn messages_waiting(
        &self,
        tracks: &[Track],
        limit: i64,
    ) -> Result<HashMap<String, Counted>, StoreError> {
        let tracks: Vec<i16> = tracks.iter().map(|track| track.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT w.reason, sum(w.count)::bigint, bool_or(w.more)
                 FROM unnest($1::smallint[]) AS t (lane)
                 CROSS JOIN LATERAL (
                     SELECT d.reason, count(*) AS count, sum(count(*)) OVER () >= $2 AS more
                     FROM (SELECT reason FROM deferred WHERE deferred.lane = t.lane
                           ORDER BY deferred.seq LIMIT $2) AS d
                     GROUP BY d.reason
                     UNION ALL
                     SELECT 'queued', count(*), count(*) >= $2
                     FROM (SELECT FROM notification n
                           WHERE n.lane = t.lane
                               AND n.seq > (SELECT c.seq FROM checkpoint c WHERE c.lane = t.lane)
                           ORDER BY n.seq LIMIT $2) AS n
                 ) AS w
                 GROUP BY w.reason",
            )
            .await?;
        let rows = client.query(&statement, &[&tracks, &limit]).await?;
        let counted =
            |row: &Row| Ok::<_, StoreError>(Counted { count: row.try_get(1)?, more: row.try_get(2)? });
        rows.iter().map(|row| Ok((row.try_get(0)?, counted(row)?))).collect()
    }

    /// By priority, since when the oldest message of these tracks has been due and was not accepted: the `limit` oldest of
    /// each track are looked at. What waits for a time, a window or an operator is not due.
    pub async fn oldest_messages(
        &self,
        tracks: &[Track],
        limit: i64,
        now: Timestamp,
    ) -> Result<HashMap<Priority, Timestamp>, StoreError> {
        let tracks: Vec<i16> = tracks.iter().map(|track| track.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT t.lane, min(o.since)
                 FROM unnest($1::smallint[]) AS t (lane)
                 CROSS JOIN LATERAL (
                     SELECT greatest(n.created_at, n.send_at) AS since
                     FROM (SELECT n.lane, n.seq, n.created_at, n.send_at
                           FROM notification n
                           WHERE n.lane = t.lane
                               AND n.seq > (SELECT c.seq FROM checkpoint c WHERE c.lane = t.lane)
                           ORDER BY n.seq LIMIT $2) AS n
                     WHERE NOT EXISTS (SELECT FROM deferred d WHERE d.lane = n.lane AND d.seq = n.seq)
                     UNION ALL
                     SELECT CASE WHEN d.reason IN ('retry', 'pair', 'as_template', 'behind')
                                 THEN greatest(n.created_at, n.send_at) ELSE d.due_at END
                     FROM (SELECT lane, seq, reason, due_at FROM deferred WHERE deferred.lane = t.lane
                           ORDER BY deferred.seq LIMIT $2) AS d
                     JOIN notification n ON n.lane = d.lane AND n.seq = d.seq
                     WHERE d.reason <> 'hold'
                 ) AS o
                 WHERE o.since <= $3
                 GROUP BY t.lane",
            )
            .await?;
        let mut oldest: HashMap<Priority, Timestamp> = HashMap::new();
        for row in client.query(&statement, &[&tracks, &limit, &now]).await? {
            let (track, since): (_, Timestamp) = (Track(row.try_get(0)?), row.try_get(1)?);
            oldest.entry(track.priority()).and_modify(|at| *at = since.min(*at)).or_insert(since);
        }
        Ok(oldest)
    }
}
