//! Leases of lanes: which host reads which lane, and until when.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::{LANES, Lane};

/// How long a lease lasts without renewal.
pub const LEASE: Duration = Duration::from_secs(15);

impl Store {
    /// Says that this host lives, with which release of the rules, and forgets hosts that have not for an hour.
    pub async fn host_seen(&self, host: Uuid, name: &str, release: &str) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH gone AS (DELETE FROM host WHERE seen_at < now() - interval '1 hour')
                 INSERT INTO host (id, name, release, version) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (id) DO UPDATE SET seen_at = now(), release = excluded.release",
            )
            .await?;
        client.execute(&statement, &[&host, &name, &release, &env!("CARGO_PKG_VERSION")]).await?;
        Ok(())
    }

    /// The hosts that are on the list, with their names.
    pub async fn hosts(&self) -> Result<Vec<(Uuid, String)>, StoreError> {
        let rows = self.client().await?.query("SELECT id, name FROM host", &[]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
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
