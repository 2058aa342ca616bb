//! Events that are routed again: which, and what came of their earlier runs.

use std::collections::HashSet;

use hookswitch_core::domain::{EventKey, Lane};

use super::{Act, RoutingTransaction, Store, StoreError};

/// What came of the earlier runs of events, so that nobody is told twice.
#[derive(Debug, Default)]
pub struct ToldBefore {
    /// Of a notification that was not skipped: its event, its template, and the recipient, or else the username.
    pub told: HashSet<((Lane, i64), String, String)>,
    /// Of a decision that went into a digest: its event and its template.
    pub collected: HashSet<((Lane, i64), String)>,
}

impl Store {
    /// Has these events routed again, those of which a decision of the last run failed, found no rule or reached nobody,
    /// unless that is asked for already. Returns which.
    pub async fn rerun(&self, events: &[EventKey], act: &mut Act) -> Result<Vec<EventKey>, StoreError> {
        let ids: Vec<&str> = events.iter().map(|key| key.id.as_str()).collect();
        let sources: Vec<&str> = events.iter().map(|key| key.source.as_str()).collect();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let rows = transaction
            .query(
                "WITH asked AS (
                     INSERT INTO parked (lane, event_seq, ordinal, plugin, due)
                     SELECT e.lane, e.seq, d.ordinal, '', true
                     FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) AS k (id, source)
                     JOIN event e ON e.id = k.id AND e.source = k.source
                     CROSS JOIN LATERAL (
                         SELECT ordinal FROM decision
                         WHERE lane = e.lane AND event_seq = e.seq AND outcome IN ('failed', 'no_route', 'nobody')
                           AND run = (SELECT max(run) FROM decision WHERE lane = e.lane AND event_seq = e.seq)
                         ORDER BY ordinal LIMIT 1
                     ) d
                     ON CONFLICT (lane, event_seq, ordinal) DO NOTHING
                     RETURNING lane, event_seq
                 )
                 SELECT e.id, e.source FROM asked JOIN event e ON e.lane = asked.lane AND e.seq = asked.event_seq
                 ORDER BY e.seq",
                &[&ids, &sources],
            )
            .await?;
        let asked = rows
            .iter()
            .map(|row| Ok(EventKey { id: row.try_get(0)?, source: row.try_get(1)? }))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let id = act.record_count(&transaction, asked.len()).await?;
        transaction.commit().await?;
        act.id = id;
        Ok(asked)
    }

    /// The recipients who were told of an event by this template in runs before that of a decision.
    pub async fn told_in_earlier_runs(
        &self,
        lane: Lane,
        event_seq: i64,
        ordinal: i16,
        template: &str,
    ) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT n.recipient FROM decision d
                 JOIN notification n ON n.event_lane = d.lane AND n.event_seq = d.event_seq AND n.ordinal = d.ordinal
                 WHERE d.lane = $1 AND d.event_seq = $2 AND n.template = $4 AND n.recipient IS NOT NULL
                   AND d.run < (SELECT run FROM decision WHERE lane = $1 AND event_seq = $2 AND ordinal = $3)
                   AND NOT EXISTS (
                       SELECT FROM delivery s WHERE s.notification_id = n.id AND s.status = 'skipped')",
            )
            .await?;
        let rows = client.query(&statement, &[&lane.0, &event_seq, &ordinal, &template]).await?;
        rows.iter().map(|row| row.try_get(0).map_err(StoreError::from)).collect()
    }
}

impl RoutingTransaction<'_> {
    /// What came of the earlier runs of these events.
    pub async fn told_before(&self, events: &[(Lane, i64)]) -> Result<ToldBefore, StoreError> {
        let lanes: Vec<i16> = events.iter().map(|(lane, _)| lane.0).collect();
        let seqs: Vec<i64> = events.iter().map(|(_, seq)| *seq).collect();
        let told = self
            .transaction
            .prepare_cached(
                "SELECT n.event_lane, n.event_seq, n.template, coalesce(n.recipient, n.username, '')
                 FROM unnest($1::smallint[], $2::bigint[]) AS e (lane, seq)
                 JOIN notification n ON n.event_lane = e.lane AND n.event_seq = e.seq
                 WHERE NOT EXISTS (SELECT FROM delivery s WHERE s.notification_id = n.id AND s.status = 'skipped')",
            )
            .await?;
        let collected = self
            .transaction
            .prepare_cached(
                "SELECT d.lane, d.event_seq, coalesce(d.decision::json ->> 'template', '')
                 FROM unnest($1::smallint[], $2::bigint[]) AS e (lane, seq)
                 JOIN decision d ON d.lane = e.lane AND d.event_seq = e.seq
                 WHERE d.outcome = 'collected'",
            )
            .await?;
        let mut before = ToldBefore::default();
        for row in self.transaction.query(&told, &[&lanes, &seqs]).await? {
            let place = (Lane(row.try_get(0)?), row.try_get(1)?);
            before.told.insert((place, row.try_get(2)?, row.try_get(3)?));
        }
        for row in self.transaction.query(&collected, &[&lanes, &seqs]).await? {
            before.collected.insert(((Lane(row.try_get(0)?), row.try_get(1)?), row.try_get(2)?));
        }
        Ok(before)
    }
}
