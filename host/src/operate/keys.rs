//! API keys: listed, created, revoked.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Operate, Operator};
use crate::{
    http::{ApiKey, Grant, is_reserved},
    store::{StoreError, StoredKey},
};

/// An API key, without the key itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyReport {
    /// The name, unique among active keys.
    pub name: String,
    /// What it may be used for: `events`, `read`, `personal`, `operate`, `admin`.
    pub scopes: Vec<String>,
    /// The sources that its events must have or be below; any if empty.
    pub sources: Vec<String>,
    /// Maximum requests per second, per host; null if they are not limited.
    pub rate: Option<i32>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked; null if it is active.
    pub revoked_at: Option<Timestamp>,
}

impl From<StoredKey> for KeyReport {
    fn from(key: StoredKey) -> Self {
        let StoredKey { name, scopes, sources, rate, created_at, revoked_at, .. } = key;
        KeyReport { name, scopes, sources, rate, created_at, revoked_at }
    }
}

impl Operate {
    /// All API keys, the newest last; one that was revoked stays until a new key gets its name.
    pub async fn keys(&self) -> Result<Vec<KeyReport>, StoreError> {
        Ok(self.store.keys().await?.into_iter().map(KeyReport::from).collect())
    }

    /// Creates an API key, records that, and returns the key; only its hash is stored.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if an active key has this name.
    pub async fn create_key(&self, by: &Operator, grant: &Grant) -> Result<String, StoreError> {
        let scopes: Vec<String> = grant.scopes.iter().map(ToString::to_string).collect();
        let what = serde_json::json!({
            "name": grant.name, "scopes": scopes, "sources": grant.sources, "rate": grant.rate,
        });
        ApiKey::grant(&self.store, grant, Some(&by.act("key.create", &what, None))).await
    }

    /// Revokes an API key, and records that; tells whether an active key has this name. Running hosts refuse it within 5
    /// seconds.
    pub async fn revoke_key(&self, by: &Operator, name: &str) -> Result<bool, StoreError> {
        let act = by.act("key.revoke", &serde_json::json!({ "name": name }), None);
        self.store.revoke_key(name, Some(&act)).await
    }
}

/// Checks the name of a new key: it can be part of a URI, the source of events that have none.
///
/// # Errors
/// What is expected.
pub fn check_key_name(name: &str) -> Result<(), String> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if (1..=64).contains(&name.len()) && name.bytes().all(unreserved) {
        return Ok(());
    }
    Err("expected 1 to 64 letters, digits, or - . _ ~".to_owned())
}

/// Checks a source that a new key is bound to.
///
/// # Errors
/// What is expected.
pub fn check_key_source(source: &str) -> Result<(), String> {
    let invisible = |c: char| c.is_whitespace() || c.is_control();
    if source.is_empty() || source.len() > 1_024 || source.contains(invisible) {
        return Err("expected something like /shop: 1 to 1024 bytes without whitespace".to_owned());
    }
    if is_reserved(source) {
        return Err("this source is reserved for the system's own events".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_key_name, check_key_source};

    #[test]
    fn names_and_sources_are_parts_of_uris() {
        assert!(check_key_name("shop-1.a_b~c").is_ok());
        for wrong in ["", "a b", "é", "a/b", &"x".repeat(65)] {
            assert!(check_key_name(wrong).is_err(), "{wrong}");
        }
        assert!(check_key_source("/shop").is_ok());
        for wrong in ["", "/a b", "/a\n", &"x".repeat(1_025)] {
            assert!(check_key_source(wrong).is_err(), "{wrong}");
        }
    }
}
