//! Rules that failed, until `rule.failed` is raised for them.

use std::time::Duration;

use hookswitch_core::domain::{EventKey, Lane};
use jiff::Timestamp;

use super::{NewEvent, RoutingTransaction, Store, StoreError, event};

/// Any number will do; it must only be the same on every host.
const TELLING: i64 = 0x686f_6f6b_0007;
/// So many rules are told of in one transaction.
const BATCH: i64 = 100;

/// A rule that failed on an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFailed {
    /// The place of the rule, as `file:line`; empty where no rule is to blame.
    pub rule: String,
    /// The event's lane.
    pub lane: Lane,
    /// The event's place in its log.
    pub event_seq: i64,
    /// Why, in words.
    pub reason: String,
}

/// What is to be told of a rule that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFailure {
    /// The place of the rule, as `file:line`; empty where no rule is to blame.
    pub rule: String,
    /// How often it failed since that was last told.
    pub count: i64,
    /// Why it failed last, in words.
    pub reason: String,
    /// When.
    pub failed_at: Timestamp,
    /// On which event, with its type; `None` where that was dropped meanwhile.
    pub event: Option<(String, EventKey)>,
}

impl Store {
    /// Hands the rules that failed, and were not told of for `pause`, to `tell`, and appends the events that it makes, in
    /// one transaction. Returns whether there were some. Does nothing where another host is at it.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it; then the failures are still to be told.
    pub async fn tell_rule_failures<T>(
        &self,
        pause: Duration,
        tell: impl FnOnce(&[RuleFailure]) -> T,
        told: impl for<'a> FnOnce(&'a T) -> Vec<NewEvent<'a>>,
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let due = "SELECT rule FROM rule_failure
             WHERE count > 0 AND (told_at IS NULL OR told_at <= now() - make_interval(secs => $1))
             ORDER BY rule LIMIT $2";
        let any = client.prepare_cached(due).await?;
        let rules = client.query(&any, &[&pause.as_secs_f64(), &BATCH]).await?;
        let rules = rules.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        if rules.is_empty() {
            return Ok(false);
        }
        let transaction = client.transaction().await?;
        let lock = transaction.query_one("SELECT pg_try_advisory_xact_lock($1)", &[&TELLING]).await?;
        if !lock.try_get::<_, bool>(0)? {
            return Ok(false);
        }
        // Routing goes on counting: only what is told here is taken off, under the lock of the row.
        let taken = transaction
            .prepare_cached(
                "WITH due AS (
                     SELECT rule, count FROM rule_failure
                     WHERE rule = ANY($2) AND count > 0
                       AND (told_at IS NULL OR told_at <= now() - make_interval(secs => $1))
                     ORDER BY rule FOR UPDATE
                 )
                 UPDATE rule_failure f SET count = 0, told_at = now() FROM due WHERE f.rule = due.rule
                 RETURNING f.rule, due.count, f.reason, f.failed_at, f.lane, f.event_seq",
            )
            .await?;
        let rows = transaction.query(&taken, &[&pause.as_secs_f64(), &rules]).await?;
        let (mut failures, mut lanes, mut seqs) = (Vec::new(), Vec::<i16>::new(), Vec::<i64>::new());
        for row in &rows {
            lanes.push(row.try_get(4)?);
            seqs.push(row.try_get(5)?);
            failures.push(RuleFailure {
                rule: row.try_get(0)?,
                count: row.try_get(1)?,
                reason: row.try_get(2)?,
                failed_at: row.try_get(3)?,
                event: None,
            });
        }
        let events = transaction
            .prepare_cached(
                "SELECT e.type, e.id, e.source
                 FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS p (lane, seq, place)
                 LEFT JOIN event e ON e.lane = p.lane AND e.seq = p.seq ORDER BY p.place",
            )
            .await?;
        for (failure, row) in failures.iter_mut().zip(transaction.query(&events, &[&lanes, &seqs]).await?) {
            if let Some(kind) = row.try_get::<_, Option<String>>(0)? {
                failure.event = Some((kind, EventKey { id: row.try_get(1)?, source: row.try_get(2)? }));
            }
        }
        let made = tell(&failures);
        let events = told(&made);
        if !events.is_empty() {
            event::append_own(&transaction, &events).await?;
        }
        transaction.commit().await?;
        Ok(!rows.is_empty())
    }

    /// Forgets rules that have not failed since then.
    pub async fn prune_rule_failures(&self, before: Timestamp) -> Result<(), StoreError> {
        let client = self.client().await?;
        client.execute("DELETE FROM rule_failure WHERE count = 0 AND failed_at < $1", &[&before]).await?;
        Ok(())
    }
}

impl RoutingTransaction<'_> {
    /// Counts rules that failed.
    pub async fn count_failures(&self, failed: &[RuleFailed], now: Timestamp) -> Result<(), StoreError> {
        if failed.is_empty() {
            return Ok(());
        }
        let rules: Vec<&str> = failed.iter().map(|failure| failure.rule.as_str()).collect();
        let lanes: Vec<i16> = failed.iter().map(|failure| failure.lane.0).collect();
        let seqs: Vec<i64> = failed.iter().map(|failure| failure.event_seq).collect();
        let reasons: Vec<&str> = failed.iter().map(|failure| failure.reason.as_str()).collect();
        // In the order of the rules, so that two hosts cannot wait for each other.
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO rule_failure AS f (rule, count, lane, event_seq, reason, failed_at)
                 SELECT DISTINCT ON (rule) rule, count(*) OVER (PARTITION BY rule), lane, seq, reason, $5::timestamptz
                 FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::text[]) AS n (rule, lane, seq, reason)
                 ORDER BY rule, seq DESC
                 ON CONFLICT (rule) DO UPDATE SET count = f.count + excluded.count, lane = excluded.lane,
                     event_seq = excluded.event_seq, reason = excluded.reason, failed_at = excluded.failed_at",
            )
            .await?;
        self.transaction.execute(&statement, &[&rules, &lanes, &seqs, &reasons, &now]).await?;
        Ok(())
    }
}
