//! One writer: whatever has queued while the last commit was on its way goes into the next one, so an idle
//! host waits for nobody and a busy one commits many events at once.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};

use super::attributes::Checked;
use crate::store::{NewEvent, Store, StoreError, StoredEvents};

/// Requests that wait to be written; more wait for a place.
pub const QUEUE: usize = 4_096;
/// Requests in one commit.
const BATCH: usize = 1_000;
/// How long a commit is tried before its requests are told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// The events of one request.
pub struct Request {
    /// In order.
    pub events: Vec<Checked>,
    /// Hears what came of them.
    pub answer: oneshot::Sender<Answer>,
}

/// What came of a request.
pub enum Answer {
    /// All are on disk.
    Accepted(Vec<Checked>),
    /// These, by their place in the request, differ from an event of the same `source` and `id`; the others
    /// are on disk.
    Conflicts(Vec<Checked>, Vec<usize>),
    /// Nothing can be written now.
    Unavailable,
    /// PostgreSQL refuses it.
    Refused,
}

/// Writes until the channel is closed.
pub async fn run(store: Store, mut requests: mpsc::Receiver<Request>, grew: Arc<dyn Fn() + Send + Sync>) {
    let mut batch = Vec::new();
    while requests.recv_many(&mut batch, BATCH).await > 0 {
        let written = append(&store, &batch).await;
        if written.is_ok() {
            grew();
        }
        for request in batch.drain(..) {
            let answer = match &written {
                Ok(stored) => compare(request.events, stored),
                Err(StoreError::Unreachable(_)) => Answer::Unavailable,
                Err(_) => Answer::Refused,
            };
            // Who asked may be gone; the event is there all the same.
            let _ = request.answer.send(answer);
        }
    }
}

async fn append(store: &Store, batch: &[Request]) -> Result<StoredEvents, StoreError> {
    let events: Vec<NewEvent<'_>> = batch
        .iter()
        .flat_map(|request| &request.events)
        .map(|checked| NewEvent { event: &checked.event, sha256: &checked.sha256 })
        .collect();
    let give_up = Instant::now() + PATIENCE;
    loop {
        match store.append_events(&events).await {
            Err(StoreError::Unreachable(error)) if Instant::now() < give_up => {
                tracing::warn!(%error, events = events.len(), "failed to append events; trying again");
                sleep(PAUSE).await;
            }
            Err(error) => {
                tracing::error!(%error, events = events.len(), "failed to append events");
                return Err(error);
            }
            stored => return stored,
        }
    }
}

fn compare(events: Vec<Checked>, stored: &StoredEvents) -> Answer {
    let differs = |checked: &Checked| {
        let key = (checked.event.key.id.clone(), checked.event.key.source.clone());
        stored.get(&key).is_none_or(|sha256| *sha256 != checked.sha256)
    };
    let conflicts: Vec<usize> =
        events.iter().enumerate().filter(|(_, checked)| differs(checked)).map(|(n, _)| n).collect();
    if conflicts.is_empty() { Answer::Accepted(events) } else { Answer::Conflicts(events, conflicts) }
}
