//! Sessions of the console: opened with an API key, ended by logging out, by revoking the key, or by 12 hours without use.

use jiff::Timestamp;
use serde::Serialize;

use super::{Act, Store, StoreError};

/// A session that is in force.
#[derive(Clone, Debug)]
pub struct ConsoleSession {
    /// The name of its key.
    pub key: String,
    /// What the key may be used for.
    pub scopes: Vec<String>,
    /// Whether its last use is to be written down.
    pub is_stale: bool,
}

/// A session as operators see it.
#[derive(Clone, Debug, Serialize)]
pub struct OpenSession {
    /// The name of its key.
    pub key: String,
    /// When somebody logged in.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
}

impl Store {
    /// Opens a session with a key, by its SHA-256; tells whether the key is active.
    pub async fn open_console_session(
        &self,
        sha256: &[u8; 32],
        key_sha256: &[u8],
    ) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "INSERT INTO console_session (sha256, key_id, key_sha256)
                 SELECT $1, id, sha256 FROM api_key WHERE sha256 = $2 AND revoked_at IS NULL",
            )
            .await?;
        Ok(client.execute(&statement, &[&sha256.as_slice(), &key_sha256]).await? == 1)
    }

    /// The session with this SHA-256, if it is in force.
    pub async fn console_session(&self, sha256: &[u8; 32]) -> Result<Option<ConsoleSession>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT k.name, k.scopes, s.used_at < now() - interval '1 minute'
                 FROM console_session s
                 JOIN api_key k ON k.id = s.key_id AND k.sha256 = s.key_sha256 AND k.revoked_at IS NULL
                 WHERE s.sha256 = $1 AND s.used_at > now() - interval '12 hours'",
            )
            .await?;
        let row = client.query_opt(&statement, &[&sha256.as_slice()]).await?;
        row.map(|row| {
            Ok(ConsoleSession { key: row.try_get(0)?, scopes: row.try_get(1)?, is_stale: row.try_get(2)? })
        })
        .transpose()
    }

    /// Notes that a session is in use.
    pub async fn touch_console_session(&self, sha256: &[u8; 32]) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement =
            client.prepare_cached("UPDATE console_session SET used_at = now() WHERE sha256 = $1").await?;
        client.execute(&statement, &[&sha256.as_slice()]).await?;
        Ok(())
    }

    /// Ends a session.
    pub async fn end_console_session(&self, sha256: &[u8; 32]) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached("DELETE FROM console_session WHERE sha256 = $1").await?;
        client.execute(&statement, &[&sha256.as_slice()]).await?;
        Ok(())
    }

    /// Deletes the oldest sessions that have not been used for 12 hours, at most 100.
    pub async fn prune_console_sessions(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "DELETE FROM console_session WHERE sha256 IN (
                     SELECT sha256 FROM console_session WHERE used_at < now() - interval '12 hours'
                     ORDER BY used_at LIMIT 100)",
            )
            .await?;
        client.execute(&statement, &[]).await?;
        Ok(())
    }

    /// The sessions that are in force, the one used last first.
    pub async fn console_sessions(&self, limit: i64) -> Result<Vec<OpenSession>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT k.name, s.created_at, s.used_at
                 FROM console_session s
                 JOIN api_key k ON k.id = s.key_id AND k.sha256 = s.key_sha256 AND k.revoked_at IS NULL
                 WHERE s.used_at > now() - interval '12 hours'
                 ORDER BY s.used_at DESC, s.sha256 LIMIT $1",
            )
            .await?;
        let rows = client.query(&statement, &[&limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(OpenSession {
                    key: row.try_get(0)?,
                    created_at: row.try_get(1)?,
                    used_at: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// Ends all sessions of a key; returns how many.
    pub async fn end_console_sessions_of(&self, key: &str, act: &Act) -> Result<usize, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let ended = transaction
            .execute(
                "DELETE FROM console_session WHERE key_id = (SELECT id FROM api_key WHERE name = $1)",
                &[&key],
            )
            .await?;
        let ended = usize::try_from(ended).unwrap_or(usize::MAX);
        act.record_count(&transaction, ended).await?;
        transaction.commit().await?;
        Ok(ended)
    }
}
