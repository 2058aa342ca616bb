//! Meta's limit of the users that a business may write to in 24 hours outside their windows (Meta, "Messaging
//! limits"): how many these are, and who must wait.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use hookswitch_core::domain::{NotificationId, WaitReason};
use jiff::Timestamp;
use tokio::{sync::watch, time::interval};
use tokio_util::sync::CancellationToken;

use super::{book::Wait, job::Job, state::Dispatch};
use crate::{
    store::{Store, StoreError},
    whatsapp::{Form, management::Management},
};

/// Meta raises and lowers the limit within hours.
const EVERY: Duration = Duration::from_secs(3_600);
/// Who was counted in this time is not counted again: their place may so be free a little early, a day later.
const COUNTED: Duration = Duration::from_secs(600);

/// Asks Meta for the limit now and every hour, until `stop`.
pub async fn watch_daily_limit(
    management: Management,
    phone_number_id: String,
    limit: watch::Sender<Option<u32>>,
    stop: CancellationToken,
) {
    let mut every = interval(EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.cancelled() => return,
        }
        match management.phone_number(&phone_number_id).await {
            Ok(number) => {
                let tier = number.whatsapp_business_manager_messaging_limit;
                let users = tier.as_deref().and_then(users_of_tier);
                let changed = limit.send_if_modified(|known| std::mem::replace(known, users) != users);
                if changed {
                    tracing::info!(tier, "Meta's limit of users in 24 hours has changed");
                }
            }
            Err(error) => {
                tracing::debug!(%error, "failed to ask for the messaging limit; what was known stays")
            }
        }
    }
}

/// How many users a tier of Meta's allows in 24 hours; `None` where it is unlimited, or not known.
pub fn users_of_tier(tier: &str) -> Option<u32> {
    let tier = tier.strip_prefix("TIER_")?;
    match tier.strip_suffix('K') {
        Some(thousands) => thousands.parse::<u32>().ok()?.checked_mul(1_000),
        None => tier.parse().ok(),
    }
}

/// Those of a batch that take a place of the day's limit.
pub(super) struct Daily {
    recipients: BTreeSet<Arc<str>>,
    limit: u32,
}

impl Daily {
    /// Takes those out who get nothing of this batch: their messages are stopped.
    pub(super) fn spare(&mut self, batch: &[(Job, Form)], stopped: &HashSet<NotificationId>) {
        for (job, _) in batch.iter().filter(|(job, _)| stopped.contains(&job.logged.notification.id)) {
            self.recipients.remove(&job.line.recipient);
        }
    }

    /// Of a batch, that which may go today; and the rest, with the time at which the next place is free.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it: the batch, as it was.
    pub(super) async fn allow(
        self,
        store: &Store,
        batch: Vec<(Job, Form)>,
        now: Timestamp,
    ) -> Result<Allowed, (Vec<(Job, Form)>, StoreError)> {
        let recipients = self.recipients.iter().map(|recipient| &**recipient).collect();
        let users = match store.count_daily_users(&recipients, self.limit, now).await {
            Ok(users) => users,
            Err(error) => return Err((batch, error)),
        };
        let is_over = |job: &Job| {
            self.recipients.contains(&job.line.recipient) && !users.allowed.contains(&*job.line.recipient)
        };
        let (wait, go): (Vec<_>, Vec<_>) = batch.into_iter().partition(|(job, _)| is_over(job));
        Ok((go, wait.into_iter().map(|(job, _)| (job, users.free_at)).collect()))
    }
}

/// What may go, and what must wait until then.
type Allowed = (Vec<(Job, Form)>, Vec<(Job, Timestamp)>);

/// Whether a message takes a place of the day's limit.
fn counts(job: &Job, form: Form, now: Timestamp) -> bool {
    form == Form::Template && job.logged.window_until.is_none_or(|until| until <= now)
}

impl Dispatch {
    /// Those of a batch that must be counted against the day's limit, where there is one. Who was counted lately is
    /// remembered, so that most batches need not ask.
    pub(super) fn daily(&mut self, batch: &[(Job, Form)], now: Instant) -> Option<Daily> {
        let limit = (*self.daily_limit.borrow())?;
        let time = self.store.now();
        let recipients: BTreeSet<Arc<str>> = batch
            .iter()
            .filter(|(job, form)| counts(job, *form, time))
            .map(|(job, _)| job.line.recipient.clone())
            .filter(|recipient| {
                self.counted.get(recipient).is_none_or(|at| now.duration_since(*at) > COUNTED)
            })
            .collect();
        (!recipients.is_empty()).then_some(Daily { recipients, limit })
    }

    /// Lets a job wait that Meta's limit does not allow today.
    pub(super) fn over_daily_limit(&mut self, job: &Job, free_at: Timestamp, now: Timestamp) {
        let limit = self.daily_limit.borrow().unwrap_or_default();
        let detail = format!(
            "waits: Meta lets the business write to {limit} people in 24 hours outside their windows, and it has"
        );
        self.book.wait(job, Wait::new(free_at, WaitReason::Daily, &detail), now);
    }

    /// Users who were allowed are not counted again for a while.
    pub(super) fn remember_counted(&mut self, job: &Job, form: Form, now: Instant) {
        if self.daily_limit.borrow().is_some() && counts(job, form, self.store.now()) {
            self.counted.entry(job.line.recipient.clone()).or_insert(now);
        }
    }

    /// Forgets who was counted long ago.
    pub(super) fn forget_counted(&mut self, now: Instant) {
        self.counted.retain(|_, at| now.duration_since(*at) <= COUNTED);
    }
}

#[cfg(test)]
mod tests {
    use super::users_of_tier;

    #[test]
    fn a_tier_is_a_number_of_users() {
        assert_eq!(users_of_tier("TIER_250"), Some(250));
        assert_eq!(users_of_tier("TIER_2K"), Some(2_000));
        assert_eq!(users_of_tier("TIER_100K"), Some(100_000));
        assert_eq!(users_of_tier("TIER_UNLIMITED"), None);
        assert_eq!(users_of_tier("STANDARD"), None);
    }
}
