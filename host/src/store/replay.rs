//! Replays: which other rules are tried on which events, who is at it, and what was found.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Store, StoreError};

/// A replay that begins.
#[derive(Clone, Debug)]
pub struct NewReplay<'a> {
    /// Who asked for it.
    pub who: &'a str,
    /// The id of the release that is tried.
    pub release: &'a str,
    /// Which events: JSON.
    pub choice: &'a str,
    /// The process that makes it, if a command does; otherwise any host.
    pub runner: Option<Uuid>,
    /// The place in the log at which it begins, and the last one.
    pub places: (i64, i64),
    /// What was found, which is nothing yet.
    pub found: &'a ReplayState,
}

/// What a replay has found so far, as JSON.
#[derive(Clone, Debug)]
pub struct ReplayState {
    /// The numbers.
    pub totals: String,
    /// The report.
    pub report: String,
    /// What is remembered of earlier events.
    pub memory: String,
}

/// A replay as a list shows it.
#[derive(Clone, Debug)]
pub struct StoredReplay {
    /// Its id.
    pub id: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who asked for it.
    pub who: String,
    /// The id of the release that is tried.
    pub release: String,
    /// Which events: JSON.
    pub choice: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// Whether a command makes it.
    pub by_command: bool,
    /// Whether somebody is at it now.
    pub is_held: bool,
    /// The first, the last, and the last looked-at place in the log.
    pub places: (i64, i64, i64),
    /// The numbers: JSON.
    pub totals: String,
    /// Why it failed.
    pub error: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A replay to carry on.
#[derive(Clone, Debug)]
pub struct ReplayTask {
    /// Its id.
    pub id: i64,
    /// The id of the release that is tried.
    pub release: String,
    /// Which events: JSON.
    pub choice: String,
    /// The first, the last, and the last looked-at place in the log.
    pub places: (i64, i64, i64),
    /// What was found so far.
    pub found: ReplayState,
}

impl Store {
    /// Stores a replay that begins, and returns its id. A command holds it for so long.
    pub async fn create_replay(&self, new: &NewReplay<'_>, held: Duration) -> Result<i64, StoreError> {
        let seconds = if new.runner.is_some() { held.as_secs_f64() } else { 0.0 };
        let (first, last) = new.places;
        let client = self.client().await?;
        let row = client
            .query_one(
                "INSERT INTO replay (who, release, choice, by_command, runner, due_at, first_seq, last_seq, place, totals,
                                     report, memory)
                 VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), $7::bigint, $8, $7::bigint - 1, $9, $10, $11)
                 RETURNING id",
                &[
                    &new.who,
                    &new.release,
                    &new.choice,
                    &new.runner.is_some(),
                    &new.runner,
                    &seconds,
                    &first,
                    &last,
                    &new.found.totals,
                    &new.found.report,
                    &new.found.memory,
                ],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// How many replays wait for hosts or are made by them, counted up to `limit`.
    pub async fn running_replays(&self, limit: i64) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "SELECT count(*) FROM (
                     SELECT FROM replay WHERE state = 'running' AND NOT by_command LIMIT $1) r",
                &[&limit],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Replays before one of them, the newest first.
    pub async fn replays(&self, before: i64, limit: i64) -> Result<Vec<StoredReplay>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT id, created_at, who, release, choice, state, by_command, due_at > now(), first_seq, last_seq, place,
                        totals, error, ended_at
                 FROM replay WHERE id < $1 ORDER BY id DESC LIMIT $2",
                &[&before, &limit],
            )
            .await?;
        rows.iter().map(stored).collect()
    }

    /// A replay, and its report.
    pub async fn find_replay(&self, id: i64) -> Result<Option<(StoredReplay, String)>, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "SELECT id, created_at, who, release, choice, state, by_command, due_at > now(), first_seq, last_seq, place,
                        totals, error, ended_at, report
                 FROM replay WHERE id = $1",
                &[&id],
            )
            .await?;
        row.map(|row| Ok((stored(&row)?, row.try_get(14)?))).transpose()
    }

    /// Takes a replay that nobody is at, for so long: this one of a command, or the next one of the hosts.
    pub async fn take_replay(
        &self,
        id: Option<i64>,
        runner: Uuid,
        held: Duration,
    ) -> Result<Option<ReplayTask>, StoreError> {
        let client = self.client().await?;
        let row = match id {
            Some(id) => {
                client
                    .query_opt(
                        "UPDATE replay SET runner = $2, due_at = now() + make_interval(secs => $3)
                         WHERE id = $1 AND state = 'running' AND due_at <= now()
                         RETURNING id, release, choice, first_seq, last_seq, place, totals, report, memory",
                        &[&id, &runner, &held.as_secs_f64()],
                    )
                    .await?
            }
            None => {
                client
                    .query_opt(
                        "UPDATE replay SET runner = $1, due_at = now() + make_interval(secs => $2)
                         WHERE id = (
                             SELECT id FROM replay WHERE state = 'running' AND due_at <= now() AND NOT by_command
                             ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
                         RETURNING id, release, choice, first_seq, last_seq, place, totals, report, memory",
                        &[&runner, &held.as_secs_f64()],
                    )
                    .await?
            }
        };
        row.as_ref().map(task).transpose()
    }

    /// A replay that this process has.
    pub async fn own_replay(&self, id: i64, runner: Uuid) -> Result<Option<ReplayTask>, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "SELECT id, release, choice, first_seq, last_seq, place, totals, report, memory
                 FROM replay WHERE id = $1 AND runner = $2 AND state = 'running'",
                &[&id, &runner],
            )
            .await?;
        row.as_ref().map(task).transpose()
    }

    /// Holds a replay for so long; false where somebody else has taken it, or it has ended.
    pub async fn hold_replay(&self, id: i64, runner: Uuid, held: Duration) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let held = client
            .execute(
                "UPDATE replay SET due_at = now() + make_interval(secs => $3)
                 WHERE id = $1 AND runner = $2 AND state = 'running'",
                &[&id, &runner, &held.as_secs_f64()],
            )
            .await?;
        Ok(held == 1)
    }

    /// Stores how far a replay has come, and holds it for so long; false where somebody else has taken it, or it is gone.
    pub async fn save_replay(
        &self,
        id: i64,
        runner: Uuid,
        place: i64,
        found: &ReplayState,
        held: Duration,
    ) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let saved = client
            .execute(
                "UPDATE replay SET place = $3, totals = $4, report = $5, memory = $6, due_at = now() + make_interval(secs => $7)
                 WHERE id = $1 AND runner = $2 AND state = 'running'",
                &[
                    &id,
                    &runner,
                    &place,
                    &found.totals,
                    &found.report,
                    &found.memory,
                    &held.as_secs_f64(),
                ],
            )
            .await?;
        Ok(saved == 1)
    }

    /// Gives a replay back that is not at its end: whoever carries it on may take it at once.
    pub async fn release_replay(&self, id: i64, runner: Uuid) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "UPDATE replay SET due_at = now() WHERE id = $1 AND runner = $2 AND state = 'running'",
                &[&id, &runner],
            )
            .await?;
        Ok(())
    }

    /// Ends a replay: it is done, or failed for this reason.
    pub async fn end_replay(&self, id: i64, runner: Uuid, error: Option<&str>) -> Result<(), StoreError> {
        let state = if error.is_some() { "failed" } else { "done" };
        let client = self.client().await?;
        client
            .execute(
                "UPDATE replay SET state = $3, error = $4, ended_at = now(), memory = '{}'
                 WHERE id = $1 AND runner = $2 AND state = 'running'",
                &[&id, &runner, &state, &error],
            )
            .await?;
        Ok(())
    }

    /// Drops all replays.
    pub async fn forget_replays(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        client.execute("DELETE FROM replay", &[]).await?;
        Ok(())
    }

    /// Drops replays that were created before this time; returns how many, 0 at the end.
    pub async fn prune_replays(&self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let dropped = client
            .execute(
                "DELETE FROM replay WHERE id IN (
                     SELECT id FROM replay WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
                &[&before, &limit],
            )
            .await?;
        Ok(dropped)
    }
}

fn task(row: &Row) -> Result<ReplayTask, StoreError> {
    Ok(ReplayTask {
        id: row.try_get(0)?,
        release: row.try_get(1)?,
        choice: row.try_get(2)?,
        places: (row.try_get(3)?, row.try_get(4)?, row.try_get(5)?),
        found: ReplayState { totals: row.try_get(6)?, report: row.try_get(7)?, memory: row.try_get(8)? },
    })
}

fn stored(row: &Row) -> Result<StoredReplay, StoreError> {
    Ok(StoredReplay {
        id: row.try_get(0)?,
        created_at: row.try_get(1)?,
        who: row.try_get(2)?,
        release: row.try_get(3)?,
        choice: row.try_get(4)?,
        state: row.try_get(5)?,
        by_command: row.try_get(6)?,
        is_held: row.try_get(7)?,
        places: (row.try_get(8)?, row.try_get(9)?, row.try_get(10)?),
        totals: row.try_get(11)?,
        error: row.try_get(12)?,
        ended_at: row.try_get(13)?,
    })
}
