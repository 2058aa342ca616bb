//! Events that were parked when a plugin failed, and how they are run again.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Operate, Operator};
use crate::store::{ParkedFacts, StoreError};

/// Maximum number of events that are counted of each plugin.
const COUNTED: i64 = crate::store::COUNTED;

/// The events that are parked for one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ParkedEvents {
    /// The plugin's id.
    pub plugin: String,
    /// Number of events, counted up to 10,000.
    pub events: i64,
    /// Whether there may be more than `events`.
    pub more: bool,
    /// Since when the first of those counted is parked.
    pub since: Timestamp,
}

impl From<ParkedFacts> for ParkedEvents {
    fn from(ParkedFacts { plugin, count, since }: ParkedFacts) -> Self {
        ParkedEvents { plugin, events: count, more: count >= COUNTED, since }
    }
}

impl Operate {
    /// The events that are parked, by plugin.
    pub async fn parked(&self) -> Result<Vec<ParkedEvents>, StoreError> {
        Ok(self.store.parked().await?.into_iter().map(ParkedEvents::from).collect())
    }

    /// Has the parked events of a plugin run again and its newest revision called again, and returns how many events there
    /// are; 0 if none is parked. Hosts take them up within a second.
    pub async fn resume_plugin(&self, by: &Operator, plugin: &str) -> Result<u64, StoreError> {
        let act = by.act("plugin.resume", &serde_json::json!({ "plugin": plugin }), None);
        let resumed = self.store.resume_parked(plugin, Some(&act)).await?;
        if resumed > 0 {
            self.store.notify().await?;
        }
        Ok(resumed)
    }
}
