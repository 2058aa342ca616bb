//! What waits: rows that come and go.

use std::collections::{HashMap, HashSet};

use hookswitch_core::domain::{Delivery, Lane, NotificationId, Priority, Refusal, Track, WaitReason};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Store, StoreError, delivery, opt_out,
    recipient::{ADDRESS, JOINS, REFUSAL, REFUSAL_WIDTH, refusal},
    session::{Transaction, together},
    switch::{STOP, STOPPED, Stop, stop},
};

/// A notification that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Deferred {
    /// Its track.
    pub track: Track,
    /// Its place in the notification log.
    pub seq: i64,
    /// Its id.
    pub notification_id: NotificationId,
    /// The number that sends, by Meta's id.
    pub phone_number_id: String,
    /// The recipient as it was planned: a `wa_id` or a user id.
    pub recipient: String,
    /// The person's username, where it is for staff.
    pub username: Option<String>,
    /// The template, by its name in the catalog.
    pub template: String,
    /// Until when.
    pub due_at: Timestamp,
    /// The attempt that is to be made, or, where the reason is `unknown`, that was made.
    pub attempt: i16,
    /// How many refusals count against it so far.
    pub failures: i16,
    /// Why.
    pub reason: WaitReason,
    /// The switch that holds it, see [`SwitchName::key`]; only with [`WaitReason::Stopped`].
    ///
    /// [`SwitchName::key`]: hookswitch_core::domain::SwitchName::key
    pub stopped_by: Option<String>,
}

/// That a notification waits no more.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Its place in the log.
    pub place: (Track, i64),
    /// The last attempt that was made.
    pub attempt: i16,
}

/// That an attempt is about to be made.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The notification's track.
    pub track: Track,
    /// Its place.
    pub seq: i64,
    /// Its id.
    pub notification_id: NotificationId,
    /// From 1.
    pub attempt: i16,
    /// Whether it is marketing, which some do not want.
    pub is_marketing: bool,
    /// How it goes out, in words.
    pub form: String,
}

/// What came of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intended {
    /// It is ours to send.
    Ours {
        /// The `wa_id` or user id at which its recipient is reached now; not always the one that was planned.
        to: String,
    },
    /// The attempt was begun before, by whoever held the lane or by a statement of ours whose answer was lost: it
    /// waits as `unknown`.
    Begun,
    /// It must not be sent; no intent was appended.
    Refused(Refusal),
    /// An operator has stopped it; no intent was appended.
    Stopped(Stop),
}

/// That a message failed after Meta had taken it, and is to be tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct LateRetry {
    /// Which.
    pub notification_id: NotificationId,
    /// The attempt that failed.
    pub failed: i16,
    /// When the next is due.
    pub due_at: Timestamp,
    /// What it waits for.
    pub reason: WaitReason,
}

/// A notification that waits, and keeps the later ones of its line and priority waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its track.
    pub track: Track,
    /// Its place in the notification log.
    pub seq: i64,
    /// The number that sends, by Meta's id.
    pub phone_number_id: String,
    /// The `wa_id` or user id.
    pub recipient: String,
    /// Until when.
    pub due_at: Timestamp,
    /// For what.
    pub reason: WaitReason,
}

/// Messages of a line and priority that wait for earlier ones.
#[derive(Clone, Copy, Debug)]
pub struct Behind<'a> {
    /// Their track.
    pub track: Track,
    /// The number that sends, by Meta's id.
    pub phone_number_id: &'a str,
    /// The `wa_id` or user id.
    pub recipient: &'a str,
    /// The place in the notification log of one that keeps those after it waiting.
    pub before: Option<i64>,
}

impl Store {
    /// What waits for a version of these templates is due now: one is in use.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it.
    pub async fn template_approved(&self, templates: &[&str], now: Timestamp) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE deferred SET due_at = $2
                 WHERE reason = 'window' AND due_at > $2 AND template = ANY($1)",
            )
            .await?;
        client.execute(&statement, &[&templates, &now]).await
    }

    /// What waits in these lanes for something that keeps later messages waiting, in the order of the log.
    pub async fn waiting(&self, lanes: &[Lane]) -> Result<Vec<Waiting>, StoreError> {
        let tracks: Vec<i16> = lanes
            .iter()
            .flat_map(|lane| Priority::ALL.map(|priority| Track::new(*lane, priority).0))
            .collect();
        let block = WaitReason::ALL.into_iter().filter(|reason| reason.blocks_others());
        let reasons: Vec<&str> = block.map(WaitReason::as_str).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT lane, seq, phone_number_id, recipient, due_at, reason FROM deferred
                 WHERE reason = ANY($2) AND lane = ANY($1)
                 ORDER BY seq",
            )
            .await?;
        let rows = client.query(&statement, &[&tracks, &reasons]).await?;
        rows.iter()
            .map(|row| {
                Ok(Waiting {
                    track: Track(row.try_get(0)?),
                    seq: row.try_get(1)?,
                    phone_number_id: row.try_get(2)?,
                    recipient: row.try_get(3)?,
                    due_at: row.try_get(4)?,
                    reason: row.try_get::<_, &str>(5)?.parse().unwrap_or(WaitReason::Retry),
                })
            })
            .collect()
    }

    /// Claims the right to send, and decides at the same moment whether each message may still be sent, and where:
    /// appends one intent an attempt, but for those whose recipient does not want or may not get it. An opt-out that
    /// was committed before counts, whenever the message was read. Intents are appended in the order of their key, so
    /// that two hosts that append the same wait for each other and not in a circle. A notification that was lost with the
    /// server that had it, or deleted, is absent from what is returned.
    pub async fn intend(
        &self,
        intents: &[Intent],
        now: Timestamp,
    ) -> Result<HashMap<NotificationId, Intended>, StoreError> {
        let lanes: Vec<i16> = intents.iter().map(|i| i.track.0).collect();
        let seqs: Vec<i64> = intents.iter().map(|i| i.seq).collect();
        let ids: Vec<Uuid> = intents.iter().map(|i| i.notification_id.0).collect();
        let attempts: Vec<i16> = intents.iter().map(|i| i.attempt).collect();
        let marketing: Vec<bool> = intents.iter().map(|i| i.is_marketing).collect();
        let forms: Vec<&str> = intents.iter().map(|i| i.form.as_str()).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                // PostgreSQL takes the intents to be one, so a join with what was made would compare each with each; IN does not.
                "WITH intent AS MATERIALIZED (
                     SELECT {REFUSAL}, i.notification_id, i.attempt, i.marketing, i.form, {ADDRESS} AS address,
                            {STOPPED}
                     FROM unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::smallint[], $5::boolean[],
                                 $6::text[]) AS i (lane, seq, notification_id, attempt, marketing, form)
                     JOIN notification n ON n.lane = i.lane AND n.seq = i.seq AND n.id = i.notification_id
                     {JOINS} {STOP}
                 ), made AS (
                     INSERT INTO delivery (notification_id, attempt, status, at, detail)
                     SELECT notification_id, attempt, 'sending', $7, form FROM intent
                     WHERE stop_mode IS NULL
                         AND (obstacle IS NULL
                             OR (obstacle = 'opted_out' AND scope = 'marketing' AND NOT marketing))
                     ORDER BY notification_id, attempt
                     ON CONFLICT DO NOTHING
                     RETURNING notification_id
                 )
                 SELECT i.obstacle, i.username, i.scope, i.source, i.at, i.withdrawn, i.notification_id, i.marketing,
                        i.address,
                        i.notification_id IN (SELECT notification_id FROM made),
                        (i.obstacle IS NOT NULL OR i.stop_mode IS NOT NULL) AND EXISTS (
                            SELECT FROM delivery d WHERE d.notification_id = i.notification_id
                                AND d.attempt = i.attempt AND d.status = 'sending'),
                        i.stop_mode, i.stop_kind, i.stop_name, i.stop_by, i.stop_reason
                 FROM intent i"
            ))
            .await?;
        let rows =
            client.query(&statement, &[&lanes, &seqs, &ids, &attempts, &marketing, &forms, &now]).await?;
        let mut intended = HashMap::with_capacity(rows.len());
        for row in &rows {
            let rest = REFUSAL_WIDTH;
            let refusal = refusal(row, 0, row.try_get(rest + 1)?)?;
            let (is_ours, was_begun): (bool, bool) = (row.try_get(rest + 3)?, row.try_get(rest + 4)?);
            let came_out = match (is_ours, refusal, row.try_get(rest + 2)?) {
                (true, _, Some(to)) => Intended::Ours { to },
                (false, Some(why), _) if !was_begun => Intended::Refused(why),
                (false, None, _) if !was_begun => {
                    stop(row, rest + 5)?.map_or(Intended::Begun, Intended::Stopped)
                }
                _ => Intended::Begun,
            };
            intended.insert(NotificationId(row.try_get(rest)?), came_out);
        }
        Ok(intended)
    }

    /// Which of these places in the log wait here.
    pub async fn deferred_places(
        &self,
        places: &[(Track, i64)],
    ) -> Result<HashSet<(Track, i64)>, StoreError> {
        let lanes: Vec<i16> = places.iter().map(|(track, _)| track.0).collect();
        let seqs: Vec<i64> = places.iter().map(|(_, seq)| *seq).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT lane, seq FROM deferred JOIN unnest($1::smallint[], $2::bigint[]) AS p (lane, seq)
                 USING (lane, seq)",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &seqs]).await?;
        rows.iter().map(|row| Ok((Track(row.try_get(0)?), row.try_get(1)?))).collect()
    }

    /// These are due now: what they waited for has gone on.
    pub async fn hasten(&self, behind: &[Behind<'_>], now: Timestamp) -> Result<(), StoreError> {
        let lanes: Vec<i16> = behind.iter().map(|line| line.track.0).collect();
        let numbers: Vec<&str> = behind.iter().map(|line| line.phone_number_id).collect();
        let recipients: Vec<&str> = behind.iter().map(|line| line.recipient).collect();
        let before: Vec<Option<i64>> = behind.iter().map(|line| line.before).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE deferred SET due_at = $4
                 FROM unnest($1::smallint[], $2::text[], $3::text[], $5::bigint[])
                     AS l (lane, phone_number_id, recipient, before)
                 WHERE deferred.recipient = l.recipient AND deferred.lane = l.lane
                     AND deferred.phone_number_id = l.phone_number_id
                     AND deferred.reason IN ('behind', 'as_template') AND deferred.due_at > $4
                     AND (l.before IS NULL OR deferred.seq < l.before)",
            )
            .await?;
        client.execute(&statement, &[&lanes, &numbers, &recipients, &now, &before]).await?;
        Ok(())
    }

    /// Writes outcomes: delivery rows, what waits, what waits no more, and the numbers or user ids that want no
    /// marketing, as Meta says, all or nothing.
    pub async fn settle(
        &self,
        deliveries: &[&Delivery],
        deferred: &[&Deferred],
        done: &[&Done],
        opted_out: &[&str],
    ) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        together(
            delivery::append(&transaction, deliveries),
            upsert(&transaction, deferred),
            remove(&transaction, done),
        )
        .await?;
        opt_out::refused(&transaction, opted_out, self.now()).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Lets notifications wait for their next attempt that failed late; not one that is on its way again already.
pub(super) async fn retry_late(
    transaction: &Transaction<'_>,
    retries: &[&LateRetry],
) -> Result<(), StoreError> {
    if retries.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = retries.iter().map(|r| r.notification_id.0).collect();
    let failed: Vec<i16> = retries.iter().map(|r| r.failed).collect();
    let dues: Vec<Timestamp> = retries.iter().map(|r| r.due_at).collect();
    let reasons: Vec<&str> = retries.iter().map(|r| r.reason.as_str()).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO deferred (lane, seq, notification_id, phone_number_id, recipient, username, template, due_at,
                 attempt, failures, reason)
             SELECT n.lane, n.seq, n.id, n.phone_number_id, n.recipient, n.username, n.template, r.due_at, r.failed + 1,
                 r.failed, r.reason
             FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[])
                 AS r (id, failed, due_at, reason)
             JOIN notification n ON n.id = r.id
             WHERE n.recipient IS NOT NULL AND NOT EXISTS (
                 SELECT FROM delivery d WHERE d.notification_id = r.id AND d.attempt > r.failed)
             ORDER BY n.lane, n.seq
             ON CONFLICT (lane, seq) DO UPDATE
             SET due_at = excluded.due_at, attempt = excluded.attempt, failures = excluded.failures,
                 reason = excluded.reason, stopped_by = NULL
             WHERE deferred.attempt < excluded.attempt",
        )
        .await?;
    transaction.execute(&statement, &[&ids, &failed, &dues, &reasons]).await?;
    Ok(())
}

/// Lets notifications wait, or wait longer; not one that waits for a later attempt: a webhook told that this one failed
/// before its answer was given up. Nor one that was lost with the server that had it: another may have its place.
async fn upsert(transaction: &Transaction<'_>, rows: &[&Deferred]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let lanes: Vec<i16> = rows.iter().map(|r| r.track.0).collect();
    let seqs: Vec<i64> = rows.iter().map(|r| r.seq).collect();
    let ids: Vec<Uuid> = rows.iter().map(|r| r.notification_id.0).collect();
    let numbers: Vec<&str> = rows.iter().map(|r| r.phone_number_id.as_str()).collect();
    let recipients: Vec<&str> = rows.iter().map(|r| r.recipient.as_str()).collect();
    let usernames: Vec<Option<&str>> = rows.iter().map(|r| r.username.as_deref()).collect();
    let templates: Vec<&str> = rows.iter().map(|r| r.template.as_str()).collect();
    let dues: Vec<Timestamp> = rows.iter().map(|r| r.due_at).collect();
    let attempts: Vec<i16> = rows.iter().map(|r| r.attempt).collect();
    let failures: Vec<i16> = rows.iter().map(|r| r.failures).collect();
    let reasons: Vec<&str> = rows.iter().map(|r| r.reason.as_str()).collect();
    let stopped: Vec<Option<&str>> = rows.iter().map(|r| r.stopped_by.as_deref()).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO deferred (lane, seq, notification_id, phone_number_id, recipient, username, template, due_at,
                 attempt, failures, reason, stopped_by)
             SELECT d.* FROM unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                                    $7::text[], $8::timestamptz[], $9::smallint[], $10::smallint[], $11::text[],
                                    $12::text[])
                 AS d (lane, seq, id, phone_number_id, recipient, username, template, due_at, attempt, failures, reason,
                       stopped_by)
             JOIN notification n ON n.lane = d.lane AND n.seq = d.seq AND n.id = d.id
             ORDER BY 1, 2
             ON CONFLICT (lane, seq) DO UPDATE
             SET due_at = excluded.due_at, attempt = excluded.attempt, failures = excluded.failures,
                 reason = excluded.reason, stopped_by = excluded.stopped_by
             WHERE deferred.attempt <= excluded.attempt",
        )
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &lanes,
                &seqs,
                &ids,
                &numbers,
                &recipients,
                &usernames,
                &templates,
                &dues,
                &attempts,
                &failures,
                &reasons,
                &stopped,
            ],
        )
        .await?;
    Ok(())
}

/// Ends the waiting of notifications that have their outcome; not of one for which a later attempt was arranged meanwhile,
/// and not where the outcome was lost with the server that had it.
async fn remove(transaction: &Transaction<'_>, done: &[&Done]) -> Result<(), StoreError> {
    if done.is_empty() {
        return Ok(());
    }
    let lanes: Vec<i16> = done.iter().map(|d| d.place.0.0).collect();
    let seqs: Vec<i64> = done.iter().map(|d| d.place.1).collect();
    let attempts: Vec<i16> = done.iter().map(|d| d.attempt).collect();
    let statement = transaction
        .prepare_cached(
            "DELETE FROM deferred USING unnest($1::smallint[], $2::bigint[], $3::smallint[])
                 AS d (lane, seq, attempt)
             WHERE deferred.lane = d.lane AND deferred.seq = d.seq AND deferred.attempt <= d.attempt
                 AND EXISTS (
                     SELECT FROM delivery o
                     WHERE o.notification_id = deferred.notification_id
                         AND (o.status IN ('delivered', 'read', 'played')
                             OR o.attempt >= d.attempt AND o.status IN ('failed', 'skipped', 'expired')
                             OR o.status IN ('accepted', 'held', 'sent')
                                 AND (o.attempt >= d.attempt OR NOT EXISTS (
                                     SELECT FROM delivery f
                                     WHERE f.notification_id = o.notification_id AND f.attempt = o.attempt
                                         AND f.status = 'failed'))))",
        )
        .await?;
    transaction.execute(&statement, &[&lanes, &seqs, &attempts]).await?;
    Ok(())
}
