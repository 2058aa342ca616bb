//! Events that a plugin failed on, until they are decided again.

use jiff::Timestamp;

use super::{LoggedEvent, RoutingTransaction, Store, StoreError, event};
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

/// A parked event that is to be decided again.
#[derive(Clone, Debug)]
pub struct ParkedEvent {
    /// The event.
    pub logged: LoggedEvent,
    /// Which parked decision.
    pub row: ParkedRow,
    /// The ordinal of the event's next decision.
    pub next_ordinal: i16,
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
    /// How many events are parked, by plugin.
    pub async fn parked(&self) -> Result<Vec<ParkedFacts>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query("SELECT plugin, count(*), min(parked_at) FROM parked GROUP BY plugin ORDER BY plugin", &[])
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
        Ok(client.execute("UPDATE parked SET due = true WHERE plugin = $1", &[&plugin]).await?)
    }

    /// At most `limit` parked events of these lanes that are to be decided again.
    pub async fn parked_due(&self, lanes: &[Lane], limit: i64) -> Result<Vec<ParkedEvent>, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT e.lane, e.seq, e.id, e.source, e.type, e.subject, e.time, e.data, e.extensions,
                        p.ordinal, p.plugin,
                        (SELECT max(d.ordinal) + 1 FROM decision d
                         WHERE d.lane = p.lane AND d.event_seq = p.event_seq)::smallint
                 FROM parked p JOIN event e ON e.lane = p.lane AND e.seq = p.event_seq
                 WHERE p.due AND p.lane = ANY($1) ORDER BY p.event_seq LIMIT $2",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &limit]).await?;
        rows.iter()
            .map(|row| {
                let logged = event::logged_event(row)?;
                let row = (row.try_get(9)?, row.try_get(10)?, row.try_get(11)?);
                let parked =
                    ParkedRow { lane: logged.lane, event_seq: logged.seq, ordinal: row.0, plugin: row.1 };
                Ok(ParkedEvent { logged, row: parked, next_ordinal: row.2 })
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

    /// Takes a parked event off the list; tells whether it was on it.
    pub async fn unpark(&self, row: &ParkedRow) -> Result<bool, StoreError> {
        let deleted = self
            .transaction
            .execute(
                "DELETE FROM parked WHERE lane = $1 AND event_seq = $2 AND ordinal = $3",
                &[&row.lane.0, &row.event_seq, &row.ordinal],
            )
            .await?;
        Ok(deleted == 1)
    }
}
