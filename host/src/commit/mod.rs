//! Group commit: whatever has queued while the last commit was on its way goes into the next one, so an idle host
//! waits for nobody and a busy one commits many items at once.
//!
//! A commit that PostgreSQL refuses is halved until the item that it refuses stands alone: that one fails, its
//! neighbours do not. While PostgreSQL is away, all of them wait for [`PATIENCE`].

mod halves;
mod patience;

use std::{future::Future, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

pub use self::{
    halves::Halves,
    patience::{PATIENCE, Pauses},
};
use crate::store::StoreError;

/// Items that wait to be written; beyond, their senders wait.
const QUEUE: usize = 1_000;

/// What is written together.
pub trait Commit: Send + Sync + 'static {
    /// What is appended.
    type Item: Send + Sync + 'static;
    /// What became of an item.
    type Answer: Send + 'static;

    /// What the items are called in the log.
    const NAME: &'static str;
    /// The size of a commit. An item that is larger is written alone.
    const SIZE: usize;
    /// The shortest time between two commits of fewer than [`Commit::MANY`], where a commit costs more than a moment's
    /// delay. What comes alone is written at once.
    const PERIOD: Duration = Duration::ZERO;
    /// The size of a commit that waits for nothing more.
    const MANY: usize = 0;

    /// An item's part of [`Commit::SIZE`].
    fn size(item: &Self::Item) -> usize;

    /// Writes these items in one commit, and answers each, in their order. Writing one again must be safe.
    ///
    /// # Errors
    /// Where none was written, or an answer of PostgreSQL was lost.
    fn commit(
        &self,
        items: &[&Self::Item],
    ) -> impl Future<Output = Result<Vec<Outcome<Self::Answer>>, StoreError>> + Send;
}

/// What a commit did about an item.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<A> {
    /// It has its answer.
    Done(A),
    /// It was not written for the sake of another, and must be written again without that one.
    Again,
}

/// Why an item was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many items wait.
    Busy,
    /// The database is away. An answer of it may be lost: whether the item is there is not known.
    Unavailable,
    /// PostgreSQL does not take it.
    Failed,
}

/// The item again, with its answer.
pub type Answered<C> = Result<(<C as Commit>::Item, <C as Commit>::Answer), Refusal>;

struct Queued<C: Commit> {
    item: C::Item,
    /// How long the database may be away.
    deadline: Instant,
    answer: oneshot::Sender<Answered<C>>,
}

/// The way to the task that writes. It ends when the last of these is gone and all that waits is written.
pub struct GroupCommit<C: Commit> {
    queue: mpsc::Sender<Queued<C>>,
}

impl<C: Commit> Clone for GroupCommit<C> {
    fn clone(&self) -> Self {
        GroupCommit { queue: self.queue.clone() }
    }
}

impl<C: Commit> GroupCommit<C> {
    /// Starts the task.
    pub fn start(commit: C) -> GroupCommit<C> {
        let (queue, queued) = mpsc::channel(QUEUE);
        tokio::spawn(run(commit, queued));
        GroupCommit { queue }
    }

    /// Ends when the task that writes has, which it should not while the host runs.
    pub async fn ended(self) {
        self.queue.closed().await;
    }

    /// Writes an item, and gives it back with its answer when it is on disk.
    ///
    /// # Errors
    /// Within 20 seconds.
    pub async fn append(&self, item: C::Item) -> Answered<C> {
        let deadline = Instant::now() + PATIENCE;
        let (answer, answered) = oneshot::channel();
        match timeout_at(deadline, self.queue.send(Queued { item, deadline, answer })).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(Refusal::Busy),
        }
        // The task gives up at the deadline, unless a statement hangs.
        match timeout_at(deadline + PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        }
    }
}

async fn run<C: Commit>(commit: C, mut queue: mpsc::Receiver<Queued<C>>) {
    let mut waiting = Vec::new();
    let mut next = Instant::now();
    loop {
        if waiting.is_empty() && queue.recv_many(&mut waiting, QUEUE).await == 0 {
            return;
        }
        // The end of the queue is noticed in the next turn.
        while waiting.iter().map(|queued| C::size(&queued.item)).sum::<usize>() < C::MANY
            && timeout_at(next, queue.recv_many(&mut waiting, QUEUE)).await.is_ok_and(|count| count > 0)
        {
        }
        next = Instant::now() + C::PERIOD;
        let mut size = 0;
        let fit = waiting.iter().take_while(|queued| {
            size += C::size(&queued.item);
            size <= C::SIZE
        });
        let rest = waiting.split_off(fit.count().max(1));
        let batch = std::mem::replace(&mut waiting, rest);
        write(&commit, batch).await;
    }
}

/// Writes items until each has its answer.
async fn write<C: Commit>(commit: &C, batch: Vec<Queued<C>>) {
    let mut pauses = Pauses::default();
    let mut parts = Halves::of(batch);
    while let Some(mut part) = parts.next() {
        // Who waits no longer was told to try again.
        part.retain(|queued| !queued.answer.is_closed());
        if part.is_empty() {
            continue;
        }
        let items: Vec<&C::Item> = part.iter().map(|queued| &queued.item).collect();
        match commit.commit(&items).await {
            Ok(outcomes) => {
                parts.again(answer(part, outcomes));
            }
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, items = part.len(), "failed to write {}; trying again", C::NAME);
                let now = Instant::now();
                for queued in part.extract_if(.., |queued| queued.deadline <= now) {
                    let _ = queued.answer.send(Err(Refusal::Unavailable));
                }
                parts.again(part);
                pauses.wait().await;
            }
            Err(error) => {
                tracing::warn!(%error, items = part.len(), "failed to write {}", C::NAME);
                if let Some(refused) = parts.refused(part) {
                    tracing::error!(%error, "PostgreSQL refused one of {}", C::NAME);
                    let _ = refused.answer.send(Err(Refusal::Failed));
                }
            }
        }
    }
}

/// Tells who waits. Returns the items without an answer.
fn answer<C: Commit>(part: Vec<Queued<C>>, outcomes: Vec<Outcome<C::Answer>>) -> Vec<Queued<C>> {
    let mut again = Vec::new();
    for (queued, outcome) in part.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Done(answer) => {
                // Who asked may be gone; the item is there all the same.
                let _ = queued.answer.send(Ok((queued.item, answer)));
            }
            Outcome::Again => again.push(queued),
        }
    }
    again
}

#[cfg(test)]
mod tests;
