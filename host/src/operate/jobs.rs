//! Jobs: created for the HTTP API, carried out by any host, step by step.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Choice, Operate, Operator,
    failed::{again, step_of},
};
use crate::store::{DeadLetterFilter, JobStep, JobTask, RoutingTransaction, Store, StoreError};

/// The time until the next look at a job: after a step, while another host is at it at most, and while there is none.
const BUSY: Duration = Duration::from_millis(50);
const ELSEWHERE: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(5);
/// Messages per second that are discarded.
const DISCARDED: u32 = 2_500;

impl Operate {
    /// Creates a job that resends the failed messages of a choice at most at this rate, and returns its id.
    pub async fn redrive_job(&self, by: &Operator, choice: &Choice, rate: u32) -> Result<i64, StoreError> {
        self.create_job(by, choice, self.store.now(), "failed.redrive", rate, None).await
    }

    /// Creates a job that discards the failed messages of a choice, and returns its id.
    pub async fn discard_job(
        &self,
        by: &Operator,
        choice: &Choice,
        reason: Option<&str>,
    ) -> Result<i64, StoreError> {
        self.create_job(by, choice, self.store.now(), "failed.discard", DISCARDED, reason).await
    }

    /// Creates a job for the choice as it was confirmed: messages that were created at `until` or later are not its
    /// business. It redrives at this rate; without a rate it discards.
    pub async fn confirmed_job(
        &self,
        by: &Operator,
        choice: &Choice,
        until: Timestamp,
        rate: Option<u32>,
        reason: Option<&str>,
    ) -> Result<i64, StoreError> {
        match rate {
            Some(rate) => self.create_job(by, choice, until, "failed.redrive", rate, reason).await,
            None => self.create_job(by, choice, until, "failed.discard", DISCARDED, reason).await,
        }
    }

    async fn create_job(
        &self,
        by: &Operator,
        choice: &Choice,
        until: Timestamp,
        action: &'static str,
        rate: u32,
        reason: Option<&str>,
    ) -> Result<i64, StoreError> {
        let filter = choice.filter(until);
        let total = self.store.count_dead_letters(&filter).await?;
        let json = serde_json::to_string(&filter)
            .map_err(|error| StoreError::Statement(format!("the filter of a job: {error}")))?;
        let job = self.store.create_job(&by.act(action, choice, reason), &json, rate, total).await?;
        self.job_created.notify_one();
        Ok(job)
    }

    /// Rings when a job is created here.
    pub fn job_created(&self) -> Arc<Notify> {
        self.job_created.clone()
    }
}

/// Carries out the steps of jobs as they become due, until `stop`: at once where one is `created` here. A step reads in its
/// transaction: a host may have no other connection for its work.
pub async fn run_jobs(store: Store, created: Arc<Notify>, stop: CancellationToken) {
    let mut pause = BUSY;
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            () = created.notified() => {}
            () = stop.cancelled() => return,
        }
        match store.next_job_step().await {
            Ok(Some(due_in)) if due_in <= 0.0 => {}
            Ok(due_in) => {
                let due_in = due_in.and_then(|due_in| Duration::try_from_secs_f64(due_in).ok());
                pause = due_in.unwrap_or(IDLE).clamp(BUSY, IDLE);
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "failed to look for jobs; trying again");
                pause = ELSEWHERE;
                continue;
            }
        }
        let mut current = None;
        let stepped = store
            .step_job(Timestamp::now(), async |transaction, task| {
                current = Some(task.id);
                plan(transaction, task).await
            })
            .await;
        pause = match (stepped, current) {
            (Ok(true), _) => {
                // If it fails, the hosts find the messages when they poll.
                let _ = store.notify().await;
                BUSY
            }
            (Ok(false), _) => (pause * 2).min(ELSEWHERE),
            (Err(error @ (StoreError::Statement(_) | StoreError::Row(_))), Some(id)) => {
                tracing::error!(job = id, %error, "a job failed");
                if let Err(error) = store.fail_job(id, &error.to_string()).await {
                    tracing::warn!(job = id, %error, "failed to end a job; trying again");
                }
                ELSEWHERE
            }
            (Err(error), _) => {
                tracing::warn!(%error, "failed to carry on a job; trying again");
                ELSEWHERE
            }
        };
    }
}

async fn plan(transaction: &RoutingTransaction<'_>, task: &JobTask) -> Result<JobStep, StoreError> {
    let filter: DeadLetterFilter = serde_json::from_str(&task.filter)
        .map_err(|error| StoreError::Row(format!("the filter of a job: {error}")))?;
    let rate = u32::try_from(task.rate).unwrap_or(1);
    let letters = transaction.dead_letters(&filter, task.place, i64::from(step_of(rate))).await?;
    let Some(place) = letters.last().map(|letter| letter.place()) else { return Ok(JobStep::End) };
    Ok(match task.action.as_str() {
        "failed.discard" => {
            JobStep::Discard { ids: letters.iter().map(|letter| letter.notification.id).collect(), place }
        }
        _ => {
            let now = Timestamp::now();
            let pairs = letters.iter().filter_map(|letter| again(letter, now)).collect();
            JobStep::Redrive { pairs, looked_at: letters.len(), place }
        }
    })
}
