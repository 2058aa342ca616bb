//! What waits: listed, and withdrawn by key.

use hookswitch_core::domain::MOST_KEY;
use serde_json::json;

use super::{Operate, Operator};
use crate::store::{DeferredFacts, StoreError};

impl Operate {
    /// How many messages wait, by reason; of each at most `limit` are counted.
    pub async fn waiting(&self, limit: i64) -> Result<Vec<DeferredFacts>, StoreError> {
        self.store.deferred_facts(limit).await
    }

    /// Withdraws the messages of all events so far with this key that are not sent yet. Returns how many of them waited
    /// for their time.
    pub async fn withdraw(&self, by: &Operator, key: &str, reason: Option<&str>) -> Result<u64, StoreError> {
        let act = by.act("waiting.withdraw", &json!({ "key": key }), reason);
        let why = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let words = format!("withdrawn by {}{why}: key {key}", by.name());
        let waited = self.store.withdraw_by_hand(key, &words, &act).await?;
        self.store.notify().await?;
        Ok(waited)
    }
}

/// What is wrong with a key that an operator gave, if anything.
pub fn wrong_key(key: &str) -> Option<String> {
    let length = key.chars().count();
    (length == 0 || length > MOST_KEY || key.contains('\0'))
        .then(|| format!("a key has 1 to {MOST_KEY} characters, got {length}"))
}
