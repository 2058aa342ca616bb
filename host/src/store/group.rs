//! Groups, and who is in them.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Store, StoreError};

/// A group as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGroup {
    /// What rules name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Usernames of its first [`SHOWN`] members, in order.
    pub members: Vec<String>,
    /// How many members it has.
    pub size: i64,
    /// How many of them are active.
    pub active: i64,
}

/// Members of a group that are named with it; the list of people has them all.
pub const SHOWN: i64 = 100;

const GROUPS: &str = "SELECT g.name, g.created_at, m.size, m.active,
        ARRAY(SELECT p.username FROM membership m JOIN person p ON p.id = m.person_id
              WHERE m.group_id = g.id ORDER BY p.username LIMIT $1)
     FROM groups g
     CROSS JOIN LATERAL (
         SELECT count(*) AS size, count(*) FILTER (WHERE p.active) AS active
         FROM membership m JOIN person p ON p.id = m.person_id WHERE m.group_id = g.id
     ) m";

impl Store {
    /// At most `limit` groups in the order of their names, those after `after`.
    pub async fn list_groups(&self, after: &str, limit: i64) -> Result<Vec<StoredGroup>, StoreError> {
        let client = self.client().await?;
        let sql = format!("{GROUPS} WHERE g.name > $2 ORDER BY g.name LIMIT $3");
        let statement = client.prepare_cached(&sql).await?;
        client.query(&statement, &[&SHOWN, &after, &limit]).await?.iter().map(stored_group).collect()
    }

    /// The group with this name.
    pub async fn find_group(&self, name: &str) -> Result<Option<StoredGroup>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(&format!("{GROUPS} WHERE g.name = $2")).await?;
        client.query_opt(&statement, &[&SHOWN, &name]).await?.as_ref().map(stored_group).transpose()
    }

    /// The names of the first `limit` groups: what somebody may have meant.
    pub async fn first_groups(&self, limit: i64) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let rows = client.query("SELECT name FROM groups ORDER BY name LIMIT $1", &[&limit]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
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

fn stored_group(row: &Row) -> Result<StoredGroup, StoreError> {
    Ok(StoredGroup {
        name: row.try_get(0)?,
        created_at: row.try_get(1)?,
        size: row.try_get(2)?,
        active: row.try_get(3)?,
        members: row.try_get(4)?,
    })
}
