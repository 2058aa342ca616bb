//! Writes what happened, in batches, and keeps trying: an outcome is a fact and must not be lost.

use std::{collections::HashMap, time::Duration};

use tokio::sync::mpsc;

use crate::{
    domain::{Delivery, Lane},
    store::{Deferred, Store},
};

const BATCH: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(200);

/// What is to be written about one notification, all or nothing.
#[derive(Debug, Default)]
pub struct Write {
    /// Rows for the delivery log.
    pub deliveries: Vec<Delivery>,
    /// It waits.
    pub deferred: Option<Deferred>,
    /// It waits no more.
    pub done: Option<(Lane, i64)>,
    /// What dispatch hears once it is written.
    pub written: Option<Written>,
}

/// That something is written.
#[derive(Debug)]
pub struct Written {
    /// The notification's place.
    pub place: (Lane, i64),
    /// Its recipient.
    pub recipient: String,
    /// The attempt is over: the recipient's next message may go.
    pub release: bool,
    /// It waits in `deferred` now.
    pub waits: bool,
}

/// Writes until the channel is closed.
pub async fn run(
    store: Store,
    mut writes: mpsc::UnboundedReceiver<Write>,
    written: mpsc::UnboundedSender<Written>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while writes.recv_many(&mut batch, BATCH).await > 0 {
        let mut deliveries = Vec::new();
        let mut told = Vec::new();
        // Of one place the last word counts.
        let mut waiting: HashMap<(Lane, i64), Option<Deferred>> = HashMap::new();
        for write in batch.drain(..) {
            deliveries.extend(write.deliveries);
            waiting.extend(write.deferred.map(|deferred| ((deferred.lane, deferred.seq), Some(deferred))));
            waiting.extend(write.done.map(|place| (place, None)));
            told.extend(write.written);
        }
        let done: Vec<_> =
            waiting.iter().filter(|(_, waits)| waits.is_none()).map(|(place, _)| *place).collect();
        let deferred: Vec<_> = waiting.into_values().flatten().collect();
        while let Err(error) = store.settle(&deliveries, &deferred, &done).await {
            tracing::warn!(%error, rows = deliveries.len(), "failed to write outcomes; trying again");
            tokio::time::sleep(PAUSE).await;
        }
        for place in told {
            // Nobody listens any more only when the host stops.
            let _ = written.send(place);
        }
    }
}
