//! How far the notification log is settled.

use hookswitch_core::domain::{LANES, Lane, Track};
use uuid::Uuid;

use super::{Incarnation, Store, StoreError};

/// Up to here each notification of a track has an outcome or waits in `deferred`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The track.
    pub track: Track,
    /// The last place that is settled.
    pub seq: i64,
    /// The end of the track in the log when the checkpoint was read.
    pub end: i64,
}

impl Store {
    /// The checkpoints of all tracks of these lanes; none lies beyond the end of its track, as one may after the log was
    /// restored. None where another server answers.
    pub async fn checkpoints(
        &self,
        lanes: &[Lane],
        incarnation: Option<&Incarnation>,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT c.lane, least(c.seq, n.seq), n.seq
                 FROM checkpoint c
                 CROSS JOIN LATERAL (
                     SELECT coalesce((SELECT max(seq) FROM notification WHERE notification.lane = c.lane), 0) AS seq
                 ) n
                 WHERE c.lane % $2 = ANY($1)
                     AND extract(epoch FROM pg_postmaster_start_time())::text = $3",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &LANES, &incarnation]).await?;
        rows.iter()
            .map(|row| {
                Ok(Checkpoint { track: Track(row.try_get(0)?), seq: row.try_get(1)?, end: row.try_get(2)? })
            })
            .collect()
    }

    /// Moves checkpoints forward, of lanes that are still this host's, on the server that they were read from; never
    /// beyond the end of the log.
    pub async fn checkpoint(
        &self,
        host: Uuid,
        moved: &[(Track, i64)],
        incarnation: Option<&Incarnation>,
    ) -> Result<(), StoreError> {
        let tracks: Vec<i16> = moved.iter().map(|(track, _)| track.0).collect();
        let seqs: Vec<i64> = moved.iter().map(|(_, seq)| *seq).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE checkpoint SET seq = m.seq
                 FROM unnest($2::smallint[], $3::bigint[]) AS m (lane, seq)
                 JOIN lane l ON l.lane = m.lane % $4 AND l.owner = $1
                 WHERE checkpoint.lane = m.lane AND checkpoint.seq < m.seq
                     AND m.seq <= (SELECT max(n.seq) FROM notification n WHERE n.lane = m.lane)
                     AND extract(epoch FROM pg_postmaster_start_time())::text = $5",
            )
            .await?;
        client.execute(&statement, &[&host, &tracks, &seqs, &LANES, &incarnation]).await?;
        Ok(())
    }
}
