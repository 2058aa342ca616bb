//! Sessions of the console.

use super::{Operate, Operator};
use crate::store::{ConsoleSession, OpenSession, StoreError};

impl Operate {
    /// Opens a session with a key, by its SHA-256; tells whether the key is active. Old sessions are deleted meanwhile.
    pub async fn open_console_session(
        &self,
        sha256: &[u8; 32],
        key_sha256: &[u8],
    ) -> Result<bool, StoreError> {
        self.store.prune_console_sessions().await?;
        self.store.open_console_session(sha256, key_sha256).await
    }

    /// The session with this SHA-256, if it is in force; its use is noted.
    pub async fn console_session(&self, sha256: &[u8; 32]) -> Result<Option<ConsoleSession>, StoreError> {
        let session = self.store.console_session(sha256).await?;
        if session.as_ref().is_some_and(|session| session.is_stale) {
            self.store.touch_console_session(sha256).await?;
        }
        Ok(session)
    }

    /// Ends a session.
    pub async fn end_console_session(&self, sha256: &[u8; 32]) -> Result<(), StoreError> {
        self.store.end_console_session(sha256).await
    }

    /// The sessions that are in force, the one used last first.
    pub async fn console_sessions(&self, limit: i64) -> Result<Vec<OpenSession>, StoreError> {
        self.store.console_sessions(limit).await
    }

    /// Ends all sessions that were opened with a key; returns how many.
    pub async fn end_console_sessions(&self, by: &Operator, key: &str) -> Result<usize, StoreError> {
        let act = by.act("session.end", &serde_json::json!({ "key": key }), None);
        self.store.end_console_sessions_of(key, &act).await
    }
}
