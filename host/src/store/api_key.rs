//! API keys.

use super::{Store, StoreError};

/// A key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Unique.
    pub name: String,
    /// SHA-256 of the key.
    pub sha256: Vec<u8>,
    /// `events`, `read`, `admin`.
    pub scopes: Vec<String>,
    /// Sources that its events must have or be below; any if empty.
    pub sources: Vec<String>,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<jiff::Timestamp>,
}

impl Store {
    /// Stores a new key, in the place of a revoked one of this name.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a key of this name is in force.
    pub async fn create_key(
        &self,
        name: &str,
        sha256: &[u8; 32],
        scopes: &[String],
        sources: &[String],
    ) -> Result<(), StoreError> {
        let stored = self
            .client()
            .await?
            .execute(
                "INSERT INTO api_key (name, sha256, scopes, sources) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (name) DO UPDATE
                 SET sha256 = excluded.sha256, scopes = excluded.scopes, sources = excluded.sources,
                     created_at = now(), revoked_at = NULL
                 WHERE api_key.revoked_at IS NOT NULL",
                &[&name, &sha256.as_slice(), &scopes, &sources],
            )
            .await?;
        if stored == 0 {
            return Err(StoreError::Conflict(format!("an active key named {name:?} exists")));
        }
        Ok(())
    }

    /// Gives a name a new key in place of the old one.
    pub async fn replace_key(
        &self,
        name: &str,
        sha256: &[u8; 32],
        scopes: &[String],
    ) -> Result<(), StoreError> {
        self.client()
            .await?
            .execute(
                "INSERT INTO api_key (name, sha256, scopes) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE
                 SET sha256 = excluded.sha256, scopes = excluded.scopes, sources = excluded.sources,
                     created_at = now(), revoked_at = NULL",
                &[&name, &sha256.as_slice(), &scopes],
            )
            .await?;
        Ok(())
    }

    /// The keys that are not revoked.
    pub async fn keys_in_force(&self) -> Result<Vec<StoredKey>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT name, sha256, scopes, sources, created_at, revoked_at FROM api_key
                 WHERE revoked_at IS NULL",
            )
            .await?;
        client.query(&statement, &[]).await?.iter().map(stored_key).collect()
    }

    /// All keys, the newest last.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT name, sha256, scopes, sources, created_at, revoked_at FROM api_key ORDER BY id",
                &[],
            )
            .await?;
        rows.iter().map(stored_key).collect()
    }

    /// Revokes a key; tells whether there was one to revoke.
    pub async fn revoke_key(&self, name: &str) -> Result<bool, StoreError> {
        let revoked = self
            .client()
            .await?
            .execute("UPDATE api_key SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL", &[&name])
            .await?;
        Ok(revoked > 0)
    }
}

fn stored_key(row: &tokio_postgres::Row) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        name: row.try_get(0)?,
        sha256: row.try_get(1)?,
        scopes: row.try_get(2)?,
        sources: row.try_get(3)?,
        created_at: row.try_get(4)?,
        revoked_at: row.try_get(5)?,
    })
}
