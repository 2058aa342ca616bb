//! Groups, and who is in them.

use jiff::Timestamp;

use super::{Store, StoreError};

/// A group as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGroup {
    /// What rules name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Usernames of its members, in order.
    pub members: Vec<String>,
    /// How many of them are active.
    pub active: i64,
}

impl Store {
    /// All groups, by name; or the one with this name.
    pub async fn groups(&self, name: Option<&str>) -> Result<Vec<StoredGroup>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT g.name, g.created_at,
                        coalesce(array_agg(p.username ORDER BY p.username) FILTER (WHERE p.id IS NOT NULL), '{}'),
                        count(p.id) FILTER (WHERE p.active)
                 FROM groups g
                 LEFT JOIN membership m ON m.group_id = g.id
                 LEFT JOIN person p ON p.id = m.person_id
                 WHERE $1::text IS NULL OR g.name = $1
                 GROUP BY g.id ORDER BY g.name",
            )
            .await?;
        let rows = client.query(&statement, &[&name]).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredGroup {
                    name: row.try_get(0)?,
                    created_at: row.try_get(1)?,
                    members: row.try_get(2)?,
                    active: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// Of these names, those that groups have.
    pub async fn group_names(&self, names: &[&str]) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let rows =
            client.query("SELECT name FROM groups WHERE name = ANY($1) ORDER BY name", &[&names]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Creates the groups that do not exist yet, and returns their names.
    pub async fn create_groups(&self, names: &[&str]) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let created = client
            .query(
                "INSERT INTO groups (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING name",
                &[&names],
            )
            .await?;
        created.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Deletes a group and its memberships; tells whether there was one.
    pub async fn delete_group(&self, name: &str) -> Result<bool, StoreError> {
        let client = self.client().await?;
        Ok(client.execute("DELETE FROM groups WHERE name = $1", &[&name]).await? == 1)
    }

    /// Puts people into a group, and returns the usernames of those who were not in it. What does not exist is
    /// left out.
    pub async fn add_members(&self, group: &str, usernames: &[&str]) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let added = client
            .query(
                "WITH added AS (
                     INSERT INTO membership (group_id, person_id)
                     SELECT g.id, p.id FROM groups g, person p WHERE g.name = $1 AND p.username = ANY($2)
                     ON CONFLICT DO NOTHING RETURNING person_id
                 )
                 SELECT p.username FROM person p JOIN added ON added.person_id = p.id ORDER BY p.username",
                &[&group, &usernames],
            )
            .await?;
        added.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Takes people out of a group, and returns the usernames of those who were in it.
    pub async fn remove_members(&self, group: &str, usernames: &[&str]) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let removed = client
            .query(
                "DELETE FROM membership m USING groups g, person p
                 WHERE m.group_id = g.id AND m.person_id = p.id AND g.name = $1 AND p.username = ANY($2)
                 RETURNING p.username",
                &[&group, &usernames],
            )
            .await?;
        removed.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
