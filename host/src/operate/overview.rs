//! What waits.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use hookswitch_core::domain::{LANES, Lane, Priority, Track};
use tokio::sync::Mutex;

use super::Operate;
use crate::store::{Counted, EventsWaiting, StoreError};

/// Maximum number that is counted of each lane.
const COUNTED: i64 = 100;
/// So long the same answer is given to all who ask.
const FRESH: Duration = Duration::from_secs(1);

/// What waits.
pub struct Overview {
    /// Events that are not routed yet.
    pub events: EventsWaiting,
    /// Number of messages that wait, by reason.
    pub messages: HashMap<String, Counted>,
}

/// The last answer.
pub(super) type Kept = Arc<Mutex<Option<(Instant, Arc<Overview>)>>>;

impl Operate {
    /// What waits, of all lanes; at most 100 of each are counted. It may be a second old: many look at once, and where much
    /// waits, counting takes a while.
    pub async fn overview(&self) -> Result<Arc<Overview>, StoreError> {
        // Whoever comes while it is counted waits for the same answer.
        let mut kept = self.overview.lock().await;
        if let Some((at, overview)) = kept.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(overview.clone());
        }
        let lanes: Vec<Lane> = (0..LANES).map(Lane).collect();
        let tracks: Vec<Track> =
            lanes.iter().flat_map(|lane| Priority::ALL.map(|priority| Track::new(*lane, priority))).collect();
        let (events, messages) = tokio::try_join!(
            self.store.events_waiting(&lanes, COUNTED),
            self.store.messages_waiting(&tracks, COUNTED)
        )?;
        let overview = Arc::new(Overview { events, messages });
        *kept = Some((Instant::now(), overview.clone()));
        Ok(overview)
    }
}
