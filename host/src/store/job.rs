//! Jobs: redriving or discarding many failed messages, in steps that any host carries out.

use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Act, NotificationRow, RoutingTransaction, Store, StoreError,
    dead_letter::discard,
    operator_action::{add_count, add_messages},
};

/// A job, and how far it has come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Job {
    /// The id of the job and of its action.
    pub id: i64,
    /// The kind of action: `failed.redrive` or `failed.discard`.
    pub action: String,
    /// The name of the API key that created it.
    pub who: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// The state: `running`, `done` or `failed`.
    pub state: String,
    /// Messages that it has looked at.
    pub done: i64,
    /// Messages that matched when it was created.
    pub of: i64,
    /// Messages that it has changed.
    pub count: i64,
    /// Messages that may not be sent any more: expired, with values that must not stay (`sensitive`), or to people who are
    /// deactivated or have no number linked.
    pub skipped: i64,
    /// Why it failed; null otherwise.
    pub error: Option<String>,
    /// When it ended; null while it is running.
    pub ended_at: Option<Timestamp>,
}

/// A message that a job has changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobMessage {
    /// The id of the failed notification.
    pub id: NotificationId,
    /// The notification that resends it; null if it was discarded.
    pub redriven_as: Option<NotificationId>,
}

/// A job whose next step is due.
#[derive(Clone, Debug)]
pub struct JobTask {
    /// The id of the job.
    pub id: i64,
    /// The kind of action.
    pub action: String,
    /// The failures that it is about, as JSON.
    pub filter: String,
    /// Messages per second.
    pub rate: i32,
    /// The last failure that it looked at.
    pub place: Option<(Timestamp, NotificationId)>,
}

/// What a step of a job does.
#[derive(Clone, Debug)]
pub enum JobStep {
    /// Nothing is left.
    End,
    /// Messages to redrive, each with the new one.
    Redrive {
        /// The failed messages and the new ones.
        pairs: Vec<(NotificationId, NotificationRow)>,
        /// Number of messages that the step looked at.
        looked_at: usize,
        /// The last of them.
        place: (Timestamp, NotificationId),
    },
    /// Messages to discard.
    Discard {
        /// The failed messages.
        ids: Vec<NotificationId>,
        /// The last of them.
        place: (Timestamp, NotificationId),
    },
}

impl Store {
    /// Creates a job with its action, and returns the id of both.
    pub async fn create_job(
        &self,
        act: &Act,
        filter: &str,
        rate: u32,
        total: u64,
    ) -> Result<i64, StoreError> {
        let rate = i32::try_from(rate).unwrap_or(i32::MAX);
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let id = act.append(&transaction, 0).await?;
        transaction
            .execute(
                "INSERT INTO job (id, filter, rate, total) VALUES ($1, $2, $3, $4)",
                &[&id, &filter, &rate, &total],
            )
            .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// A job by its id.
    pub async fn job(&self, id: i64) -> Result<Option<Job>, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "SELECT j.id, a.action, a.who, a.at, j.state, j.done, j.total, a.count, j.skipped, j.error, j.ended_at
                 FROM job j JOIN operator_action a ON a.id = j.id WHERE j.id = $1",
                &[&id],
            )
            .await?;
        row.map(|row| job(&row)).transpose()
    }

    /// The messages that a job has changed, by their ids, after one of them; `limit` at most.
    pub async fn job_messages(
        &self,
        id: i64,
        after: NotificationId,
        limit: i64,
    ) -> Result<Vec<JobMessage>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT m.notification_id, l.redriven_as FROM operator_action_message m
                 LEFT JOIN dead_letter l ON l.notification_id = m.notification_id
                 WHERE m.action_id = $1 AND m.notification_id > $2 ORDER BY m.notification_id LIMIT $3",
                &[&id, &after.0, &limit],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let redriven_as = row.try_get::<_, Option<Uuid>>(1)?.map(NotificationId);
                Ok(JobMessage { id: NotificationId(row.try_get(0)?), redriven_as })
            })
            .collect()
    }

    /// In how many seconds the next step of a job is due; 0 if one is. `None` if there is no job.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn next_job_step(&self) -> Result<Option<f64>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT greatest(0, extract(epoch FROM j.due_at - now()))::double precision FROM job j
                 WHERE j.state = 'running' ORDER BY j.due_at LIMIT 1",
            )
            .await?;
        client.query_opt(&statement, &[]).await?.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// Carries out the next step of a job that is due, if there is one that no other host is at: `plan` says what to do, and
    /// all of it is read and committed on one connection, as a host may have no other. The step after it is due so much later that the rate is kept.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it, or `plan` fails; then nothing was done.
    pub async fn step_job(
        &self,
        now: Timestamp,
        plan: impl AsyncFnOnce(&RoutingTransaction<'_>, &JobTask) -> Result<JobStep, StoreError>,
    ) -> Result<bool, StoreError> {
        self.route(None, async |routing| {
            let transaction = &routing.transaction;
            let row = transaction
                .query_opt(
                    "SELECT j.id, j.filter, j.rate, j.place_at, j.place_id, a.action, a.reason
                     FROM job j JOIN operator_action a ON a.id = j.id
                     WHERE j.state = 'running' AND j.due_at <= now()
                     ORDER BY j.due_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED",
                    &[],
                )
                .await?;
            let Some(row) = row else { return Ok(false) };
            let place: Option<Timestamp> = row.try_get(3)?;
            let task = JobTask {
                id: row.try_get(0)?,
                filter: row.try_get(1)?,
                rate: row.try_get(2)?,
                place: place.zip(row.try_get::<_, Option<Uuid>>(4)?.map(NotificationId)),
                action: row.try_get(5)?,
            };
            let (changed, looked_at, skipped, place) = match plan(routing, &task).await? {
                JobStep::End => {
                    transaction
                        .execute("UPDATE job SET state = 'done', ended_at = now() WHERE id = $1", &[&task.id])
                        .await?;
                    return Ok(true);
                }
                JobStep::Redrive { pairs, looked_at, place } => {
                    (routing.redrive(&pairs, now).await?, looked_at, looked_at - pairs.len(), place)
                }
                JobStep::Discard { ids, place } => {
                    let reason: Option<String> = row.try_get(6)?;
                    (discard(transaction, &ids, reason.as_deref(), now).await?, ids.len(), 0, place)
                }
            };
            add_count(transaction, task.id, changed.len()).await?;
            add_messages(transaction, task.id, &changed).await?;
            let seconds = looked_at as f64 / f64::from(task.rate.max(1));
            transaction
                .execute(
                    "UPDATE job SET place_at = $2, place_id = $3, done = done + $4, skipped = skipped + $5,
                            due_at = now() + make_interval(secs => $6) WHERE id = $1",
                    &[
                        &task.id,
                        &place.0,
                        &place.1.0,
                        &i64::try_from(looked_at).unwrap_or(i64::MAX),
                        &i64::try_from(skipped).unwrap_or(i64::MAX),
                        &seconds,
                    ],
                )
                .await?;
            Ok(true)
        })
        .await
    }

    /// Ends a job that cannot go on.
    pub async fn fail_job(&self, id: i64, error: &str) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "UPDATE job SET state = 'failed', error = $2, ended_at = now() WHERE id = $1 AND state = 'running'",
                &[&id, &error],
            )
            .await?;
        Ok(())
    }
}

fn job(row: &Row) -> Result<Job, StoreError> {
    Ok(Job {
        id: row.try_get(0)?,
        action: row.try_get(1)?,
        who: row.try_get(2)?,
        created_at: row.try_get(3)?,
        state: row.try_get(4)?,
        done: row.try_get(5)?,
        of: row.try_get(6)?,
        count: row.try_get(7)?,
        skipped: row.try_get(8)?,
        error: row.try_get(9)?,
        ended_at: row.try_get(10)?,
    })
}
