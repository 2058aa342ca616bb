//! Messages that are more than their recipients get of a template within a time.

use std::collections::HashMap;

use hookswitch_core::domain::AtMost;
use jiff::Timestamp;

use super::Rows;
use crate::store::{NotificationRow, RoutingTransaction, StoreError};

impl Rows {
    /// What is more than its recipient gets is recorded as not sent. What this transaction appends counts too.
    pub(super) async fn limit(
        &mut self,
        transaction: &RoutingTransaction<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let limited = |row: &NotificationRow| row.at_most.filter(|_| row.skipped.is_none());
        let rows: Vec<(&NotificationRow, AtMost)> =
            self.notifications.iter().filter_map(|row| Some((row, limited(row)?))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut counts = transaction.count_lately(&rows, now).await?.into_iter();
        // What was appended here, beside what was there.
        let mut here: HashMap<(String, String), i64> = HashMap::new();
        for row in self.notifications.iter_mut().filter(|row| row.skipped.is_none()) {
            let of_whom = (row.notification.who().to_owned(), row.notification.template.clone());
            let here = here.entry(of_whom).or_default();
            let before = if row.at_most.is_some() { counts.next().unwrap_or(0) } else { 0 };
            match row.at_most {
                Some(at_most) if before + *here >= i64::from(at_most.count) => {
                    row.skipped = Some(at_most.refusal());
                }
                _ => *here += 1,
            }
        }
        Ok(())
    }
}
