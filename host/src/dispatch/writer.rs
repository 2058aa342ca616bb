//! Writes what happened, in batches, and keeps trying: an outcome is a fact and must not be lost.

use std::{collections::BTreeMap, mem, time::Duration};

use hookswitch_core::domain::Delivery;
use tokio::{sync::mpsc, time::sleep};

use super::job::Place;
use crate::{
    commit::Halves,
    store::{Deferred, Done, Store, StoreError},
};

const BATCH: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(200);
/// The messages of one moment have their answers one by one: the first few outcomes wait so long for the others.
const LINGER: Duration = Duration::from_millis(5);
/// Fewer outcomes than this are few.
const FEW: usize = 16;

/// What is to be written about one notification, all or nothing.
#[derive(Debug, Default)]
pub struct Write {
    /// Rows for the delivery log.
    pub deliveries: Vec<Delivery>,
    /// It waits.
    pub deferred: Option<Deferred>,
    /// It waits no more.
    pub done: Option<Done>,
    /// The number or user id that wants no marketing: Meta refused it for that.
    pub opted_out: Option<String>,
    /// The place of which dispatch hears that this is written.
    pub written: Option<Place>,
}

enum Waits<'a> {
    On(&'a Deferred),
    NoMore(&'a Done),
}

/// Writes until the channel is closed. What PostgreSQL refuses for good is told in the log and given up, alone: it must
/// not keep the others from being written.
pub async fn run(
    store: Store,
    mut writes: mpsc::UnboundedReceiver<Write>,
    written: mpsc::UnboundedSender<Place>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while writes.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < FEW {
            sleep(LINGER).await;
            while batch.len() < BATCH
                && let Ok(write) = writes.try_recv()
            {
                batch.push(write);
            }
        }
        let mut parts = Halves::of(mem::take(&mut batch));
        while let Some(part) = parts.next() {
            match settle(&store, &part).await {
                Ok(()) => tell(&written, part),
                Err(error @ (StoreError::Statement(_) | StoreError::Row(_) | StoreError::Conflict(_))) => {
                    tracing::warn!(%error, writes = part.len(), "failed to write outcomes");
                    if let Some(refused) = parts.refused(part) {
                        tracing::error!(%error, deliveries = ?refused.deliveries, "failed to write an outcome; given up");
                        tell(&written, vec![refused]);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, writes = part.len(), "failed to write outcomes; trying again");
                    parts.again(part);
                    if !matches!(error, StoreError::Contention(_)) {
                        sleep(PAUSE).await;
                    }
                }
            }
        }
    }
}

async fn settle(store: &Store, writes: &[Write]) -> Result<(), StoreError> {
    let deliveries: Vec<_> = writes.iter().flat_map(|write| &write.deliveries).collect();
    let opted_out: Vec<_> = writes.iter().filter_map(|write| write.opted_out.as_deref()).collect();
    // Of one place the last word counts. In the order of the log: two who write the same rows wait for each other,
    // and not in a circle.
    let mut waiting: BTreeMap<Place, Waits> = BTreeMap::new();
    for write in writes {
        let on = write.deferred.as_ref().map(|row| ((row.track, row.seq), Waits::On(row)));
        waiting.extend(on);
        waiting.extend(write.done.as_ref().map(|done| (done.place, Waits::NoMore(done))));
    }
    let (mut deferred, mut done) = (Vec::new(), Vec::new());
    for waits in waiting.into_values() {
        match waits {
            Waits::On(row) => deferred.push(row),
            Waits::NoMore(row) => done.push(row),
        }
    }
    store.settle(&deliveries, &deferred, &done, &opted_out).await
}

fn tell(written: &mpsc::UnboundedSender<Place>, part: Vec<Write>) {
    for place in part.into_iter().filter_map(|write| write.written) {
        // Nobody listens any more only when the host stops.
        let _ = written.send(place);
    }
}
