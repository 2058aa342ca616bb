//! API keys.

use super::{Act, Store, StoreError};

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
    /// Maximum requests per second, per host.
    pub rate: Option<i32>,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<jiff::Timestamp>,
}

/// A key to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewStoredKey<'a> {
    /// Unique.
    pub name: &'a str,
    /// SHA-256 of the key.
    pub sha256: &'a [u8; 32],
    /// Its scopes.
    pub scopes: &'a [String],
    /// Sources that its events must have or be below; any if empty.
    pub sources: &'a [String],
    /// Maximum requests per second, per host.
    pub rate: Option<i32>,
}

impl Store {
    /// Stores a new key, in the place of a revoked one of this name.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a key of this name is in force.
    pub async fn create_key(&self, new: &NewStoredKey<'_>, act: Option<&Act>) -> Result<(), StoreError> {
        let NewStoredKey { name, sha256, scopes, sources, rate } = new;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let stored = transaction
            .execute(
                "INSERT INTO api_key (name, sha256, scopes, sources, rate) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (name) DO UPDATE
                 SET sha256 = excluded.sha256, scopes = excluded.scopes, sources = excluded.sources,
                     rate = excluded.rate, created_at = now(), revoked_at = NULL
                 WHERE api_key.revoked_at IS NOT NULL",
                &[name, &sha256.as_slice(), scopes, sources, rate],
            )
            .await?;
        if stored == 0 {
            return Err(StoreError::Conflict(format!("an active key named {name:?} exists")));
        }
        if let Some(act) = act {
            act.record_count(&transaction, 1).await?;
        }
        transaction.commit().await
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
                     rate = NULL, created_at = now(), revoked_at = NULL",
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
                "SELECT name, sha256, scopes, sources, rate, created_at, revoked_at FROM api_key
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
                "SELECT name, sha256, scopes, sources, rate, created_at, revoked_at FROM api_key ORDER BY id",
                &[],
            )
            .await?;
        rows.iter().map(stored_key).collect()
    }

    /// Revokes a key, and records that if it is an operator's act; tells whether there was one to revoke.
    pub async fn revoke_key(&self, name: &str, act: Option<&Act>) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let revoked = transaction
            .execute("UPDATE api_key SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL", &[&name])
            .await?;
        if let Some(act) = act {
            act.record_count(&transaction, usize::try_from(revoked).unwrap_or(usize::MAX)).await?;
        }
        transaction.commit().await?;
        Ok(revoked > 0)
    }
}

fn stored_key(row: &tokio_postgres::Row) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        name: row.try_get(0)?,
        sha256: row.try_get(1)?,
        scopes: row.try_get(2)?,
        sources: row.try_get(3)?,
        rate: row.try_get(4)?,
        created_at: row.try_get(5)?,
        revoked_at: row.try_get(6)?,
    })
}
