//! Events that a plugin failed on, until they are decided again.

use jiff::Timestamp;

use super::{COUNTED, RoutingTransaction, Store, StoreError};
use crate::domain::Lane;

/// An event that a plugin failed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRow {
    /// The event's lane.
    pub lane: Lane,
    /// The event's place in its log.
    pub event_seq: i64,
    /// Of the decision that says so.
    pub ordinal: i16,
    /// The plugin's id.
    pub plugin: String,
}

/// How many events are parked for a plugin, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedFacts {
    /// The plugin's id.
    pub plugin: String,
    /// How many.
    pub count: i64,
    /// Since when the first of them.
    pub since: Timestamp,
}

impl Store {
    /// How many events are parked, by plugin, counted up to [`COUNTED`](super::COUNTED), and since when the first of
    /// these.
    pub async fn parked(&self) -> Result<Vec<ParkedFacts>, StoreError> {
        let client = self.client().await?;
        // The plugins are found by hopping over the index.
        let rows = client
            .query(
                "WITH RECURSIVE plugins (plugin) AS (
                     SELECT min(plugin) FROM parked
                     UNION ALL
                     SELECT (SELECT min(p.plugin) FROM parked p WHERE p.plugin > plugins.plugin)
                     FROM plugins WHERE plugins.plugin IS NOT NULL
                 )
                 SELECT plugins.plugin, f.count, f.since
                 FROM plugins
                 CROSS JOIN LATERAL (
                     SELECT count(*) AS count, min(parked_at) AS since
                     FROM (SELECT parked_at FROM parked WHERE parked.plugin = plugins.plugin
                           ORDER BY parked.due, parked.event_seq LIMIT $1) AS kept
                 ) f
                 WHERE plugins.plugin IS NOT NULL ORDER BY plugins.plugin",
                &[&COUNTED],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ParkedFacts { plugin: row.try_get(0)?, count: row.try_get(1)?, since: row.try_get(2)? })
            })
            .collect()
    }

    /// Has a plugin's parked events decided again, and returns how many there are.
    pub async fn resume_parked(&self, plugin: &str) -> Result<u64, StoreError> {
        let client = self.client().await?;
        client.execute("UPDATE parked SET due = true WHERE plugin = $1", &[&plugin]).await
    }

    /// The parked events of these lanes that are to be decided again, in the order of the log; at most `limit` of each
    /// plugin.
    pub async fn parked_due(&self, lanes: &[Lane], limit: usize) -> Result<Vec<ParkedRow>, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH RECURSIVE plugins (plugin) AS (
                     SELECT min(plugin) FROM parked
                     UNION ALL
                     SELECT (SELECT min(p.plugin) FROM parked p WHERE p.plugin > plugins.plugin)
                     FROM plugins WHERE plugins.plugin IS NOT NULL
                 )
                 SELECT p.lane, p.event_seq, p.ordinal, p.plugin
                 FROM plugins
                 CROSS JOIN LATERAL (
                     SELECT lane, event_seq, ordinal, plugin FROM parked
                     WHERE parked.plugin = plugins.plugin AND parked.due AND parked.lane = ANY($1)
                     ORDER BY event_seq, ordinal LIMIT $2
                 ) p
                 ORDER BY p.event_seq, p.ordinal",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(ParkedRow {
                    lane: Lane(row.try_get(0)?),
                    event_seq: row.try_get(1)?,
                    ordinal: row.try_get(2)?,
                    plugin: row.try_get(3)?,
                })
            })
            .collect()
    }
}

impl RoutingTransaction<'_> {
    /// Keeps events that a plugin failed on.
    pub async fn park(&self, rows: &[ParkedRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let lanes: Vec<i16> = rows.iter().map(|row| row.lane.0).collect();
        let seqs: Vec<i64> = rows.iter().map(|row| row.event_seq).collect();
        let ordinals: Vec<i16> = rows.iter().map(|row| row.ordinal).collect();
        let plugins: Vec<&str> = rows.iter().map(|row| row.plugin.as_str()).collect();
        self.transaction
            .execute(
                "INSERT INTO parked (lane, event_seq, ordinal, plugin)
                 SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::text[])",
                &[&lanes, &seqs, &ordinals, &plugins],
            )
            .await?;
        Ok(())
    }

    /// Takes parked events off the list that are decided again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where one is not on it: somebody else has decided it.
    pub async fn unpark(&self, rows: &[&ParkedRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let lanes: Vec<i16> = rows.iter().map(|row| row.lane.0).collect();
        let seqs: Vec<i64> = rows.iter().map(|row| row.event_seq).collect();
        let ordinals: Vec<i16> = rows.iter().map(|row| row.ordinal).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "DELETE FROM parked p USING unnest($1::smallint[], $2::bigint[], $3::smallint[])
                     AS d (lane, event_seq, ordinal)
                 WHERE (p.lane, p.event_seq, p.ordinal) = (d.lane, d.event_seq, d.ordinal)",
            )
            .await?;
        let deleted = self.transaction.execute(&statement, &[&lanes, &seqs, &ordinals]).await?;
        if deleted != rows.len() as u64 {
            return Err(StoreError::Conflict("a parked event is decided again already".to_owned()));
        }
        Ok(())
    }
}
