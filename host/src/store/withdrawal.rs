//! What withdraws messages by key. It is looked at where messages are read, and in the statement that records an intent.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Act, Store, StoreError, decision::RoutingTransaction, session::Session};

/// That messages of earlier events with a key are withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The key.
    pub key: String,
    /// The place in the log before which events came whose messages are withdrawn.
    pub event_seq: i64,
    /// Who withdrew them, in words.
    pub reason: String,
}

impl RoutingTransaction<'_> {
    /// Withdraws messages by key: what waits is due at once, and is then recorded as skipped.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it.
    pub async fn withdraw(&self, withdrawals: &[Withdrawal], now: Timestamp) -> Result<(), StoreError> {
        withdraw(&self.transaction, withdrawals, now).await.map(drop)
    }
}

impl Store {
    /// Withdraws the messages of all events so far with this key, records the act, and returns how many of them waited.
    /// Those that are about to be sent are withdrawn too.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it.
    pub async fn withdraw_by_hand(&self, key: &str, reason: &str, act: &Act) -> Result<u64, StoreError> {
        let now = self.now();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let statement = transaction
            .prepare_cached(
                "SELECT coalesce(max(newest.seq), 0) + 1 FROM generate_series(0, 63) AS l (lane)
                 CROSS JOIN LATERAL (SELECT max(seq) AS seq FROM event WHERE event.lane = l.lane) newest",
            )
            .await?;
        let event_seq = transaction.query_one(&statement, &[]).await?.try_get(0)?;
        let withdrawal = Withdrawal { key: key.to_owned(), event_seq, reason: reason.to_owned() };
        let waited = withdraw(&transaction, &[withdrawal], now).await?;
        act.append(&transaction, usize::try_from(waited).unwrap_or(usize::MAX)).await?;
        transaction.commit().await?;
        Ok(waited)
    }

    /// Drops what withdrew messages before `before`, where none of them is left and none can come any more. Returns how
    /// many were dropped, `limit` at most.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it.
    pub async fn prune_withdrawals(&self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                // Messages come of events that are not routed yet, or are not done with.
                "WITH open AS MATERIALIZED (
                     SELECT min(least(
                         (SELECT seq FROM event
                          WHERE event.lane = l.lane AND seq > coalesce(
                              (SELECT max(event_seq) FROM decision WHERE decision.lane = l.lane), 0)
                          ORDER BY seq LIMIT 1),
                         (SELECT min(event_seq) FROM unfinished WHERE unfinished.lane = l.lane),
                         (SELECT min(event_seq) FROM parked WHERE parked.lane = l.lane))) AS seq
                     FROM generate_series(0, 63) AS l (lane)
                 ), old AS MATERIALIZED (
                     SELECT key, event_seq FROM withdrawal WHERE at < $1 ORDER BY at LIMIT $2
                 )
                 DELETE FROM withdrawal USING old, open
                 WHERE withdrawal.key = old.key AND withdrawal.event_seq = old.event_seq
                     AND old.event_seq <= coalesce(open.seq, old.event_seq)
                     AND (SELECT true FROM notification n
                          WHERE n.key = old.key AND n.event_seq < old.event_seq LIMIT 1) IS NULL",
            )
            .await?;
        client.execute(&statement, &[&before, &limit]).await
    }
}

async fn withdraw(client: &Session, withdrawals: &[Withdrawal], now: Timestamp) -> Result<u64, StoreError> {
    if withdrawals.is_empty() {
        return Ok(0);
    }
    // In one order, so that two hosts that take the same keys wait for each other and not in a circle; of equal ones the
    // last counts.
    let mut last: BTreeMap<&str, &Withdrawal> = BTreeMap::new();
    for withdrawal in withdrawals {
        let of_key = last.entry(&withdrawal.key).or_insert(withdrawal);
        if of_key.event_seq < withdrawal.event_seq {
            *of_key = withdrawal;
        }
    }
    let keys: Vec<&str> = last.keys().copied().collect();
    let seqs: Vec<i64> = last.values().map(|withdrawal| withdrawal.event_seq).collect();
    let reasons: Vec<&str> = last.values().map(|withdrawal| withdrawal.reason.as_str()).collect();
    let statement = client
        .prepare_cached(
            // Earlier messages were withdrawn with the key's last withdrawal. What may be sent already is not hastened: that
            // would look like the end of its time.
            "WITH before AS MATERIALIZED (
                 SELECT key, event_seq FROM withdrawal WHERE key = ANY($1)
             ), new AS (
                 INSERT INTO withdrawal (key, event_seq, reason, at)
                 SELECT key, event_seq, reason, $4 FROM unnest($1::text[], $2::bigint[], $3::text[])
                     AS w (key, event_seq, reason)
                 ORDER BY key
                 ON CONFLICT (key) DO UPDATE
                 SET event_seq = excluded.event_seq, reason = excluded.reason, at = excluded.at
                 WHERE withdrawal.event_seq < excluded.event_seq
                 RETURNING key, event_seq
             ), waiting AS MATERIALIZED (
                 SELECT d.lane, d.seq
                 FROM new LEFT JOIN before USING (key)
                 CROSS JOIN LATERAL (
                     SELECT lane, seq FROM notification
                     WHERE notification.key = new.key AND notification.event_seq < new.event_seq
                         AND notification.event_seq >= coalesce(before.event_seq, 0) OFFSET 0) n
                 JOIN deferred d ON d.lane = n.lane AND d.seq = n.seq
                     AND d.due_at > $4 AND d.reason NOT IN ('unknown', 'hold')
                 ORDER BY d.lane, d.seq FOR UPDATE OF d
             )
             UPDATE deferred SET due_at = $4 FROM waiting
             WHERE deferred.lane = waiting.lane AND deferred.seq = waiting.seq",
        )
        .await?;
    client.execute(&statement, &[&keys, &seqs, &reasons, &now]).await
}
