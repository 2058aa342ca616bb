//! Shadows: a release that decides beside the live one and sends nothing, who is at it, and what was found.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Act, ReplayState, Store, StoreError, operator_action::commit_change};

/// A shadow that begins.
#[derive(Clone, Debug)]
pub struct NewShadow<'a> {
    /// Who asked for it.
    pub who: &'a str,
    /// What was said of it.
    pub note: Option<&'a str>,
    /// The id of the release that is tried.
    pub release: &'a str,
    /// The id of the active release, with which it is compared.
    pub live: &'a str,
    /// The place of the last activation.
    pub activation: i64,
    /// The first so many lanes are looked at.
    pub lanes: i16,
    /// How long it takes.
    pub time: Duration,
    /// What was found, which is nothing yet.
    pub found: &'a ReplayState,
}

/// How a shadow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowEnd {
    /// Its time was over.
    Time,
    /// An operator stopped it.
    Stopped,
    /// Its rules failed too often.
    Failures,
    /// Its rules took too long.
    Slow,
    /// Another release was activated.
    Activation,
    /// It could not be carried on.
    Error,
}

impl ShadowEnd {
    const ALL: [ShadowEnd; 6] = [
        ShadowEnd::Time,
        ShadowEnd::Stopped,
        ShadowEnd::Failures,
        ShadowEnd::Slow,
        ShadowEnd::Activation,
        ShadowEnd::Error,
    ];

    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            ShadowEnd::Time => "time",
            ShadowEnd::Stopped => "stopped",
            ShadowEnd::Failures => "failures",
            ShadowEnd::Slow => "slow",
            ShadowEnd::Activation => "activation",
            ShadowEnd::Error => "error",
        }
    }

    fn read(word: &str) -> Result<ShadowEnd, StoreError> {
        let found = ShadowEnd::ALL.into_iter().find(|end| end.as_str() == word);
        found.ok_or_else(|| StoreError::Row(format!("a shadow ended by {word}")))
    }
}

/// A shadow as it is stored.
#[derive(Clone, Debug)]
pub struct StoredShadow {
    /// Its id.
    pub id: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// Who asked for it.
    pub who: String,
    /// What was said of it.
    pub note: Option<String>,
    /// The id of the release that is tried.
    pub release: String,
    /// The id of the release with which it is compared.
    pub live: String,
    /// The first so many lanes are looked at.
    pub lanes: i16,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Whether a host is at it now.
    pub is_held: bool,
    /// Why a host could not go on with it.
    pub trouble: Option<String>,
    /// The numbers: JSON.
    pub totals: String,
    /// The report: JSON.
    pub report: String,
    /// CPU time of the rules that are live, and of those that are tried, in microseconds.
    pub micros: (i64, i64),
    /// How, why and when it ended.
    pub ended: Option<(ShadowEnd, Option<String>, Timestamp)>,
}

/// A shadow to carry on.
#[derive(Clone, Debug)]
pub struct ShadowTask {
    /// Its id.
    pub id: i64,
    /// The id of the release that is tried.
    pub release: String,
    /// The id of the release with which it is compared.
    pub live: String,
    /// The place of the activation with which it began.
    pub activation: i64,
    /// When it ends by itself.
    pub until: Timestamp,
    /// How far each lane was looked at; the index is the lane.
    pub places: Vec<i64>,
    /// How often hosts have taken it since one got further.
    pub takes: i16,
    /// What was found so far.
    pub found: ReplayState,
    /// CPU time of the rules that are live, and of those that are tried, in microseconds.
    pub micros: (i64, i64),
}

/// What a host has found since it stored that last.
#[derive(Clone, Debug)]
pub struct ShadowProgress<'a> {
    /// How far each lane was looked at.
    pub places: &'a [i64],
    /// What was found.
    pub found: &'a ReplayState,
    /// CPU time of the rules that are live, and of those that are tried, in microseconds.
    pub micros: (i64, i64),
    /// The events that differ: their lanes, places, and what differs as JSON.
    pub differences: (&'a [i16], &'a [i64], &'a [String]),
}

impl Store {
    /// Stores a shadow that begins, which is an operator's act, and returns its id. It looks at the events that are accepted from
    /// now on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another one has not ended.
    pub async fn create_shadow(&self, new: &NewShadow<'_>, act: &Act) -> Result<i64, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let row = transaction
            .query_one(
                "INSERT INTO shadow (who, note, release, live, activation, lanes, until, places, totals, report, memory)
                 SELECT $1, $2, $3, $4, $5, $6::smallint, now() + make_interval(secs => $7),
                        ARRAY(SELECT coalesce((SELECT max(e.seq) FROM event e WHERE e.lane = l.lane), 0)
                              FROM generate_series(0, $6::smallint - 1) AS l (lane) ORDER BY l.lane),
                        $8, $9, $10
                 RETURNING id",
                &[
                    &new.who,
                    &new.note,
                    &new.release,
                    &new.live,
                    &new.activation,
                    &new.lanes,
                    &new.time.as_secs_f64(),
                    &new.found.totals,
                    &new.found.report,
                    &new.found.memory,
                ],
            )
            .await?;
        act.append(&transaction, 1).await?;
        transaction.commit().await?;
        Ok(row.try_get(0)?)
    }

    /// Ends a shadow whose time has been over for this long, which no host has ended.
    pub async fn end_overdue_shadow(&self, since: Duration) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "UPDATE shadow SET ended_by = 'time', ended_at = now(), memory = '{}'
                 WHERE ended_at IS NULL AND until < now() - make_interval(secs => $1)",
                &[&since.as_secs_f64()],
            )
            .await?;
        Ok(())
    }

    /// The last shadow, or that of a release.
    pub async fn last_shadow(&self, release: Option<&str>) -> Result<Option<StoredShadow>, StoreError> {
        let client = self.client().await?;
        let row = match release {
            Some(release) => {
                client
                    .query_opt(
                        "SELECT id, started_at, who, note, release, live, lanes, until, due_at > now(), trouble, totals, report,
                                live_micros, own_micros, ended_by, ended_why, ended_at
                         FROM shadow WHERE release = $1 ORDER BY id DESC LIMIT 1",
                        &[&release],
                    )
                    .await?
            }
            None => {
                client
                    .query_opt(
                        "SELECT id, started_at, who, note, release, live, lanes, until, due_at > now(), trouble, totals, report,
                                live_micros, own_micros, ended_by, ended_why, ended_at
                         FROM shadow ORDER BY id DESC LIMIT 1",
                        &[],
                    )
                    .await?
            }
        };
        row.as_ref().map(stored).transpose()
    }

    /// The events for which a shadow decided something else, in the order of the log.
    pub async fn shadow_differences(&self, id: i64, limit: i64) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT found FROM shadow_difference WHERE shadow = $1 ORDER BY event_seq, lane LIMIT $2",
                &[&id, &limit],
            )
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Takes the shadow that no host is at, for so long.
    pub async fn take_shadow(&self, runner: Uuid, held: Duration) -> Result<Option<ShadowTask>, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "UPDATE shadow SET runner = $1, due_at = now() + make_interval(secs => $2), takes = takes + 1
                 WHERE id = (SELECT id FROM shadow WHERE ended_at IS NULL AND due_at <= now() FOR UPDATE SKIP LOCKED)
                 RETURNING id, release, live, activation, until, places, takes, totals, report, memory, live_micros, own_micros",
                &[&runner, &held.as_secs_f64()],
            )
            .await?;
        row.as_ref().map(task).transpose()
    }

    /// Holds a shadow for so long; false where another host has taken it, or it has ended.
    pub async fn hold_shadow(&self, id: i64, runner: Uuid, held: Duration) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let held = client
            .execute(
                "UPDATE shadow SET due_at = now() + make_interval(secs => $3)
                 WHERE id = $1 AND runner = $2 AND ended_at IS NULL",
                &[&id, &runner, &held.as_secs_f64()],
            )
            .await?;
        Ok(held == 1)
    }

    /// Stores what a shadow has found, and holds it for so long; of the events that differ, at most `most` are kept. False where
    /// another host has taken it, or it has ended.
    pub async fn save_shadow(
        &self,
        id: i64,
        runner: Uuid,
        progress: &ShadowProgress<'_>,
        most: i64,
        held: Duration,
    ) -> Result<bool, StoreError> {
        let ShadowProgress { places, found, micros: (live, own), differences } = progress;
        let (lanes, seqs, words) = *differences;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let saved = transaction
            .execute(
                "UPDATE shadow SET places = $3, totals = $4, report = $5, memory = $6, live_micros = $7, own_micros = $8,
                        takes = 0, trouble = NULL, due_at = now() + make_interval(secs => $9)
                 WHERE id = $1 AND runner = $2 AND ended_at IS NULL",
                &[
                    &id,
                    &runner,
                    places,
                    &found.totals,
                    &found.report,
                    &found.memory,
                    live,
                    own,
                    &held.as_secs_f64(),
                ],
            )
            .await?;
        if saved == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        if !lanes.is_empty() {
            transaction
                .execute(
                    "INSERT INTO shadow_difference (shadow, lane, event_seq, found)
                     SELECT $1, d.lane, d.seq, d.found
                     FROM unnest($2::smallint[], $3::bigint[], $4::text[]) WITH ORDINALITY AS d (lane, seq, found, nth)
                     WHERE d.nth <= $5 - (
                         SELECT count(*) FROM (
                             SELECT FROM shadow_difference k WHERE k.shadow = $1 LIMIT $5) AS kept)",
                    &[&id, &lanes, &seqs, &words, &most],
                )
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Gives a shadow back that has not ended: another host may take it in so long. `trouble` says why this one could not go on.
    pub async fn release_shadow(
        &self,
        id: i64,
        runner: Uuid,
        trouble: Option<&str>,
        pause: Duration,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "UPDATE shadow SET due_at = now() + make_interval(secs => $4), takes = 0, trouble = coalesce($3, trouble)
                 WHERE id = $1 AND runner = $2 AND ended_at IS NULL",
                &[&id, &runner, &trouble, &pause.as_secs_f64()],
            )
            .await?;
        Ok(())
    }

    /// Ends a shadow, by whomever: an operator's act is recorded. False if it has ended.
    pub async fn end_shadow(
        &self,
        id: i64,
        by: ShadowEnd,
        why: Option<&str>,
        act: Option<&Act>,
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let ended = transaction
            .execute(
                "UPDATE shadow SET ended_by = $2, ended_why = $3, ended_at = now(), memory = '{}'
                 WHERE id = $1 AND ended_at IS NULL",
                &[&id, &by.as_str(), &why],
            )
            .await?;
        commit_change(transaction, ended, act).await
    }

    /// Drops all shadows.
    pub async fn forget_shadows(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        client.execute("DELETE FROM shadow", &[]).await?;
        Ok(())
    }

    /// Drops shadows that began before this time and have ended; returns how many, 0 at the end.
    pub async fn prune_shadows(&self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let dropped = client
            .execute(
                "DELETE FROM shadow WHERE id IN (
                     SELECT id FROM shadow WHERE started_at < $1 AND ended_at IS NOT NULL ORDER BY started_at LIMIT $2)",
                &[&before, &limit],
            )
            .await?;
        Ok(dropped)
    }
}

fn stored(row: &Row) -> Result<StoredShadow, StoreError> {
    let ended: (Option<String>, Option<Timestamp>) = (row.try_get(14)?, row.try_get(16)?);
    let ended = match ended {
        (Some(by), Some(at)) => Some((ShadowEnd::read(&by)?, row.try_get(15)?, at)),
        _ => None,
    };
    Ok(StoredShadow {
        id: row.try_get(0)?,
        started_at: row.try_get(1)?,
        who: row.try_get(2)?,
        note: row.try_get(3)?,
        release: row.try_get(4)?,
        live: row.try_get(5)?,
        lanes: row.try_get(6)?,
        until: row.try_get(7)?,
        is_held: row.try_get(8)?,
        trouble: row.try_get(9)?,
        totals: row.try_get(10)?,
        report: row.try_get(11)?,
        micros: (row.try_get(12)?, row.try_get(13)?),
        ended,
    })
}

fn task(row: &Row) -> Result<ShadowTask, StoreError> {
    Ok(ShadowTask {
        id: row.try_get(0)?,
        release: row.try_get(1)?,
        live: row.try_get(2)?,
        activation: row.try_get(3)?,
        until: row.try_get(4)?,
        places: row.try_get(5)?,
        takes: row.try_get(6)?,
        found: ReplayState { totals: row.try_get(7)?, report: row.try_get(8)?, memory: row.try_get(9)? },
        micros: (row.try_get(10)?, row.try_get(11)?),
    })
}
