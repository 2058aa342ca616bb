//! What became of the messages of each template, by day. Each host adds what it counted; no log is counted for it.

use jiff::civil::Date;

use super::{Store, StoreError};
use crate::metrics::TemplateCounts;

/// How long a day is kept, in days.
const KEPT: i32 = 400;
/// Maximum number of rows that are removed in one statement.
const BATCH: i64 = 1_000;

/// What became of the messages of a template on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateDay {
    /// The template's name in the catalog.
    pub template: String,
    /// A day of UTC.
    pub day: Date,
    /// Numbers of messages.
    pub counts: TemplateCounts,
}

impl Store {
    /// Adds to the numbers of today.
    pub async fn add_template_day(&self, counted: &[(String, TemplateCounts)]) -> Result<(), StoreError> {
        let column = |of: fn(&TemplateCounts) -> u64| -> Vec<i64> {
            counted.iter().map(|(_, counts)| i64::try_from(of(counts)).unwrap_or(i64::MAX)).collect()
        };
        let templates: Vec<&str> = counted.iter().map(|(template, _)| template.as_str()).collect();
        let client = self.client().await?;
        // In the order of the key, so that two hosts wait for each other and do not block each other.
        let statement = client
            .prepare_cached(
                "INSERT INTO template_day (template, day, sent, delivered, read, failed)
                 SELECT c.template, (now() AT TIME ZONE 'UTC')::date, c.sent, c.delivered, c.read, c.failed
                 FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
                     AS c (template, sent, delivered, read, failed)
                 ORDER BY c.template COLLATE \"C\"
                 ON CONFLICT (template, day) DO UPDATE SET sent = template_day.sent + excluded.sent,
                     delivered = template_day.delivered + excluded.delivered,
                     read = template_day.read + excluded.read, failed = template_day.failed + excluded.failed",
            )
            .await?;
        client
            .execute(
                &statement,
                &[
                    &templates,
                    &column(|counts| counts.sent),
                    &column(|counts| counts.delivered),
                    &column(|counts| counts.read),
                    &column(|counts| counts.failed),
                ],
            )
            .await?;
        Ok(())
    }

    /// What became of the messages of these templates in the last `days` days, today among them, by name and day. Days
    /// without any are left out.
    pub async fn template_days(&self, templates: &[&str], days: i32) -> Result<Vec<TemplateDay>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT d.template, d.day, d.sent, d.delivered, d.read, d.failed
                 FROM unnest($1::text[]) AS named (template)
                 CROSS JOIN LATERAL (
                     SELECT template, day, sent, delivered, read, failed FROM template_day
                     WHERE template = named.template AND day > (now() AT TIME ZONE 'UTC')::date - $2::integer
                     ORDER BY day LIMIT $2) d
                 ORDER BY d.template, d.day",
            )
            .await?;
        let number = |n: i64| n.unsigned_abs();
        let rows = client.query(&statement, &[&templates, &days]).await?;
        rows.iter()
            .map(|row| {
                Ok(TemplateDay {
                    template: row.try_get(0)?,
                    day: row.try_get(1)?,
                    counts: TemplateCounts {
                        sent: number(row.try_get(2)?),
                        delivered: number(row.try_get(3)?),
                        read: number(row.try_get(4)?),
                        failed: number(row.try_get(5)?),
                    },
                })
            })
            .collect()
    }

    /// Removes days that are older than they are kept, the oldest first; at most 1,000 rows.
    pub async fn prune_template_days(&self) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "DELETE FROM template_day t USING (
                     SELECT template, day FROM template_day
                     WHERE day < (now() AT TIME ZONE 'UTC')::date - $1::integer
                     ORDER BY day LIMIT $2) AS old
                 WHERE (t.template, t.day) = (old.template, old.day)",
            )
            .await?;
        client.execute(&statement, &[&KEPT, &BATCH]).await?;
        Ok(())
    }
}
