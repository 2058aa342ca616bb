//! Events that a plugin failed on, or that came while it was stopped, until they are decided again, and events that are
//! routed again.

use hookswitch_core::domain::Lane;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Act, COUNTED, LEASE, RoutingTransaction, Store, StoreError};

/// An event that a plugin failed on, or one that is routed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRow {
    /// The event's lane.
    pub lane: Lane,
    /// The event's place in its log.
    pub event_seq: i64,
    /// Of the decision that says so.
    pub ordinal: i16,
    /// The plugin's id; empty where the whole event is routed again.
    pub plugin: String,
    /// Whether it waits because the plugin was stopped.
    pub is_stopped: bool,
}

impl ParkedRow {
    /// Whether the whole event is routed again.
    pub fn is_rerun(&self) -> bool {
        self.plugin.is_empty()
    }
}

/// A parked event that is to be decided again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedDue {
    /// Which.
    pub row: ParkedRow,
    /// The event's type.
    pub kind: String,
    /// How often a host died while it decided this event again.
    pub deaths: i16,
    /// How often while it decided nothing else beside.
    pub alone_deaths: i16,
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
    /// How many events are parked, by plugin, counted up to `COUNTED`, and since when the first of
    /// these.
    pub async fn parked(&self) -> Result<Vec<ParkedFacts>, StoreError> {
        let client = self.client().await?;
        // The plugins are found by hopping over the index.
        let rows = client
            .query(
                "WITH RECURSIVE plugins (plugin) AS (
                     SELECT min(plugin) FROM parked WHERE plugin > ''
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

    /// Has the events decided again that a plugin failed on, records that if it is an operator's act, and returns how many
    /// there are. Those that wait because it is stopped wait on.
    pub async fn resume_parked(&self, plugin: &str, act: Option<&Act>) -> Result<u64, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let resumed = transaction
            .execute("UPDATE parked SET due = true WHERE plugin = $1 AND NOT stopped", &[&plugin])
            .await?;
        if let Some(act) = act {
            act.record_count(&transaction, usize::try_from(resumed).unwrap_or(usize::MAX)).await?;
        }
        transaction.commit().await?;
        Ok(resumed)
    }

    /// The parked events of these lanes that are to be decided again, in the order of the log; at most `limit` of each
    /// plugin.
    pub async fn parked_due(&self, lanes: &[Lane], limit: usize) -> Result<Vec<ParkedDue>, StoreError> {
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
                 SELECT p.lane, p.event_seq, p.ordinal, p.plugin, p.deaths, p.alone_deaths, e.type, p.stopped
                 FROM plugins
                 CROSS JOIN LATERAL (
                     SELECT lane, event_seq, ordinal, plugin, deaths, alone_deaths, stopped FROM parked
                     WHERE parked.plugin = plugins.plugin AND parked.due AND parked.lane = ANY($1)
                     ORDER BY event_seq, ordinal LIMIT $2
                 ) p
                 JOIN event e ON e.lane = p.lane AND e.seq = p.event_seq
                 ORDER BY p.event_seq, p.ordinal",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &limit]).await?;
        rows.iter()
            .map(|row| {
                let (deaths, alone_deaths, kind) = (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
                let row = ParkedRow {
                    lane: Lane(row.try_get(0)?),
                    event_seq: row.try_get(1)?,
                    ordinal: row.try_get(2)?,
                    plugin: row.try_get(3)?,
                    is_stopped: row.try_get(7)?,
                };
                Ok(ParkedDue { row, kind, deaths, alone_deaths })
            })
            .collect()
    }

    /// Says that this host is deciding these parked events again; `alone` where it decides one, and nothing else beside.
    pub async fn begin_parked(&self, host: Uuid, rows: &[&ParkedRow], alone: bool) -> Result<(), StoreError> {
        let (lanes, seqs, ordinals) = places(rows);
        let client = self.client().await?;
        let statement = client.prepare_cached(BEGIN).await?;
        client.execute(&statement, &[&host, &lanes, &seqs, &ordinals, &alone]).await?;
        Ok(())
    }

    /// Counts, for the parked events of these lanes, what a host was at that died.
    pub(super) async fn count_parked_deaths(&self, host: Uuid, lanes: &[i16]) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE parked p SET host = NULL, alone = false, deaths = deaths + was.dead::int,
                     alone_deaths = alone_deaths + (was.dead AND p.alone)::int
                 FROM (
                     SELECT o.host AS id, NOT EXISTS (
                         SELECT FROM host h WHERE h.id = o.host
                             AND h.seen_at > now() - make_interval(secs => $3)) AS dead
                     FROM (SELECT DISTINCT host FROM parked WHERE due AND lane = ANY($2) AND host <> $1) o
                 ) AS was
                 WHERE p.host = was.id AND p.due AND p.lane = ANY($2)",
            )
            .await?;
        client.execute(&statement, &[&host, &lanes, &LEASE.as_secs_f64()]).await?;
        Ok(())
    }
}

const BEGIN: &str = "UPDATE parked p SET host = $1, alone = $5
     FROM unnest($2::smallint[], $3::bigint[], $4::smallint[]) AS d (lane, event_seq, ordinal)
     WHERE (p.lane, p.event_seq, p.ordinal) = (d.lane, d.event_seq, d.ordinal)";

fn places(rows: &[&ParkedRow]) -> (Vec<i16>, Vec<i64>, Vec<i16>) {
    let lanes = rows.iter().map(|row| row.lane.0).collect();
    let seqs = rows.iter().map(|row| row.event_seq).collect();
    (lanes, seqs, rows.iter().map(|row| row.ordinal).collect())
}

impl RoutingTransaction<'_> {
    /// Says that this host decides others beside these parked events.
    pub async fn parked_not_alone(&self, host: Uuid, rows: &[&ParkedRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (lanes, seqs, ordinals) = places(rows);
        let statement = self.transaction.prepare_cached(BEGIN).await?;
        self.transaction.execute(&statement, &[&host, &lanes, &seqs, &ordinals, &false]).await?;
        Ok(())
    }

    /// Keeps events that a plugin failed on.
    pub async fn park(&self, rows: &[ParkedRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let lanes: Vec<i16> = rows.iter().map(|row| row.lane.0).collect();
        let seqs: Vec<i64> = rows.iter().map(|row| row.event_seq).collect();
        let ordinals: Vec<i16> = rows.iter().map(|row| row.ordinal).collect();
        let plugins: Vec<&str> = rows.iter().map(|row| row.plugin.as_str()).collect();
        let stopped: Vec<bool> = rows.iter().map(|row| row.is_stopped).collect();
        self.transaction
            .execute(
                "INSERT INTO parked (lane, event_seq, ordinal, plugin, stopped)
                 SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::text[], $5::boolean[])",
                &[&lanes, &seqs, &ordinals, &plugins, &stopped],
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
        let (lanes, seqs, ordinals) = places(rows);
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
