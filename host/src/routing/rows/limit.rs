//! Messages that are more than their recipients get of a template, or of those with a tag, within a time.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Rows;
use crate::store::{Limit, NotificationRow, RoutingTransaction, StoreError};

impl Rows {
    /// What is more than its recipient gets is recorded as not sent. What this transaction appends counts too.
    pub(super) async fn limit(
        &mut self,
        transaction: &RoutingTransaction<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let limited = |row: &NotificationRow| row.limit.is_some() && row.skipped.is_none();
        let rows: Vec<(&NotificationRow, &Limit)> = self
            .notifications
            .iter()
            .filter(|row| limited(row))
            .filter_map(|row| Some((row, row.limit.as_ref()?)))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut counts = transaction.count_lately(&rows, now).await?.into_iter();
        // What was appended here, beside what was there: by recipient, whether as a person or as a contact, and template.
        let mut here: HashMap<(String, String), i64> = HashMap::new();
        for row in self.notifications.iter_mut().filter(|row| row.skipped.is_none()) {
            let who = row.notification.recipient.clone().unwrap_or_default();
            if let Some(Limit { at_most, templates }) = &row.limit {
                let of = |template: &String| here.get(&(who.clone(), template.clone())).copied().unwrap_or(0);
                let got = counts.next().unwrap_or(0) + templates.iter().map(of).sum::<i64>();
                if got >= i64::from(at_most.count) {
                    row.skipped = Some(at_most.refusal());
                    row.clear = None;
                    continue;
                }
            }
            *here.entry((who, row.notification.template.clone())).or_default() += 1;
        }
        Ok(())
    }
}
