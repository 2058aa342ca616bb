//! Leases of lanes: which host reads which lane, and until when.

use std::time::{Duration, Instant};

use hookswitch_core::domain::{LANES, Lane, LaneShare};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{EVENT_LOG, Incarnation, NOTIFICATION_LOG, Store, StoreError};

/// How long a lease lasts without renewal.
pub const LEASE: Duration = Duration::from_secs(15);

/// What a host says of itself at each heartbeat.
#[derive(Clone, Copy, Debug)]
pub struct HostSeen<'a> {
    /// Its own for as long as it runs.
    pub id: Uuid,
    /// Machine and process, for people.
    pub name: &'a str,
    /// Which process it is, for others on its machine; empty where that is not known.
    pub identity: &'a str,
    /// The release of the rules that are live there.
    pub release: &'a str,
    /// The release that decides for a share of the lanes there, and the share.
    pub share: Option<(&'a str, LaneShare)>,
    /// Whether its rules come from the database, and not from a folder.
    pub follows: bool,
    /// The release that it could not load, and why.
    pub refused: Option<(&'a str, &'a str)>,
}

impl Store {
    /// Says that a host lives, with which release of the rules and which clock, and forgets hosts that have not for an
    /// hour. Reads PostgreSQL's clock, and returns which server answered.
    pub async fn host_seen(&self, seen: &HostSeen<'_>) -> Result<Incarnation, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH gone AS (DELETE FROM host WHERE seen_at < now() - interval '1 hour')
                 INSERT INTO host
                     (id, name, identity, release, version, clock_ahead_ms, follows, refused_release, refusal,
                      share_release, share_lanes)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 ON CONFLICT (id) DO UPDATE
                     SET seen_at = now(), release = excluded.release, clock_ahead_ms = excluded.clock_ahead_ms,
                         refused_release = excluded.refused_release, refusal = excluded.refusal,
                         share_release = excluded.share_release, share_lanes = excluded.share_lanes
                 RETURNING clock_timestamp(), extract(epoch FROM pg_postmaster_start_time())::text",
            )
            .await?;
        let version = env!("CARGO_PKG_VERSION");
        let ahead = i64::try_from(self.clock_ahead().as_millis()).unwrap_or(i64::MAX);
        let (refused, refusal) = seen.refused.unzip();
        let (share_release, share_lanes) =
            seen.share.map(|(release, share)| (release, share.lanes())).unzip();
        let asked = Instant::now();
        let row = client
            .query_one(
                &statement,
                &[
                    &seen.id,
                    &seen.name,
                    &seen.identity,
                    &seen.release,
                    &version,
                    &ahead,
                    &seen.follows,
                    &refused,
                    &refusal,
                    &share_release,
                    &share_lanes,
                ],
            )
            .await?;
        self.connector.clock.read(row.try_get(0)?, asked.elapsed());
        let incarnation: Incarnation = row.try_get(1)?;
        self.connector.saw(incarnation.clone());
        Ok(incarnation)
    }

    /// The hosts that are on the list, with their names and identities.
    pub async fn hosts(&self) -> Result<Vec<(Uuid, String, String)>, StoreError> {
        let rows = self.client().await?.query("SELECT id, name, identity FROM host", &[]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
    }

    /// Leaves out numbers of both logs: a server that lacks the end of a log would give them again, to other rows than
    /// those that hosts remember.
    pub async fn skip_seqs(&self) -> Result<(), StoreError> {
        // One after the other: whoever holds one log's lock must not wait for the other's.
        for (lock, log) in [(EVENT_LOG, "event"), (NOTIFICATION_LOG, "notification")] {
            self.client().await?.execute("SELECT skip_seqs($1, $2)", &[&lock, &log]).await?;
        }
        Ok(())
    }

    /// How many hosts live now.
    pub async fn hosts_alive(&self) -> Result<usize, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached("SELECT count(*) FROM host WHERE seen_at > now() - make_interval(secs => $1)")
            .await?;
        let count: i64 = client.query_one(&statement, &[&LEASE.as_secs_f64()]).await?.try_get(0)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Renews this host's leases and returns the lanes that are its own.
    pub async fn renew_lanes(&self, host: Uuid) -> Result<Vec<Lane>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE lane SET deadline = now() + make_interval(secs => $2)
                 WHERE owner = $1 RETURNING lane",
            )
            .await?;
        let rows = client.query(&statement, &[&host, &LEASE.as_secs_f64()]).await?;
        rows.iter().map(lane).collect()
    }

    /// Takes up to `count` lanes that nobody holds.
    pub async fn take_lanes(&self, host: Uuid, count: usize) -> Result<Vec<Lane>, StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::from(LANES));
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE lane SET owner = $1, deadline = now() + make_interval(secs => $2)
                 WHERE lane IN (SELECT lane FROM lane WHERE owner IS NULL OR deadline < now()
                                ORDER BY lane LIMIT $3 FOR UPDATE SKIP LOCKED)
                 RETURNING lane",
            )
            .await?;
        let rows = client.query(&statement, &[&host, &LEASE.as_secs_f64(), &count]).await?;
        rows.iter().map(lane).collect()
    }

    /// Gives lanes back.
    pub async fn release_lanes(&self, host: Uuid, lanes: &[Lane]) -> Result<(), StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let client = self.client().await?;
        let statement =
            client.prepare_cached("UPDATE lane SET owner = NULL WHERE owner = $1 AND lane = ANY($2)").await?;
        client.execute(&statement, &[&host, &lanes]).await?;
        Ok(())
    }

    /// Takes the host off the list of the living.
    pub async fn host_gone(&self, host: Uuid) -> Result<(), StoreError> {
        let client = self.client().await?;
        client.execute("DELETE FROM host WHERE id = $1", &[&host]).await?;
        Ok(())
    }
}

fn lane(row: &Row) -> Result<Lane, StoreError> {
    Ok(Lane(row.try_get(0)?))
}
