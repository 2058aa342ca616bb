//! Writes posts together: whatever has queued while the last batch was on its way.

use std::{collections::HashSet, mem};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, warn};

use super::{
    late::late_retry,
    post::{Post, delivery},
};
use crate::{
    domain::{Contact, Delivery, IdentityNews, Sighting},
    store::{Store, StoreError, by_meta},
    system::{SystemEvent, new_events, number_quality_changed},
    whatsapp::{Treatment, treatment},
};

/// Posts that wait; beyond, Meta's connections wait.
const QUEUE: usize = 1024;
/// A batch ends with the post that reaches so many rows.
const ROWS: usize = 10_000;
const TRIES: usize = 3;

/// A post was not written, or not wholly: Meta must post it again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotWritten;

struct Queued {
    post: Post,
    /// Told after the commit; dropped where there was none.
    done: oneshot::Sender<()>,
}

/// The way to the task that writes.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Queued>,
}

impl Writer {
    /// Starts the task. With several sending numbers, each has windows of its own.
    pub(super) fn start(store: Store, several_numbers: bool) -> Writer {
        let (queue, queued) = mpsc::channel(QUEUE);
        tokio::spawn(run(store, several_numbers, queued));
        Writer { queue }
    }

    /// Ends when the task has.
    pub(super) async fn ended(self) {
        self.queue.closed().await;
    }

    /// Returns when it is committed.
    pub(super) async fn write(&self, post: Post) -> Result<(), NotWritten> {
        if post.is_empty() {
            return Ok(());
        }
        let (done, written) = oneshot::channel();
        self.queue.send(Queued { post, done }).await.map_err(|_| NotWritten)?;
        written.await.map_err(|_| NotWritten)
    }
}

async fn run(store: Store, several_numbers: bool, mut queued: mpsc::Receiver<Queued>) {
    let mut posts = Vec::new();
    while queued.recv_many(&mut posts, QUEUE).await > 0 {
        let mut batch = Post::default();
        let mut waiting = Vec::new();
        for Queued { post, done } in posts.drain(..) {
            batch.extend(post);
            waiting.push(done);
            if batch.len() >= ROWS {
                finish(&store, several_numbers, mem::take(&mut batch), mem::take(&mut waiting)).await;
            }
        }
        finish(&store, several_numbers, batch, waiting).await;
    }
}

/// Writes a batch, then tells all who wait for it.
async fn finish(store: &Store, several_numbers: bool, batch: Post, waiting: Vec<oneshot::Sender<()>>) {
    if waiting.is_empty() {
        return;
    }
    let (posts, rows) = (waiting.len(), batch.len());
    match write(store, several_numbers, batch).await {
        Ok(()) => {
            for done in waiting {
                // Whoever posted may be gone.
                let _ = done.send(());
            }
        }
        Err(error) => error!(%error, posts, rows, "failed to write webhooks; Meta will post them again"),
    }
}

async fn write(store: &Store, several_numbers: bool, batch: Post) -> Result<(), StoreError> {
    let Post {
        mut deliveries,
        by_wamid,
        mut identities,
        recipients,
        opened,
        mut preferences,
        quality,
        template_updated: _,
    } = batch;
    if !by_wamid.is_empty() {
        let wamids: Vec<&str> = by_wamid.iter().map(|status| status.wamid.as_str()).collect();
        let ours = store.deliveries_by_wamid(&wamids).await?;
        let all = by_wamid.len();
        deliveries.extend(by_wamid.into_iter().filter_map(|status| {
            let (notification_id, attempt) = *ours.get(&status.wamid)?;
            Some(delivery(status, notification_id, attempt))
        }));
        debug!(statuses = all, messages = ours.len(), "looked up statuses without our callback data");
    }
    if !deliveries.is_empty() {
        let now = store.now();
        let retries: Vec<_> =
            deliveries.iter().filter_map(|row| late_retry(row, now, rand::random())).collect();
        store.append_receipts(&deliveries, &retries).await?;
        // Meta tells so of messages that it had taken, too.
        let refused: Vec<_> = deliveries.iter().filter(|row| is_opt_out(row)).collect();
        if !refused.is_empty() {
            let ids: Vec<_> = refused.iter().map(|row| row.notification_id).collect();
            let recipients = store.recipients_of(&ids).await?;
            for row in refused {
                let of_row = recipients.iter().filter(|(id, _)| *id == row.notification_id);
                preferences.extend(of_row.map(|(_, recipient)| by_meta(vec![recipient.clone()], row.at)));
            }
        }
    }
    let told: Vec<SystemEvent> = quality.iter().filter_map(number_quality_changed).collect();
    if !told.is_empty() {
        store.append_events(&new_events(&told), false).await?;
    }
    if !recipients.is_empty() {
        let pairs: HashSet<(&str, &str)> =
            recipients.iter().map(|(wa_id, user_id, _)| (wa_id.as_str(), user_id.as_str())).collect();
        let new = store.new_user_ids(&pairs.into_iter().collect::<Vec<_>>()).await?;
        let learnt = recipients.into_iter().filter_map(|(wa_id, user_id, at)| {
            let pair = (wa_id, user_id);
            let is_new = new.contains(&pair);
            let contact =
                Contact { wa_id: Some(pair.0), user_id: Some(pair.1), name: None, last_inbound_at: None };
            // Whom we write to is no contact before they write, or an operator says so.
            is_new.then_some(IdentityNews::Seen(Sighting { contact, at, creates: false }))
        });
        identities.extend(learnt);
    }
    let mut tries = 1;
    while let Err(error) = store.hear_identities(&identities).await {
        // Two hosts that write the same users get in each other's way.
        if tries == TRIES || matches!(error, StoreError::Unreachable(_)) {
            return Err(error);
        }
        warn!(%error, "trying again to write contacts");
        tries += 1;
    }
    if !preferences.is_empty() {
        store.set_preferences(&preferences).await?;
    }
    if !opened.is_empty() {
        if several_numbers {
            store.set_number_windows(&opened).await?;
        }
        let recipients: Vec<&str> = opened.iter().map(|opened| opened.recipient.as_str()).collect();
        store.window_opened(&recipients, store.now()).await?;
    }
    Ok(())
}

fn is_opt_out(row: &Delivery) -> bool {
    row.code.is_some_and(|code| treatment(code, None) == Treatment::OptOut)
}
