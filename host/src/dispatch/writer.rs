//! Writes what happened, in batches, and keeps trying: an outcome is a fact and must not be lost.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::mpsc;

use super::job::Place;
use crate::{
    domain::Delivery,
    store::{Deferred, Done, Store, StoreError},
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
    pub done: Option<Done>,
    /// The number or user id that wants no marketing: Meta refused it for that.
    pub opted_out: Option<String>,
    /// The place of which dispatch hears that this is written.
    pub written: Option<Place>,
}

enum Waits {
    On(Deferred),
    NoMore(Done),
}

/// Writes until the channel is closed.
pub async fn run(
    store: Store,
    mut writes: mpsc::UnboundedReceiver<Write>,
    written: mpsc::UnboundedSender<Place>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while writes.recv_many(&mut batch, BATCH).await > 0 {
        let mut deliveries = Vec::new();
        let mut opted_out = Vec::new();
        let mut told = Vec::new();
        // Of one place the last word counts. In the order of the log: two who write the same rows wait for each other,
        // and not in a circle.
        let mut waiting: BTreeMap<Place, Waits> = BTreeMap::new();
        for write in batch.drain(..) {
            deliveries.extend(write.deliveries);
            waiting
                .extend(write.deferred.map(|deferred| ((deferred.track, deferred.seq), Waits::On(deferred))));
            waiting.extend(write.done.map(|done| (done.place, Waits::NoMore(done))));
            opted_out.extend(write.opted_out);
            told.extend(write.written);
        }
        let (mut deferred, mut done) = (Vec::new(), Vec::new());
        for waits in waiting.into_values() {
            match waits {
                Waits::On(row) => deferred.push(row),
                Waits::NoMore(row) => done.push(row),
            }
        }
        settle(&store, &deliveries, &deferred, &done, &opted_out).await;
        for place in told {
            // Nobody listens any more only when the host stops.
            let _ = written.send(place);
        }
    }
}

/// Writes until it is written. What PostgreSQL refuses for good is told in the log and given up, alone: it must
/// not keep the others from being written.
async fn settle(
    store: &Store,
    deliveries: &[Delivery],
    deferred: &[Deferred],
    done: &[Done],
    opted_out: &[String],
) {
    loop {
        match store.settle(deliveries, deferred, done, opted_out).await {
            Ok(()) => return,
            Err(StoreError::Statement(error)) => {
                tracing::error!(%error, rows = deliveries.len(), "failed to write outcomes; writing them one by one");
                break;
            }
            Err(error) => {
                tracing::warn!(%error, rows = deliveries.len(), "failed to write outcomes; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    let one_by_one = deliveries
        .chunks(1)
        .map(|row| (row, &[][..], &[][..]))
        .chain(deferred.chunks(1).map(|row| (&[][..], row, &[][..])))
        .chain(done.chunks(1).map(|place| (&[][..], &[][..], place)));
    for (delivery, waits, place) in one_by_one {
        while let Err(error) = store.settle(delivery, waits, place, opted_out).await {
            if let StoreError::Statement(error) = error {
                tracing::error!(error, ?delivery, "failed to write an outcome; given up");
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
