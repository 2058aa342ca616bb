//! Writes posts in batches: all that have queued while the last batch was written.

use std::{collections::HashSet, time::Duration};

use hookswitch_core::domain::{Contact, Delivery, IdentityNews, NotificationId, Sighting, Status};
use jiff::Timestamp;
use tracing::{debug, warn};

use super::{
    answers::Answers,
    late::late_retry,
    post::{Post, delivery},
};
use crate::{
    commit::{Commit, Outcome},
    metrics::{ReceiptMetrics, Reported},
    store::{Store, StoreError, by_meta},
    system::{SystemEvent, new_events, number_quality_changed},
    traces::{Attempt, Tracer},
    whatsapp::{CallbackData, Treatment, treatment},
};

/// Maximum number of rows of a batch; a single post may have more.
const ROWS: usize = 10_000;
const TRIES: usize = 3;
/// Meta posts the statuses of one moment one by one, and wants half of the answers within 250 ms (Meta, "webhooks",
/// "throughput"): under load they are written ten times a second, so that a status costs a part of a commit.
const PERIOD: Duration = Duration::from_millis(100);
/// Number of rows of a batch that waits for no more.
const MANY: usize = 100;

/// Writes posts. Meta repeats a post that is not written completely.
pub(super) struct Append {
    /// The database.
    pub store: Store,
    /// Whether there are several sending numbers, each with its own windows.
    pub several_numbers: bool,
    /// Tells rules of what users do.
    pub answers: Answers,
    /// Counts what was written.
    pub metrics: ReceiptMetrics,
    /// Records reports in traces.
    pub tracer: Tracer,
}

impl Commit for Append {
    type Item = Post;
    type Answer = ();

    const NAME: &'static str = "webhooks";
    const SIZE: usize = ROWS;
    const PERIOD: Duration = PERIOD;
    const MANY: usize = MANY;

    fn size(post: &Post) -> usize {
        post.len()
    }

    async fn commit(&self, posts: &[&Post]) -> Result<Vec<Outcome<()>>, StoreError> {
        let mut batch = Post::default();
        for post in posts {
            batch.extend((*post).clone());
        }
        let statuses = batch.deliveries.iter().map(|row| row.status);
        let statuses: Vec<Status> =
            statuses.chain(batch.by_wamid.iter().map(|update| update.status)).collect();
        let ours = std::mem::take(&mut batch.ours);
        write(self, batch).await?;
        let now = self.store.now();
        self.trace(&ours, now).await;
        for (status, CallbackData { id, due_at, template, .. }) in ours {
            let after = due_at.map(|due_at| now.duration_since(due_at).as_secs_f64().max(0.0));
            self.metrics.reported(&Reported { id, template, status: status.as_str(), after });
        }
        for status in statuses {
            self.metrics.receipt(status.as_str());
        }
        Ok(posts.iter().map(|_| Outcome::Done(())).collect())
    }
}

impl Append {
    /// Records reports below the attempts that they are about. What is not known of them is not recorded.
    async fn trace(&self, ours: &[(Status, CallbackData)], now: Timestamp) {
        if !self.tracer.is_on() || ours.is_empty() {
            return;
        }
        let ids: Vec<NotificationId> = ours.iter().map(|(_, data)| data.id).collect();
        let causes = match self.store.causes(&ids).await {
            Ok(causes) => causes,
            Err(error) => {
                debug!(%error, "failed to read which traces reports belong to");
                return;
            }
        };
        for (status, CallbackData { id, attempt, due_at, .. }) in ours {
            let attempt =
                Attempt { id: *id, attempt: *attempt, waited: due_at.is_none(), cause: causes.get(id) };
            self.tracer.reported(&attempt, status.as_str(), now);
        }
    }
}

async fn write(to: &Append, batch: Post) -> Result<(), StoreError> {
    let Append { store, several_numbers, answers: rules, .. } = to;
    let Post {
        mut deliveries,
        by_wamid,
        mut identities,
        recipients,
        opened,
        mut preferences,
        quality,
        answers,
        template_updated: _,
        ours: _,
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
        // Meta also reports this for accepted messages.
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
        store.append_own(&new_events(&told)).await?;
    }
    if !recipients.is_empty() {
        let pairs: HashSet<(&str, &str)> =
            recipients.iter().map(|(wa_id, user_id, _)| (wa_id.as_str(), user_id.as_str())).collect();
        let new = store.new_user_ids(&pairs.into_iter().collect::<Vec<_>>()).await?;
        let learnt = recipients.into_iter().filter_map(|(wa_id, user_id, at)| {
            let pair = (wa_id, user_id);
            let is_new = new.contains(&pair);
            let contact = Contact { wa_id: Some(pair.0), user_id: Some(pair.1), ..Contact::default() };
            // A recipient becomes a contact only when they write, or an operator adds them.
            is_new.then_some(IdentityNews::Seen(Sighting { contact, at, creates: false }))
        });
        identities.extend(learnt);
    }
    let mut tries = 1;
    while let Err(error) = store.hear_identities(&identities).await {
        // Two hosts that write the same users conflict.
        if tries == TRIES || error.may_pass() {
            return Err(error);
        }
        warn!(%error, "cannot write contacts; trying again");
        tries += 1;
    }
    if !preferences.is_empty() {
        store.set_preferences(&preferences, None).await?;
    }
    if !opened.is_empty() {
        if *several_numbers {
            store.set_number_windows(&opened).await?;
        }
        let recipients: Vec<&str> = opened.iter().map(|opened| opened.recipient.as_str()).collect();
        store.window_opened(&recipients, store.now()).await?;
    }
    rules.tell(store, &answers, &preferences).await
}

fn is_opt_out(row: &Delivery) -> bool {
    row.code.is_some_and(|code| treatment(code, None) == Treatment::OptOut)
}
