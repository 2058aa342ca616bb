//! API keys, and what each may be used for.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, StatusCode, header};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::{
    sync::Semaphore,
    time::{sleep_until, timeout},
};

use super::{Problem, is_within, rate::Buckets};
use crate::{
    commit::{PATIENCE, Pauses},
    store::{Act, NewStoredKey, Store, StoreError, StoredKey},
};

/// How long a revoked key may still work.
const REMEMBERED: Duration = Duration::from_secs(5);
/// From this age on, known keys are read again while they are still believed, so that no request waits for that.
const REFRESHED: Duration = Duration::from_secs(2);
/// The time between two reads of the keys.
const PACE: Duration = Duration::from_millis(200);
const PREFIX: &str = "hsk_";
/// Random bytes of a key.
const RANDOM: usize = 32;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scope {
    /// Post events
    Events,
    /// List events and messages, and read their history
    Read,
    /// See numbers and texts in lists of messages
    Personal,
    /// Act on messages: redrive, discard, resolve, rerun, send
    Operate,
    /// Everything, people and groups included
    Admin,
}

impl Scope {
    /// Whether a key with this scope has the other one; `admin` includes all others.
    pub fn includes(self, other: Scope) -> bool {
        self == other || self == Scope::Admin
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Events => "events",
            Scope::Read => "read",
            Scope::Personal => "personal",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
        })
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        [Scope::Events, Scope::Read, Scope::Personal, Scope::Operate, Scope::Admin]
            .into_iter()
            .find(|scope| scope.to_string() == s)
            .ok_or_else(|| format!("unknown scope {s:?}"))
    }
}

/// What a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The name of the key.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The sources that its events must have or be below; any if empty.
    pub sources: Vec<String>,
    /// Maximum requests per second, per host; not limited if `None`.
    pub rate: Option<u32>,
}

/// A new key: shown once, only its SHA-256 is stored.
pub struct ApiKey;

impl ApiKey {
    /// Creates a key with this name and returns it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if an active key has this name.
    pub async fn create(store: &Store, name: &str, scopes: &[Scope]) -> Result<String, StoreError> {
        ApiKey::bound(store, name, scopes, &[]).await
    }

    /// Like [`ApiKey::create`], but bound to events of these sources and those below them; an empty list binds it to none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if an active key has this name.
    pub async fn bound(
        store: &Store,
        name: &str,
        scopes: &[Scope],
        sources: &[String],
    ) -> Result<String, StoreError> {
        let (name, scopes, sources) = (name.to_owned(), scopes.to_vec(), sources.to_vec());
        ApiKey::grant(store, &Grant { name, scopes, sources, rate: None }, None).await
    }

    /// Creates a key that may do this, records the act of an operator, and returns the key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if an active key has this name.
    pub async fn grant(store: &Store, grant: &Grant, act: Option<&Act>) -> Result<String, StoreError> {
        let key = new_key();
        let new = NewStoredKey {
            name: &grant.name,
            sha256: &digest(&key),
            scopes: &in_words(&grant.scopes),
            sources: &grant.sources,
            rate: grant.rate.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX)),
        };
        store.create_key(&new, act).await?;
        Ok(key)
    }

    /// Creates a key with this name, replacing the active one, and returns it.
    ///
    /// # Errors
    /// If the database cannot be reached.
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

/// Whether a text has the form of a key. Others need no query.
fn is_key(text: &str) -> bool {
    let random = text.strip_prefix(PREFIX).and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    random.is_some_and(|bytes| bytes.len() == RANDOM)
}

/// The SHA-256 of a key, if the text has the form of one.
pub fn key_digest(text: &str) -> Option<[u8; 32]> {
    is_key(text).then(|| digest(text))
}

fn digest(key: &str) -> [u8; 32] {
    // 256 random bits need no slow hash.
    Sha256::digest(key.as_bytes()).into()
}

/// The holder of the key that a request was made with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Holder>);

#[derive(Debug)]
struct Holder {
    name: String,
    scopes: Vec<Scope>,
    sources: Vec<String>,
    /// Maximum requests per second.
    rate: Option<u32>,
}

impl Caller {
    /// The key's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether the key has this scope; `admin` includes all others.
    pub fn may(&self, scope: Scope) -> bool {
        self.0.scopes.iter().any(|held| held.includes(scope))
    }

    /// The sources that the key is bound to; if empty, any source that is not reserved.
    pub fn sources(&self) -> &[String] {
        &self.0.sources
    }

    /// Whether the key may give another key these scopes and sources: only those that it has itself.
    pub fn may_grant(&self, grant: &Grant) -> bool {
        let is_bound = !grant.sources.is_empty() || self.sources().is_empty();
        is_bound
            && grant.scopes.iter().all(|scope| self.may(*scope))
            && grant.sources.iter().all(|source| self.may_use(source))
    }

    /// Whether the key may post events with this source.
    pub fn may_use(&self, source: &str) -> bool {
        self.sources().is_empty() || self.sources().iter().any(|top| is_within(source, top))
    }

    /// The source of events posted without one: the first that the key is bound to, or `/keys/NAME`.
    pub fn default_source(&self) -> String {
        self.sources().first().cloned().unwrap_or_else(|| format!("/keys/{}", self.name()))
    }
}

/// The active keys at one time, by SHA-256.
#[derive(Default)]
struct Snapshot {
    /// When the query was sent; `None` before the first.
    asked_at: Option<Instant>,
    callers: HashMap<[u8; 32], (Vec<u8>, Caller)>,
}

impl Snapshot {
    fn age(&self) -> Option<Duration> {
        self.asked_at.map(|at| at.elapsed())
    }
}

/// The active keys. All are read at once, at most five times a second and by one task at a time, so unknown keys put no
/// load on the database. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    known: Arc<ArcSwap<Snapshot>>,
    /// The turn to read them.
    turn: Arc<Semaphore>,
    /// What keys with a limit may still ask for.
    buckets: Arc<Buckets>,
}

impl Keys {
    /// The keys of this database.
    pub fn new(store: Store) -> Keys {
        Keys { store, known: Arc::default(), turn: Arc::new(Semaphore::new(1)), buckets: Arc::default() }
    }

    /// Returns the caller if their key is active and has all of these scopes.
    ///
    /// # Errors
    /// 401 without an active key, 403 if it lacks a scope, 429 if it has made too many requests, 503 if the database cannot be
    /// reached.
    pub async fn require(&self, headers: &HeaderMap, scopes: &[Scope]) -> Result<Caller, Problem> {
        let (caller, digest) = self.caller(headers).await?;
        if let Some(rate) = caller.0.rate {
            self.buckets.take(&digest, rate, Instant::now()).map_err(|wait| {
                let detail =
                    format!("The key {:?} may make at most {rate} requests per second.", caller.name());
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).retry_after(wait)
            })?;
        }
        match scopes.iter().find(|scope| !caller.may(**scope)) {
            None => Ok(caller),
            Some(scope) => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "scope_missing",
                format!("The key {:?} lacks the scope {scope}.", caller.name()),
            )),
        }
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<(Caller, [u8; 32]), Problem> {
        let key = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .map(|(_, key)| key.trim());
        let Some(key) = key else {
            return Err(unauthorized(
                "The request has no API key; send it as `Authorization: Bearer hsk_…`.",
            ));
        };
        if !is_key(key) {
            return Err(unknown());
        }
        let digest = digest(key);
        let arrived = Instant::now();
        let known = self.known.load();
        match known.age() {
            Some(age) if age < REMEMBERED => {
                if let Some(caller) = find(&known, &digest) {
                    if age > REFRESHED {
                        self.refresh_in_background();
                    }
                    return Ok((caller, digest));
                }
            }
            Some(_) | None => {}
        }
        drop(known);
        // The key may be newer than the last read.
        timeout(PATIENCE, self.refresh(arrived)).await.map_err(|_| Problem::unavailable())?;
        find(&self.known.load(), &digest).map(|caller| (caller, digest)).ok_or_else(unknown)
    }

    /// Returns when the keys have been read at this time or later.
    async fn refresh(&self, at: Instant) {
        let mut pauses = Pauses::default();
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        loop {
            let known = self.known.load().asked_at;
            if known.is_some_and(|asked| asked >= at) {
                return;
            }
            if let Some(asked) = known {
                sleep_until((asked + PACE).into()).await;
            }
            match self.read().await {
                Ok(snapshot) => self.known.store(Arc::new(snapshot)),
                Err(error) => {
                    tracing::warn!(%error, "failed to read the API keys; trying again");
                    pauses.wait().await;
                }
            }
        }
    }

    fn refresh_in_background(&self) {
        let Ok(turn) = self.turn.clone().try_acquire_owned() else { return };
        let keys = self.clone();
        tokio::spawn(async move {
            match keys.read().await {
                Ok(snapshot) => keys.known.store(Arc::new(snapshot)),
                Err(error) => tracing::debug!(%error, "failed to read the API keys ahead of time"),
            }
            drop(turn);
        });
    }

    async fn read(&self) -> Result<Snapshot, StoreError> {
        let asked_at = Some(Instant::now());
        let stored = self.store.keys_in_force().await?;
        let callers =
            stored.into_iter().filter_map(|StoredKey { name, sha256, scopes, sources, rate, .. }| {
                let digest = sha256.as_slice().try_into().ok()?;
                let scopes = scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
                let rate = rate.and_then(|rate| u32::try_from(rate).ok());
                Some((digest, (sha256, Caller(Arc::new(Holder { name, scopes, sources, rate })))))
            });
        let callers: HashMap<_, _> = callers.collect();
        self.buckets.keep(|digest| callers.contains_key(digest));
        Ok(Snapshot { asked_at, callers })
    }
}

fn find(known: &Snapshot, digest: &[u8; 32]) -> Option<Caller> {
    let (sha256, caller) = known.callers.get(digest)?;
    bool::from(sha256.ct_eq(digest)).then(|| caller.clone())
}

fn unknown() -> Problem {
    unauthorized("The API key is unknown or revoked.")
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
        for scope in [Scope::Events, Scope::Read, Scope::Personal, Scope::Operate, Scope::Admin] {
            assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
        }
        assert!("write".parse::<Scope>().is_err());
    }
}
