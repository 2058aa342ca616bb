//! Reading the event log, as routing does.

use serde_json::value::RawValue;
use tokio_postgres::Row;

use super::{Store, StoreError};
use crate::domain::{Event, EventKey, Lane};

/// An event and its place in the log.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    /// Its lane.
    pub lane: Lane,
    /// Its place.
    pub seq: i64,
    /// The event.
    pub event: Event,
}

impl Store {
    /// At most `limit` events after the lanes' cursors, in the order of the log.
    pub async fn events_after(
        &self,
        cursors: &[(Lane, i64)],
        limit: usize,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let lanes: Vec<i16> = cursors.iter().map(|(lane, _)| lane.0).collect();
        let seqs: Vec<i64> = cursors.iter().map(|(_, seq)| *seq).collect();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT e.lane, e.seq, e.id, e.source, e.type, e.subject, e.time, e.data, e.extensions
                 FROM unnest($1::smallint[], $2::bigint[]) AS c (lane, seq)
                 CROSS JOIN LATERAL (
                     SELECT lane, seq, id, source, type, subject, time, data, extensions
                     FROM event WHERE event.lane = c.lane AND event.seq > c.seq
                     ORDER BY event.seq LIMIT $3
                 ) e
                 ORDER BY e.seq LIMIT $3",
            )
            .await?;
        client.query(&statement, &[&lanes, &seqs, &limit]).await?.iter().map(logged_event).collect()
    }
}

fn logged_event(row: &Row) -> Result<LoggedEvent, StoreError> {
    Ok(LoggedEvent {
        lane: Lane(row.try_get(0)?),
        seq: row.try_get(1)?,
        event: Event {
            key: EventKey { id: row.try_get(2)?, source: row.try_get(3)? },
            kind: row.try_get(4)?,
            subject: row.try_get(5)?,
            time: row.try_get(6)?,
            data: raw(row.try_get(7)?)?,
            extensions: row.try_get::<_, Option<String>>(8)?.map(raw).transpose()?,
        },
    })
}

fn raw(text: String) -> Result<Box<RawValue>, StoreError> {
    RawValue::from_string(text).map_err(|error| StoreError::Row(format!("the event's data: {error}")))
}
