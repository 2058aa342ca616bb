//! When users wrote to each of several sending numbers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Store, StoreError};

/// That a user wrote to a number of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The number, by Meta's id.
    pub phone_number_id: String,
    /// The user's `wa_id` or user id.
    pub recipient: String,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Records that users wrote; the time only moves forward.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it.
    pub async fn set_number_windows(&self, opened: &[Opened]) -> Result<(), StoreError> {
        // A statement may change a row only once.
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
                "INSERT INTO number_window (recipient, phone_number_id, last_inbound_at)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) ORDER BY 1, 2
                 ON CONFLICT (recipient, phone_number_id) DO UPDATE
                 SET last_inbound_at = greatest(number_window.last_inbound_at, excluded.last_inbound_at)",
            )
            .await?;
        client.execute(&statement, &[&recipients, &numbers, &ats]).await?;
        Ok(())
    }
}
