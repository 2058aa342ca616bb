//! API keys: who may post events, read, or administer.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, StatusCode, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{patience::patiently, problem::Problem};
use crate::store::{Store, StoreError, StoredKey};

/// A revoked key works so long at most.
const REMEMBERED: Duration = Duration::from_secs(5);
/// So many keys at most are remembered.
const MEMORY: usize = 1_000;
const PREFIX: &str = "hsk_";
/// Random bytes of a key.
const RANDOM: usize = 32;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scope {
    /// Post events.
    Events,
    /// Read what came of them.
    Read,
    /// Everything.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Events => "events",
            Scope::Read => "read",
            Scope::Admin => "admin",
        })
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        [Scope::Events, Scope::Read, Scope::Admin]
            .into_iter()
            .find(|scope| scope.to_string() == s)
            .ok_or_else(|| format!("know the scope {s:?}"))
    }
}

/// A new key: shown once, only its SHA-256 is stored.
pub struct ApiKey;

impl ApiKey {
    /// Makes a key with this name, and returns it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a key of this name is in force.
    pub async fn create(store: &Store, name: &str, scopes: &[Scope]) -> Result<String, StoreError> {
        let key = new_key();
        store.create_key(name, &digest(&key), &in_words(scopes)).await?;
        Ok(key)
    }

    /// Makes a key with this name in place of the one that has it, and returns it.
    ///
    /// # Errors
    /// Where the database cannot be reached.
    pub async fn replace(store: &Store, name: &str, scopes: &[Scope]) -> Result<String, StoreError> {
        let key = new_key();
        store.replace_key(name, &digest(&key), &in_words(scopes)).await?;
        Ok(key)
    }
}

fn new_key() -> String {
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; RANDOM]>()))
}

fn in_words(scopes: &[Scope]) -> Vec<String> {
    scopes.iter().map(ToString::to_string).collect()
}

/// Whether a text can be a key: one that cannot needs no query.
fn is_key(text: &str) -> bool {
    let random = text.strip_prefix(PREFIX).and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    random.is_some_and(|bytes| bytes.len() == RANDOM)
}

fn digest(key: &str) -> [u8; 32] {
    // 256 random bits need no slow hash.
    Sha256::digest(key.as_bytes()).into()
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key's name.
    pub name: Arc<str>,
    scopes: Arc<[Scope]>,
}

impl Caller {
    /// Whether the key may be used for this.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| *held == scope || *held == Scope::Admin)
    }
}

/// By SHA-256: who it is, and until when that may be believed.
type Known = HashMap<[u8; 32], (Caller, Instant)>;

/// Looks keys up, and remembers them for some seconds.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    known: Arc<Mutex<Known>>,
}

impl Keys {
    /// Over this database.
    pub fn new(store: Store) -> Keys {
        Keys { store, known: Arc::default() }
    }

    /// Who asks, if the key is one of ours and has the scope.
    ///
    /// # Errors
    /// 401 without a valid key, 403 where it lacks the scope, 503 without a database.
    pub async fn require(&self, headers: &HeaderMap, scope: Scope) -> Result<Caller, Problem> {
        let caller = self.caller(headers).await?;
        if caller.may(scope) {
            return Ok(caller);
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "scope_missing",
            format!(
                "the key {:?} lacks the scope {scope}; make one with hookswitch keys create NAME --scope {scope}",
                caller.name
            ),
        ))
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let key = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .map(|(_, key)| key.trim());
        let Some(key) = key else {
            return Err(unauthorized("no API key: send it as Authorization: Bearer hsk_…"));
        };
        if !is_key(key) {
            return Err(unknown());
        }
        let digest = digest(key);
        let now = Instant::now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some((caller, until)) = known
            && now < until
        {
            return Ok(caller);
        }
        let stored = patiently(|| self.store.find_key(&digest)).await?;
        let Some(StoredKey { name, sha256, scopes, .. }) = stored else {
            return Err(unknown());
        };
        if !bool::from(sha256.ct_eq(&digest)) {
            return Err(unknown());
        }
        let scopes = scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
        let caller = Caller { name: name.into(), scopes };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MEMORY {
            known.retain(|_, (_, until)| now < *until);
        }
        if known.len() < MEMORY {
            known.insert(digest, (caller.clone(), now + REMEMBERED));
        }
        Ok(caller)
    }
}

fn unknown() -> Problem {
    unauthorized("this API key is unknown or revoked; hookswitch keys list shows those in force")
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn only_texts_like_keys_are_looked_up() {
        assert!(is_key(&format!("hsk_{}", BASE64_URL_SAFE_NO_PAD.encode([7; 32]))));
        for no in
            ["", "hsk_", "hsk_short", "Basic", &format!("hsk_{}", BASE64_URL_SAFE_NO_PAD.encode([7; 33]))]
        {
            assert!(!is_key(no), "{no}");
        }
    }

    #[test]
    fn scopes_go_both_ways() {
        for scope in [Scope::Events, Scope::Read, Scope::Admin] {
            assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
        }
        assert!("write".parse::<Scope>().is_err());
    }
}
