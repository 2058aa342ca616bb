//! What waits for each sending number.

use super::{Store, StoreError};

/// Messages of a sending number that wait for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberWaiting {
    /// The number, by Meta's id.
    pub phone_number_id: String,
    /// The reason, as stored.
    pub reason: String,
    /// How many there are, of those that were counted.
    pub count: i64,
}

impl Store {
    /// How many messages of these numbers wait, by reason: of each number and priority, the `limit` that are due first are
    /// counted.
    pub async fn numbers_waiting(
        &self,
        numbers: &[&str],
        limit: i64,
    ) -> Result<Vec<NumberWaiting>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT n.id, w.reason, sum(w.count)::bigint
                 FROM unnest($1::text[]) AS n (id)
                 CROSS JOIN unnest(ARRAY[0, 1, 2]) AS p (priority)
                 CROSS JOIN LATERAL (
                     SELECT d.reason, count(*) AS count
                     FROM (SELECT reason FROM deferred
                           WHERE deferred.lane / 64 = p.priority AND deferred.phone_number_id = n.id
                           ORDER BY deferred.due_at LIMIT $2) AS d
                     GROUP BY d.reason
                 ) AS w
                 GROUP BY n.id, w.reason ORDER BY n.id, w.reason",
            )
            .await?;
        let rows = client.query(&statement, &[&numbers, &limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(NumberWaiting {
                    phone_number_id: row.try_get(0)?,
                    reason: row.try_get(1)?,
                    count: row.try_get(2)?,
                })
            })
            .collect()
    }
}
