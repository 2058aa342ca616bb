//! What waits.

use std::collections::HashMap;

use hookswitch_core::domain::{LANES, Lane, Priority, Track};

use super::Operate;
use crate::store::{EventsWaiting, StoreError};

/// Maximum number that is counted of each lane.
const COUNTED: i64 = 1_000;

/// What waits.
pub struct Overview {
    /// Events that are not routed yet.
    pub events: EventsWaiting,
    /// Number of messages that wait, by reason.
    pub messages: HashMap<String, i64>,
}

impl Operate {
    /// What waits, of all lanes; at most 1,000 of each are counted.
    pub async fn overview(&self) -> Result<Overview, StoreError> {
        let lanes: Vec<Lane> = (0..LANES).map(Lane).collect();
        let tracks: Vec<Track> =
            lanes.iter().flat_map(|lane| Priority::ALL.map(|priority| Track::new(*lane, priority))).collect();
        let events = self.store.events_waiting(&lanes, COUNTED).await?;
        let messages = self.store.messages_waiting(&tracks, COUNTED).await?;
        Ok(Overview { events, messages })
    }
}
