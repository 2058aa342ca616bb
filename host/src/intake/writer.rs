//! One writer: whatever has queued while the last commit was on its way goes into the next one, so an idle
//! host waits for nobody and a busy one commits many events at once.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    attributes::Checked,
    patience::{PATIENCE, Pauses},
};
use crate::store::{Clash, NewEvent, Store, StoreError};

/// Requests that wait to be written; more wait for a place.
const QUEUE: usize = 1_000;
/// A commit has at most so many bytes of payload, or one request.
const COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// The events of one request: all are appended or none.
struct Request {
    events: Vec<Checked>,
    /// How long the database may be away.
    deadline: Instant,
    answer: oneshot::Sender<Result<Vec<Checked>, Refusal>>,
}

impl Request {
    fn bytes(&self) -> usize {
        self.events.iter().map(|checked| checked.event.data.get().len()).sum()
    }
}

/// Why a request's events were not appended.
#[derive(Debug)]
pub enum Refusal {
    /// Other events have the ids and sources of these; `place` is the one in the request.
    Clashes(Vec<Checked>, Vec<Clash>),
    /// Too many requests wait.
    Busy,
    /// The database is away. An answer of it may be lost: whether the events are there is not known.
    Unavailable,
    /// PostgreSQL does not take them.
    Failed,
}

/// The way to the writer. It ends when the last of these is gone and all that waits is written.
#[derive(Clone)]
pub struct Writer {
    requests: mpsc::Sender<Request>,
}

impl Writer {
    /// Starts it. `grew` is called after each commit.
    pub fn start(store: Store, grew: Arc<dyn Fn() + Send + Sync>) -> Writer {
        let (requests, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(store, queue, grew));
        Writer { requests }
    }

    /// Ends when the task that writes has.
    pub async fn ended(self) {
        self.requests.closed().await;
    }

    /// Appends the events of a request, and gives them back when they are on disk.
    ///
    /// # Errors
    /// Within 20 seconds.
    pub async fn append(&self, events: Vec<Checked>) -> Result<Vec<Checked>, Refusal> {
        let deadline = Instant::now() + PATIENCE;
        let (answer, answered) = oneshot::channel();
        match timeout_at(deadline, self.requests.send(Request { events, deadline, answer })).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(Refusal::Busy),
        }
        // The writer gives up at the deadline, unless a statement hangs.
        match timeout_at(deadline + PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        }
    }
}

async fn run(store: Store, mut queue: mpsc::Receiver<Request>, grew: Arc<dyn Fn() + Send + Sync>) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() && queue.recv_many(&mut waiting, QUEUE).await == 0 {
            return;
        }
        let mut bytes = 0;
        let fit = waiting.iter().take_while(|request| {
            bytes += request.bytes();
            bytes <= COMMIT_BYTES
        });
        let rest = waiting.split_off(fit.count().max(1));
        let batch = std::mem::replace(&mut waiting, rest);
        commit(&store, batch).await;
        grew();
    }
}

/// Appends the events of these requests, until each has its answer.
async fn commit(store: &Store, mut requests: Vec<Request>) {
    let mut pauses = Pauses::new();
    loop {
        // Who waits no longer was told to post again.
        requests.retain(|request| !request.answer.is_closed());
        if requests.is_empty() {
            return;
        }
        let events: Vec<NewEvent<'_>> = requests
            .iter()
            .flat_map(|request| &request.events)
            .map(|checked| NewEvent { event: &checked.event, sha256: &checked.sha256 })
            .collect();
        // One event alone is appended or not: that needs no transaction around it.
        let together = events.len() > requests.len();
        match store.append_events(&events, together).await {
            Ok(clashes) => {
                let appended = !together || clashes.is_empty();
                requests = answer(requests, &clashes, appended);
            }
            Err(StoreError::Unreachable(error)) => {
                tracing::warn!(%error, events = events.len(), "failed to append events; trying again");
                let now = Instant::now();
                for request in requests.extract_if(.., |request| request.deadline <= now) {
                    let _ = request.answer.send(Err(Refusal::Unavailable));
                }
                pauses.wait().await;
            }
            Err(error) => {
                tracing::error!(%error, events = events.len(), "failed to append events");
                for request in requests.drain(..) {
                    let _ = request.answer.send(Err(Refusal::Failed));
                }
            }
        }
    }
}

/// Answers the requests with clashes and, if they are `appended`, the others. Returns those without an answer.
fn answer(requests: Vec<Request>, clashes: &[Clash], appended: bool) -> Vec<Request> {
    let mut unanswered = Vec::new();
    let (mut first, mut clashes) = (0, clashes);
    for request in requests {
        let next = first + request.events.len();
        let (own, later) = clashes.split_at(clashes.partition_point(|clash| clash.place < next));
        let own: Vec<Clash> =
            own.iter().map(|clash| Clash { place: clash.place - first, ..clash.clone() }).collect();
        (first, clashes) = (next, later);
        if own.is_empty() && !appended {
            unanswered.push(request);
            continue;
        }
        let Request { events, answer, .. } = request;
        // Who asked may be gone; the events are there all the same.
        let _ = answer.send(if own.is_empty() { Ok(events) } else { Err(Refusal::Clashes(events, own)) });
    }
    unanswered
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::Timestamp;
    use serde_json::value::RawValue;

    use super::*;
    use crate::domain::{Event, EventKey};

    fn request(events: usize) -> (Request, oneshot::Receiver<Result<Vec<Checked>, Refusal>>) {
        let event = |n: usize| Event {
            key: EventKey { id: n.to_string(), source: "/s".to_owned() },
            kind: "t".to_owned(),
            subject: None,
            time: Timestamp::UNIX_EPOCH,
            data: RawValue::NULL.to_owned(),
            extensions: None,
        };
        let events = (0..events).map(|n| Checked { event: event(n), sha256: [0; 32] }).collect();
        let (answer, answered) = oneshot::channel();
        (Request { events, deadline: Instant::now(), answer }, answered)
    }

    fn clash(place: usize) -> Clash {
        Clash { place, received_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn each_request_hears_of_its_own_clashes() {
        let (a, mut a_answer) = request(1);
        let (b, mut b_answer) = request(3);
        let (c, mut c_answer) = request(2);
        let left = answer(vec![a, b, c], &[clash(1), clash(3), clash(5)], true);
        assert!(left.is_empty());
        assert!(a_answer.try_recv().unwrap().is_ok());
        for (answer, places) in [(&mut b_answer, vec![0, 2]), (&mut c_answer, vec![1])] {
            let Refusal::Clashes(_, clashes) = answer.try_recv().unwrap().unwrap_err() else {
                panic!("expected clashes")
            };
            assert_eq!(clashes.iter().map(|clash| clash.place).collect::<Vec<_>>(), places);
        }
    }

    #[test]
    fn where_nothing_was_appended_the_others_go_again() {
        let (a, mut a_answer) = request(2);
        let (b, mut b_answer) = request(1);
        let left = answer(vec![a, b], &[clash(0)], false);
        assert_eq!(left.len(), 1);
        assert!(a_answer.try_recv().unwrap().is_err());
        assert!(b_answer.try_recv().is_err(), "no answer yet");
    }
}
