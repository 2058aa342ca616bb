//! The decision log, which is routing's cursor too, and the dedupe keys in force.

use std::collections::{HashMap, HashSet};

use hookswitch_core::domain::{AtMost, DecisionOutcome, Lane, Message, Notification, uuid_at};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Incarnation, NOTIFICATION_LOG, Store, StoreError,
    session::{Transaction, together},
};

/// A row of the decision log.
#[derive(Clone, Debug)]
pub struct DecisionRow {
    /// The event's lane.
    pub lane: Lane,
    /// The event's place in its log.
    pub event_seq: i64,
    /// From 0: which of the event's decisions.
    pub ordinal: i16,
    /// How often the event had been routed whole before.
    pub run: i16,
    /// What it came to.
    pub outcome: DecisionOutcome,
    /// Why, in words.
    pub reason: Option<String>,
    /// `route`, `script` or `plugin`.
    pub engine: Option<&'static str>,
    /// `file:line` of the rule.
    pub rule: Option<String>,
    /// The catalog's release.
    pub release: String,
    /// The decision, as JSON.
    pub decision: Option<String>,
    /// What the rule asked and was told, as JSON.
    pub asked: Option<String>,
}

/// A notification with its decision; `skipped` says why it will never be sent.
#[derive(Clone, Debug)]
pub struct NotificationRow {
    /// The event's lane.
    pub event_lane: Lane,
    /// The event's place in its log.
    pub event_seq: i64,
    /// Which of the event's decisions.
    pub ordinal: i16,
    /// The notification, with its message as it is kept.
    pub notification: Notification,
    /// The message as it is sent, where that has values that must not stay.
    pub clear: Option<Message>,
    /// Why it will never be sent, where that is known already.
    pub skipped: Option<String>,
    /// How many its recipient gets.
    pub limit: Option<Limit>,
}

/// How many messages of some templates a recipient gets within a time.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The maximum, and the time.
    pub at_most: AtMost,
    /// The templates that are counted together.
    pub templates: Vec<String>,
}

/// A dedupe key that a decision wants to use.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupeClaim {
    /// The template's name.
    pub template: String,
    /// The decision's key.
    pub key: String,
    /// The event's lane.
    pub lane: i16,
    /// The event's place in its log.
    pub event_seq: i64,
    /// For how long the key counts, in seconds.
    pub seconds: i64,
}

/// The event that used a dedupe key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DedupeHolder {
    /// Its lane.
    pub lane: i16,
    /// Its place in its log.
    pub event_seq: i64,
    /// Its id and source, if it is still in the log.
    pub event: Option<(String, String)>,
    /// Until when the key counts.
    pub expires_at: Timestamp,
}

/// One transaction of routing: claims, then the rows. Dropped without `commit`, it leaves nothing.
pub struct RoutingTransaction<'a> {
    pub(super) transaction: Transaction<'a>,
}

impl Store {
    /// How far each of these lanes is routed: the greatest `event_seq` that has a decision or is on the list of what is
    /// unfinished, else 0. Nothing is known of a lane where another server answers.
    pub async fn routed_until(
        &self,
        lanes: &[Lane],
        incarnation: Option<&Incarnation>,
    ) -> Result<Vec<(Lane, i64)>, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT l.lane, greatest(
                     (SELECT max(event_seq) FROM decision d WHERE d.lane = l.lane),
                     (SELECT max(event_seq) FROM unfinished u WHERE u.lane = l.lane), 0)
                 FROM unnest($1::smallint[]) AS l (lane)
                 WHERE extract(epoch FROM pg_postmaster_start_time())::text = $2",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &incarnation]).await?;
        rows.iter().map(|row| Ok((Lane(row.try_get(0)?), row.try_get(1)?))).collect()
    }

    /// Forgets dedupe keys that are no longer in force.
    pub async fn forget_dedupe(&self) -> Result<u64, StoreError> {
        self.client().await?.execute("DELETE FROM dedupe WHERE expires_at < now()", &[]).await
    }

    /// Whether PostgreSQL takes routing's rows at all, whatever is in them: it answers, has room, lets us write, and
    /// gives the lock. Leaves nothing behind.
    pub async fn can_route(&self) -> bool {
        let probe = async {
            let mut client = self.client().await?;
            let transaction = client.transaction().await?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&NOTIFICATION_LOG]).await?;
            transaction
                .execute(
                    "INSERT INTO decision (lane, event_seq, ordinal, outcome, release)
                     VALUES (-1, 0, 0, 'failed', '')",
                    &[],
                )
                .await?;
            transaction.rollback().await?;
            Ok::<(), StoreError>(())
        };
        probe.await.is_ok()
    }

    /// Runs `work` in one transaction of routing and commits it; on the server that was read from, where places that are
    /// remembered are written.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where another answers; then nothing was done.
    pub async fn route<T>(
        &self,
        read_from: Option<&Incarnation>,
        work: impl AsyncFnOnce(&RoutingTransaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut client = self.client().await?;
        let transaction = match read_from {
            Some(incarnation) => client.transaction_on(incarnation).await?,
            None => client.transaction().await?,
        };
        let routing = RoutingTransaction { transaction };
        let result = work(&routing).await?;
        routing.transaction.commit().await?;
        Ok(result)
    }
}

impl RoutingTransaction<'_> {
    /// Claims dedupe keys, and returns those that were free, each with its template. Of two equal keys pass only the
    /// first claim. How long a key counts is measured by the database's clock, which all hosts share.
    pub async fn claim(&self, claims: &[DedupeClaim]) -> Result<HashSet<(String, String)>, StoreError> {
        // Sorted, so that two hosts take the keys in one order and cannot deadlock.
        let mut claims: Vec<&DedupeClaim> = claims.iter().collect();
        claims.sort();
        let templates: Vec<&str> = claims.iter().map(|c| c.template.as_str()).collect();
        let keys: Vec<&str> = claims.iter().map(|c| c.key.as_str()).collect();
        let lanes: Vec<i16> = claims.iter().map(|c| c.lane).collect();
        let seqs: Vec<i64> = claims.iter().map(|c| c.event_seq).collect();
        let seconds: Vec<i64> = claims.iter().map(|c| c.seconds).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO dedupe (template, key, event_lane, event_seq, expires_at)
                 SELECT template, key, lane, seq, now() + make_interval(secs => seconds)
                 FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[])
                     AS c (template, key, lane, seq, seconds)
                 ON CONFLICT (template, key) DO UPDATE
                 SET event_lane = excluded.event_lane, event_seq = excluded.event_seq,
                     expires_at = excluded.expires_at
                 WHERE dedupe.expires_at <= now()
                 RETURNING template, key",
            )
            .await?;
        let rows = self.transaction.query(&statement, &[&templates, &keys, &lanes, &seqs, &seconds]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// The events that used these keys, each with its template.
    pub async fn dedupe_holders(
        &self,
        claims: &[&DedupeClaim],
    ) -> Result<HashMap<(String, String), DedupeHolder>, StoreError> {
        let templates: Vec<&str> = claims.iter().map(|c| c.template.as_str()).collect();
        let keys: Vec<&str> = claims.iter().map(|c| c.key.as_str()).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "SELECT d.template, d.key, d.event_lane, d.event_seq, e.id, e.source, d.expires_at
                 FROM dedupe d
                 JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[])) AS c (template, key)
                     USING (template, key)
                 LEFT JOIN event e ON e.lane = d.event_lane AND e.seq = d.event_seq",
            )
            .await?;
        let rows = self.transaction.query(&statement, &[&templates, &keys]).await?;
        rows.iter()
            .map(|row| {
                let holder = DedupeHolder {
                    lane: row.try_get(2)?,
                    event_seq: row.try_get(3)?,
                    event: row.try_get::<_, Option<String>>(4)?.zip(row.try_get(5)?),
                    expires_at: row.try_get(6)?,
                };
                Ok(((row.try_get(0)?, row.try_get(1)?), holder))
            })
            .collect()
    }

    /// How many messages with the templates of its limit the recipient of each of these got within its time, up to its maximum,
    /// whether they were named as a person or by any number or user id that they have or had. No other is appended until the
    /// transaction ends.
    pub async fn count_lately(
        &self,
        rows: &[(&NotificationRow, &Limit)],
        now: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        // Of hosts that count at one time, each must see what the other appends.
        self.transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&NOTIFICATION_LOG]).await?;
        let usernames: Vec<Option<&str>> =
            rows.iter().map(|(row, _)| row.notification.username.as_deref()).collect();
        let recipients: Vec<Option<&str>> =
            rows.iter().map(|(row, _)| row.notification.recipient.as_deref()).collect();
        // No name has a line break.
        let templates: Vec<String> = rows.iter().map(|(_, limit)| limit.templates.join("\n")).collect();
        let since =
            |at_most: &AtMost| uuid_at(now.checked_sub(at_most.time).unwrap_or(Timestamp::UNIX_EPOCH));
        // The ids begin with the time; what is random in them is left out.
        let first: Vec<Uuid> = rows
            .iter()
            .map(|(_, limit)| Uuid::from_u128(since(&limit.at_most).as_u128() >> 80 << 80))
            .collect();
        let most: Vec<i64> = rows.iter().map(|(_, limit)| i64::from(limit.at_most.count)).collect();
        let statement = self
            .transaction
            .prepare_cached(
                // With the collation of addresses, the index of recipients could not be used.
                "SELECT (
                     SELECT count(*) FROM (
                         SELECT FROM (
                             SELECT r.username
                             UNION SELECT r.recipient
                             UNION (SELECT address COLLATE \"default\" FROM contact_address a
                                    WHERE a.contact_id = c.contact_id LIMIT 100)
                             UNION (SELECT p.username FROM person p
                                    WHERE p.contact_id = c.contact_id LIMIT 100)
                         ) AS named (who)
                         CROSS JOIN LATERAL (
                             SELECT FROM notification n
                             WHERE coalesce(n.username, n.recipient) = named.who AND n.id >= r.first
                                 AND n.template = ANY(string_to_array(r.templates, E'\\n'))
                                 AND NOT EXISTS (
                                     SELECT FROM delivery d
                                     WHERE d.notification_id = n.id AND d.status = 'skipped')
                             ORDER BY n.id LIMIT r.most) n
                         LIMIT r.most) AS lately)
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bigint[]) WITH ORDINALITY
                     AS r (username, recipient, templates, first, most, place)
                 LEFT JOIN LATERAL (
                     SELECT contact_id FROM contact_address WHERE address = r.recipient LIMIT 1
                 ) c ON true
                 ORDER BY r.place",
            )
            .await?;
        let counted =
            self.transaction.query(&statement, &[&usernames, &recipients, &templates, &first, &most]).await?;
        counted.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Appends decisions and notifications, and the `skipped` rows of those that will never be sent.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another host has routed one of the events.
    pub async fn append(
        &self,
        decisions: &[DecisionRow],
        notifications: &[NotificationRow],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        together(
            self.append_decisions(decisions, now),
            self.append_notifications(notifications, now),
            self.append_skipped(notifications, now),
        )
        .await?;
        self.append_secrets(notifications).await
    }

    async fn append_decisions(&self, rows: &[DecisionRow], now: Timestamp) -> Result<(), StoreError> {
        let lanes: Vec<i16> = rows.iter().map(|r| r.lane.0).collect();
        let seqs: Vec<i64> = rows.iter().map(|r| r.event_seq).collect();
        let ordinals: Vec<i16> = rows.iter().map(|r| r.ordinal).collect();
        let runs: Vec<i16> = rows.iter().map(|r| r.run).collect();
        let outcomes: Vec<&str> = rows.iter().map(|r| r.outcome.as_str()).collect();
        let reasons: Vec<Option<&str>> = rows.iter().map(|r| r.reason.as_deref()).collect();
        let engines: Vec<Option<&str>> = rows.iter().map(|r| r.engine).collect();
        let rules: Vec<Option<&str>> = rows.iter().map(|r| r.rule.as_deref()).collect();
        let releases: Vec<&str> = rows.iter().map(|r| r.release.as_str()).collect();
        let decisions: Vec<Option<&str>> = rows.iter().map(|r| r.decision.as_deref()).collect();
        let asked: Vec<Option<&str>> = rows.iter().map(|r| r.asked.as_deref()).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO decision (lane, event_seq, ordinal, outcome, reason, engine, rule, release,
                                       decision, asked, run, decided_at)
                 SELECT *, $12::timestamptz
                 FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::text[], $5::text[],
                             $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                             $11::smallint[])",
            )
            .await?;
        self.transaction
            .execute(
                &statement,
                &[
                    &lanes, &seqs, &ordinals, &outcomes, &reasons, &engines, &rules, &releases, &decisions,
                    &asked, &runs, &now,
                ],
            )
            .await?;
        Ok(())
    }

    pub(super) async fn append_notifications(
        &self,
        rows: &[NotificationRow],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut messages = Vec::with_capacity(rows.len());
        for row in rows {
            let message = serde_json::to_string(&row.notification.message)
                .map_err(|error| StoreError::Row(format!("the message as JSON: {error}")))?;
            messages.push(message);
        }
        let n = || rows.iter().map(|row| &row.notification);
        let lanes: Vec<i16> = n().map(|n| n.track().0).collect();
        let ids: Vec<Uuid> = n().map(|n| n.id.0).collect();
        let event_lanes: Vec<i16> = rows.iter().map(|r| r.event_lane.0).collect();
        let event_seqs: Vec<i64> = rows.iter().map(|r| r.event_seq).collect();
        let ordinals: Vec<i16> = rows.iter().map(|r| r.ordinal).collect();
        let usernames: Vec<Option<&str>> = n().map(|n| n.username.as_deref()).collect();
        let names: Vec<Option<&str>> = n().map(|n| n.name.as_deref()).collect();
        let recipients: Vec<Option<&str>> = n().map(|n| n.recipient.as_deref()).collect();
        let senders: Vec<&str> = n().map(|n| n.phone_number_id.as_str()).collect();
        let templates: Vec<&str> = n().map(|n| n.template.as_str()).collect();
        let priorities: Vec<i16> = n().map(|n| n.priority.rank()).collect();
        let reasons: Vec<&str> = n().map(|n| n.reason.as_str()).collect();
        let send_ats: Vec<Option<Timestamp>> = n().map(|n| n.send_at).collect();
        let expires_ats: Vec<Option<Timestamp>> = n().map(|n| n.expires_at).collect();
        let keys: Vec<Option<&str>> = n().map(|n| n.key.as_deref()).collect();
        let skipped: Vec<bool> = rows.iter().map(|r| r.skipped.is_some()).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock($1))
                 INSERT INTO notification (lane, id, event_lane, event_seq, ordinal, username, name, recipient,
                     phone_number_id, template, priority, message, reason, send_at, expires_at, key, skipped, created_at)
                 SELECT n.*, $19::timestamptz
                 FROM held, unnest($2::smallint[], $3::uuid[], $4::smallint[], $5::bigint[], $6::smallint[],
                     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::smallint[],
                     $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::text[],
                     $18::boolean[]) AS n",
            )
            .await?;
        self.transaction
            .execute(
                &statement,
                &[
                    &NOTIFICATION_LOG,
                    &lanes,
                    &ids,
                    &event_lanes,
                    &event_seqs,
                    &ordinals,
                    &usernames,
                    &names,
                    &recipients,
                    &senders,
                    &templates,
                    &priorities,
                    &messages,
                    &reasons,
                    &send_ats,
                    &expires_ats,
                    &keys,
                    &skipped,
                    &now,
                ],
            )
            .await?;
        Ok(())
    }

    async fn append_skipped(&self, rows: &[NotificationRow], now: Timestamp) -> Result<(), StoreError> {
        let skipped =
            || rows.iter().filter_map(|r| r.skipped.as_deref().map(|why| (r.notification.id.0, why)));
        let ids: Vec<Uuid> = skipped().map(|(id, _)| id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let details: Vec<&str> = skipped().map(|(_, why)| why).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO delivery (notification_id, attempt, status, at, detail)
                 SELECT id, 0, 'skipped', $3::timestamptz, detail
                 FROM unnest($1::uuid[], $2::text[]) AS s (id, detail)",
            )
            .await?;
        self.transaction.execute(&statement, &[&ids, &details, &now]).await?;
        Ok(())
    }
}
