//! Meta's limit of the users that a business may write to in 24 hours outside their windows (Meta, "Messaging
//! limits"): how many these are, and who must wait.

use std::{collections::BTreeSet, time::Duration};

use tokio::{sync::watch, time::interval};
use tokio_util::sync::CancellationToken;

use super::{dispatcher::Dispatch, queue::Job};
use crate::{
    domain::Status,
    store::StoreError,
    whatsapp::{Form, management::Management},
};

/// Meta raises and lowers the limit within hours.
const EVERY: Duration = Duration::from_secs(3_600);

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
                let users = tier.as_deref().and_then(users);
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

/// How many users a tier allows; `None` where it is unlimited, or not known.
fn users(tier: &str) -> Option<u32> {
    let tier = tier.strip_prefix("TIER_")?;
    match tier.strip_suffix('K') {
        Some(thousands) => thousands.parse::<u32>().ok()?.checked_mul(1_000),
        None => tier.parse().ok(),
    }
}

impl Dispatch {
    /// Of what is to be sent, that which may be today; the rest waits.
    pub(super) async fn within_daily_limit(
        &mut self,
        batch: Vec<(Job, Form)>,
    ) -> Result<Vec<(Job, Form)>, StoreError> {
        let Some(limit) = *self.daily_limit.borrow() else { return Ok(batch) };
        let now = self.store.now();
        let counts = |job: &Job, form: Form| {
            form == Form::Template && job.logged.window_until.is_none_or(|until| until <= now)
        };
        let counted: BTreeSet<&str> = batch
            .iter()
            .filter(|(job, form)| counts(job, *form))
            .map(|(job, _)| job.recipient.as_str())
            .collect();
        if counted.is_empty() {
            return Ok(batch);
        }
        let users = self.store.count_daily_users(&counted, limit, now).await?;
        let (go, wait): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|(job, form)| !counts(job, *form) || users.allowed.contains(&job.recipient));
        for (job, _) in wait {
            let why = format!(
                "waits: Meta lets the business write to {limit} people in 24 hours outside their windows, and it has"
            );
            self.wait(&job, users.free_at, job.attempt, "daily", Status::Deferred, &why);
            self.queue.release(&job.line);
        }
        Ok(go)
    }
}

#[cfg(test)]
mod tests {
    use super::users;

    #[test]
    fn a_tier_is_a_number_of_users() {
        assert_eq!(users("TIER_250"), Some(250));
        assert_eq!(users("TIER_2K"), Some(2_000));
        assert_eq!(users("TIER_100K"), Some(100_000));
        assert_eq!(users("TIER_UNLIMITED"), None);
        assert_eq!(users("STANDARD"), None);
    }
}
