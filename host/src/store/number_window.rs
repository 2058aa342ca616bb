//! When users wrote to each of several sending numbers, and what waited for that.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Store, StoreError};

/// That a user wrote to a number of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The number, by Meta's id.
    pub phone_number_id: String,
    /// The user's `wa_id` or user id, as they wrote.
    pub recipient: String,
    /// When they wrote.
    pub at: Timestamp,
}

impl Store {
    /// Records that users wrote, who are known as contacts; the time only moves forward.
    pub async fn set_number_windows(&self, opened: &[Opened]) -> Result<(), StoreError> {
        let mut last: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
        for opened in opened {
            let at = last.entry((&opened.recipient, &opened.phone_number_id)).or_insert(opened.at);
            *at = opened.at.max(*at);
        }
        let recipients: Vec<&str> = last.keys().map(|(recipient, _)| *recipient).collect();
        let numbers: Vec<&str> = last.keys().map(|(_, number)| *number).collect();
        let ats: Vec<Timestamp> = last.values().copied().collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                // A statement may change a row only once, and a user may have written under several ids.
                "INSERT INTO number_window (contact_id, phone_number_id, last_inbound_at)
                 SELECT a.contact_id, i.phone_number_id, max(i.at)
                 FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS i (recipient, phone_number_id, at)
                 JOIN contact_address a ON a.address = i.recipient
                 GROUP BY 1, 2 ORDER BY 1, 2
                 ON CONFLICT (contact_id, phone_number_id) DO UPDATE
                 SET last_inbound_at = greatest(number_window.last_inbound_at, excluded.last_inbound_at)",
            )
            .await?;
        client.execute(&statement, &[&recipients, &numbers, &ats]).await?;
        Ok(())
    }

    /// What waits for the windows of these users, by any of their ids, is due now: they wrote in. Also what was planned
    /// for an id that they had before, and what is for people who are linked to them by now.
    pub async fn window_opened(&self, recipients: &[&str], now: Timestamp) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                // What waits is found from each user, however many others' messages do.
                "WITH opened AS (
                     SELECT DISTINCT contact_id FROM contact_address WHERE address = ANY($1)
                 )
                 UPDATE deferred SET due_at = $2
                 FROM (
                     SELECT d.lane, d.seq
                     FROM opened JOIN contact_address a USING (contact_id)
                     CROSS JOIN LATERAL (
                         SELECT lane, seq FROM deferred
                         WHERE deferred.recipient = a.address AND deferred.reason = 'window' OFFSET 0) d
                     UNION
                     SELECT d.lane, d.seq
                     FROM opened JOIN person p USING (contact_id)
                     CROSS JOIN LATERAL (
                         SELECT lane, seq FROM deferred
                         WHERE deferred.username = p.username AND deferred.reason = 'window' OFFSET 0) d
                 ) AS waiting
                 WHERE deferred.lane = waiting.lane AND deferred.seq = waiting.seq
                     AND deferred.reason = 'window' AND deferred.due_at > $2",
            )
            .await?;
        client.execute(&statement, &[&recipients, &now]).await
    }
}
