//! Numbers that several people are linked to.

use super::{Store, StoreError};

/// A number, or Meta's user id, that several active people are linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedNumber {
    /// The number, or the user id.
    pub address: String,
    /// The number of people.
    pub people: i64,
    /// The usernames of the first of them.
    pub usernames: Vec<String>,
}

/// All such numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedNumbers {
    /// How many there are.
    pub count: i64,
    /// The first of them.
    pub some: Vec<SharedNumber>,
}

impl Store {
    /// Numbers that several active people are linked to, at most `limit` of them, each with at most `limit` people.
    pub async fn shared_numbers(&self, limit: i64) -> Result<SharedNumbers, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT coalesce(c.wa_id, c.user_id), s.people, s.count,
                        ARRAY(SELECT p.username FROM person p WHERE p.contact_id = s.contact_id AND p.active
                              ORDER BY p.id LIMIT $1)
                 FROM (
                     SELECT contact_id, count(*) AS people, count(*) OVER () AS count FROM person
                     WHERE active AND contact_id IS NOT NULL
                     GROUP BY contact_id HAVING count(*) > 1 ORDER BY contact_id LIMIT $1
                 ) s
                 JOIN contact c ON c.id = s.contact_id AND coalesce(c.wa_id, c.user_id) IS NOT NULL
                 ORDER BY s.contact_id",
                &[&limit],
            )
            .await?;
        let count = rows.first().map_or(Ok(0), |row| row.try_get(2))?;
        let some = rows.iter().map(|row| {
            Ok(SharedNumber { address: row.try_get(0)?, people: row.try_get(1)?, usernames: row.try_get(3)? })
        });
        Ok(SharedNumbers { count, some: some.collect::<Result<_, StoreError>>()? })
    }
}
