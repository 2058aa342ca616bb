//! What operators have stopped: looked at in the statement that records an intent, and woken again at a pace.

use std::collections::{HashMap, HashSet};

use hookswitch_core::domain::{NotificationId, SwitchKind, SwitchMode, SwitchName};
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Act, COUNTED, Intent, Store, StoreError, session::Transaction};

/// Messages per second that are sent after an operator has resumed them, unless the operator says otherwise.
pub const RESUMED_PER_SECOND: i32 = 20;
/// Held messages per second that are looked at to be dropped.
const DROPPED_PER_SECOND: i32 = 1_000;
/// How far ahead held messages get their places: longer than two looks are apart.
const AHEAD: SignedDuration = SignedDuration::from_secs(8);

/// Joins what has stopped a notification `n`: of several switches one that drops counts before one that holds. A switch
/// that is resumed holds only what has an earlier message of the same line before it. A message of group members is
/// stopped if its reason names no other groups; the pattern is made of the names that are stopped. CASE, so that nothing
/// else is looked up for it.
pub(super) const STOP: &str = r"LEFT JOIN LATERAL (
         SELECT s.kind, s.name, s.mode, s.stopped_by, s.reason FROM switch s
         WHERE CASE s.kind
                 WHEN 'sending' THEN true
                 WHEN 'template' THEN s.name = n.template
                 WHEN 'person' THEN s.name = n.username
                 WHEN 'number' THEN s.name = n.phone_number_id
                 WHEN 'group' THEN strpos(n.reason, s.name) > 0 AND n.reason ~ (
                     SELECT '^(member of (' || g.names || ')((, | and )(' || g.names || '))*(; also )?)+(; in .*)?$'
                     FROM (SELECT string_agg(regexp_replace(name, '([^[:alnum:][:space:]])', '\\\1', 'g'), '|') AS names
                           FROM switch
                           WHERE kind = 'group' AND (mode <> 'resuming' OR s.mode = 'resuming')) g)
                 WHEN 'rule' THEN (
                     SELECT d.rule = s.name OR starts_with(d.rule, s.name || ':') FROM decision d
                     WHERE d.lane = n.event_lane AND d.event_seq = n.event_seq AND d.ordinal = n.ordinal)
                 WHEN 'plugin' THEN (
                     SELECT starts_with(d.rule, 'plugins/' || s.name || '/') FROM decision d
                     WHERE d.lane = n.event_lane AND d.event_seq = n.event_seq AND d.ordinal = n.ordinal)
             END
             AND CASE s.mode
                 WHEN 'resuming' THEN EXISTS (
                     SELECT FROM deferred e
                     WHERE e.recipient = n.recipient AND e.reason IN ('stopped', 'resumed')
                         AND e.stopped_by = s.kind || ' ' || s.name AND e.lane = n.lane
                         AND e.phone_number_id = n.phone_number_id AND e.seq < n.seq)
                 ELSE true
             END
         ORDER BY s.mode, s.stopped_at LIMIT 1
     ) stop ON true";

/// The columns that [`stop`] reads, of [`STOP`].
pub(super) const STOPPED: &str = "stop.mode AS stop_mode, stop.kind AS stop_kind, stop.name AS stop_name,
     stop.stopped_by AS stop_by, stop.reason AS stop_reason";

/// Why a message is not sent now: an operator has stopped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What was stopped.
    pub name: SwitchName,
    /// Whether it is held or dropped, or waits behind those that are sent again.
    pub mode: SwitchMode,
    /// Who stopped it.
    pub by: String,
    /// The reason that they gave.
    pub reason: String,
}

/// What stopped a message, from the columns of [`STOPPED`] that begin at `first`.
pub(super) fn stop(row: &Row, first: usize) -> Result<Option<Stop>, StoreError> {
    let Some(mode) = row.try_get::<_, Option<&str>>(first)? else { return Ok(None) };
    Ok(Some(Stop {
        mode: mode.parse().map_err(StoreError::Row)?,
        name: name(row, first + 1)?,
        by: row.try_get(first + 3)?,
        reason: row.try_get(first + 4)?,
    }))
}

fn name(row: &Row, first: usize) -> Result<SwitchName, StoreError> {
    let kind = row.try_get::<_, &str>(first)?.parse().map_err(StoreError::Row)?;
    Ok(SwitchName { kind, name: row.try_get(first + 1)? })
}

/// A switch, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchFacts {
    /// Which.
    pub name: SwitchName,
    /// What becomes of messages.
    pub mode: SwitchMode,
    /// The reason that was given.
    pub reason: String,
    /// Who stopped it.
    pub by: String,
    /// Since when it is stopped.
    pub since: Timestamp,
    /// While it is resumed: messages per second.
    pub per_second: Option<i32>,
    /// Messages that it holds, those among them that are due within seconds; counted up to [`COUNTED`].
    pub messages: i64,
    /// Events that wait because the plugin is stopped, counted up to [`COUNTED`].
    pub events: i64,
}

impl Store {
    /// All switches with what they hold, by kind and name.
    pub async fn switches(&self) -> Result<Vec<SwitchFacts>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT s.kind, s.name, s.mode, s.reason, s.stopped_by, s.stopped_at, s.per_second,
                        (SELECT count(*) FROM (SELECT FROM deferred d WHERE d.stopped_by = s.kind || ' ' || s.name
                                               ORDER BY d.stopped_by, d.reason, d.seq LIMIT $1) w),
                        (SELECT count(*) FROM (SELECT FROM parked p
                                               WHERE s.kind = 'plugin' AND p.plugin = s.name AND p.stopped AND NOT p.due
                                               ORDER BY p.plugin, p.event_seq, p.ordinal LIMIT $1) w)
                 FROM switch s ORDER BY s.kind, s.name",
            )
            .await?;
        let rows = client.query(&statement, &[&COUNTED]).await?;
        rows.iter()
            .map(|row| {
                Ok(SwitchFacts {
                    name: name(row, 0)?,
                    mode: row.try_get::<_, &str>(2)?.parse().map_err(StoreError::Row)?,
                    reason: row.try_get(3)?,
                    by: row.try_get(4)?,
                    since: row.try_get(5)?,
                    per_second: row.try_get(6)?,
                    messages: row.try_get(7)?,
                    events: row.try_get(8)?,
                })
            })
            .collect()
    }

    /// The plugins that are stopped, by their ids, each with who did it and why, and whether its events are skipped.
    pub async fn stopped_plugins(&self) -> Result<HashMap<String, Stop>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT mode, kind, name, stopped_by, reason FROM switch WHERE kind = 'plugin' AND mode <> 'resuming'",
            )
            .await?;
        let rows = client.query(&statement, &[]).await?;
        let stops = rows.iter().map(|row| stop(row, 0)).collect::<Result<Vec<_>, _>>()?;
        Ok(stops.into_iter().flatten().map(|stop| (stop.name.name.clone(), stop)).collect())
    }

    /// Whether there are notifications of a template among those that wait, or among the counts of the last year.
    pub async fn knows_template(&self, template: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT EXISTS (SELECT FROM template_day WHERE template = $1)
                     OR EXISTS (SELECT FROM meta_template WHERE template = $1)
                     OR EXISTS (SELECT FROM switch WHERE kind = 'template' AND name = $1)",
            )
            .await?;
        Ok(client.query_one(&statement, &[&template]).await?.try_get(0)?)
    }

    /// The usernames of the people who are linked to the contact that has or had an address.
    pub async fn people_at(&self, address: &str) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT p.username FROM contact_address a JOIN person p ON p.contact_id = a.contact_id
                 WHERE a.address = $1 ORDER BY p.username LIMIT 10",
            )
            .await?;
        let rows = client.query(&statement, &[&address]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Which of these messages are stopped, before they are counted against a limit. The intent looks again.
    pub async fn stopped(&self, intents: &[Intent]) -> Result<HashSet<NotificationId>, StoreError> {
        let lanes: Vec<i16> = intents.iter().map(|i| i.track.0).collect();
        let seqs: Vec<i64> = intents.iter().map(|i| i.seq).collect();
        let ids: Vec<Uuid> = intents.iter().map(|i| i.notification_id.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "SELECT i.notification_id FROM unnest($1::smallint[], $2::bigint[], $3::uuid[])
                     AS i (lane, seq, notification_id)
                 JOIN notification n ON n.lane = i.lane AND n.seq = i.seq AND n.id = i.notification_id
                 {STOP}
                 WHERE stop.mode IS NOT NULL"
            ))
            .await?;
        let rows = client.query(&statement, &[&lanes, &seqs, &ids]).await?;
        rows.iter().map(|row| Ok(NotificationId(row.try_get(0)?))).collect()
    }

    /// Stops something, or changes what becomes of its messages, and records the act. From its commit on no intent to send
    /// is recorded for a message that it covers, on any host. Returns whether it was stopped before.
    pub async fn stop(
        &self,
        name: &SwitchName,
        is_dropped: bool,
        reason: &str,
        act: &Act,
    ) -> Result<bool, StoreError> {
        let mode = if is_dropped { SwitchMode::Dropped } else { SwitchMode::Held };
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let before = transaction
            .query_opt(
                "SELECT mode FROM switch WHERE kind = $1 AND name = $2 FOR UPDATE",
                &[&name.kind.as_str(), &name.name],
            )
            .await?;
        let before: Option<String> = before.map(|row| row.try_get(0)).transpose()?;
        transaction
            .execute(
                "INSERT INTO switch (kind, name, mode, reason, stopped_by, stopped_at) VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (kind, name) DO UPDATE
                 SET mode = excluded.mode, reason = excluded.reason, stopped_by = excluded.stopped_by,
                     stopped_at = CASE switch.mode WHEN 'resuming' THEN excluded.stopped_at ELSE switch.stopped_at END,
                     per_second = NULL, woken_until = NULL",
                &[&name.kind.as_str(), &name.name, &mode.as_str(), &reason, &act.who, &self.now()],
            )
            .await?;
        act.append(&transaction, 1).await?;
        transaction.commit().await?;
        Ok(before.is_some_and(|mode| mode != SwitchMode::Resuming.as_str()))
    }

    /// Resumes something, records the act, and gives the first held messages their places: so many a second are sent, the
    /// oldest first. Returns what was held then; `None` if it is not stopped.
    pub async fn resume(
        &self,
        name: &SwitchName,
        per_second: i32,
        act: &Act,
    ) -> Result<Option<SwitchFacts>, StoreError> {
        let facts = self.switches().await?.into_iter().find(|facts| facts.name == *name);
        let now = self.now();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let resumed = transaction
            .execute(
                "UPDATE switch SET mode = 'resuming', per_second = $3, woken_until = $4 WHERE kind = $1 AND name = $2",
                &[&name.kind.as_str(), &name.name, &per_second, &now],
            )
            .await?;
        if resumed == 0 {
            return Ok(None);
        }
        act.append(&transaction, 1).await?;
        let step = Step { name: name.clone(), is_dropped: false, per_second, from: now };
        wake(&transaction, &step, now).await?;
        transaction.commit().await?;
        Ok(facts)
    }

    /// Gives the next held messages their places, of each switch that is resumed or dropped and no other host is at.
    pub async fn wake_stopped(&self) -> Result<(), StoreError> {
        let now = self.now();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        adopt(&transaction, now).await?;
        let rows = transaction
            .query(
                "SELECT kind, name, mode, per_second, woken_until FROM switch WHERE mode <> 'held'
                 ORDER BY kind, name FOR UPDATE SKIP LOCKED",
                &[],
            )
            .await?;
        for row in &rows {
            let is_dropped = row.try_get::<_, &str>(2)? == SwitchMode::Dropped.as_str();
            let per_second = row.try_get::<_, Option<i32>>(3)?;
            let step = Step {
                name: name(row, 0)?,
                is_dropped,
                per_second: per_second.unwrap_or(if is_dropped {
                    DROPPED_PER_SECOND
                } else {
                    RESUMED_PER_SECOND
                }),
                from: row.try_get::<_, Option<Timestamp>>(4)?.unwrap_or(now).max(now),
            };
            wake(&transaction, &step, now).await?;
        }
        transaction.commit().await
    }
}

/// What is to be woken of a switch.
struct Step {
    name: SwitchName,
    is_dropped: bool,
    per_second: i32,
    /// The first free place.
    from: Timestamp,
}

/// Resumes what is held by switches that are gone: a host read the switch before it was resumed, and wrote only afterwards
/// that the message is held.
async fn adopt(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), StoreError> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO switch (kind, name, mode, reason, stopped_by, per_second, woken_until)
             SELECT split_part(h.by, ' ', 1), substr(h.by, strpos(h.by, ' ') + 1), 'resuming', 'resumed', 'hookswitch',
                    $1, $2
             FROM (
                 WITH RECURSIVE held (by) AS (
                     SELECT min(stopped_by) FROM deferred WHERE stopped_by > ''
                     UNION ALL
                     SELECT (SELECT min(d.stopped_by) FROM deferred d WHERE d.stopped_by > held.by)
                     FROM held WHERE held.by IS NOT NULL
                 )
                 SELECT by FROM held WHERE by IS NOT NULL
             ) h
             WHERE NOT EXISTS (SELECT FROM switch s WHERE s.kind || ' ' || s.name = h.by)
             ON CONFLICT (kind, name) DO NOTHING",
        )
        .await?;
    transaction.execute(&statement, &[&RESUMED_PER_SECOND, &now]).await?;
    Ok(())
}

/// Gives what is held its next places. What waits for nothing but its place keeps its recipient's later messages waiting,
/// see [`STOP`]. A switch that was resumed ends when the last message is under way.
async fn wake(transaction: &Transaction<'_>, step: &Step, now: Timestamp) -> Result<(), StoreError> {
    let Step { name, is_dropped, per_second, from } = step;
    let per_second = f64::from((*per_second).max(1));
    let until = now.checked_add(AHEAD).unwrap_or(now);
    let places = (until.duration_since(*from).as_secs_f64() * per_second).floor();
    if places < 1.0 {
        return Ok(());
    }
    let (places, apart) = (places as i64, 1.0 / per_second);
    let statement = transaction
        .prepare_cached(
            "WITH next AS MATERIALIZED (
                 SELECT lane, seq FROM deferred WHERE stopped_by = $1 AND reason = 'stopped'
                 ORDER BY stopped_by, reason, seq LIMIT $2 FOR UPDATE SKIP LOCKED
             ), placed AS (
                 SELECT lane, seq, row_number() OVER (ORDER BY seq) AS place FROM next
             )
             UPDATE deferred d
             SET reason = 'resumed', due_at = $3::timestamptz + placed.place * make_interval(secs => $4)
             FROM placed WHERE d.lane = placed.lane AND d.seq = placed.seq",
        )
        .await?;
    let woken = transaction.execute(&statement, &[&name.key(), &places, from, &apart]).await?;
    let left = places - i64::try_from(woken).unwrap_or(places);
    let events = match name.kind {
        SwitchKind::Plugin if left > 0 => wake_events(transaction, &name.name, left).await?,
        _ => 0,
    };
    let given = (woken + events) as f64 * apart;
    let woken_until = from.checked_add(SignedDuration::from_secs_f64(given)).unwrap_or(*from);
    transaction
        .execute(
            "UPDATE switch SET woken_until = $3 WHERE kind = $1 AND name = $2",
            &[&name.kind.as_str(), &name.name, &woken_until],
        )
        .await?;
    if !is_dropped && events == 0 && left > 0 {
        let statement = transaction
            .prepare_cached(
                "DELETE FROM switch WHERE kind = $1 AND name = $2 AND mode = 'resuming'
                     AND NOT EXISTS (SELECT FROM deferred WHERE stopped_by = $3)",
            )
            .await?;
        transaction.execute(&statement, &[&name.kind.as_str(), &name.name, &name.key()]).await?;
    }
    Ok(())
}

/// Has the next events decided again that wait because a plugin was stopped.
async fn wake_events(transaction: &Transaction<'_>, plugin: &str, limit: i64) -> Result<u64, StoreError> {
    let statement = transaction
        .prepare_cached(
            "WITH next AS MATERIALIZED (
                 SELECT lane, event_seq, ordinal FROM parked WHERE plugin = $1 AND stopped AND NOT due
                 ORDER BY plugin, event_seq, ordinal LIMIT $2 FOR UPDATE SKIP LOCKED
             )
             UPDATE parked p SET due = true FROM next
             WHERE p.lane = next.lane AND p.event_seq = next.event_seq AND p.ordinal = next.ordinal",
        )
        .await?;
    transaction.execute(&statement, &[&plugin, &limit]).await
}
