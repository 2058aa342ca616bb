//! Groups, and who is in them.

use std::collections::BTreeSet;

use hookswitch_core::domain::{Decision, LANES};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Act, Store, StoreError, session::Session};

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
    /// Another one after each change of the group, but not of its members.
    pub version: String,
}

/// Members of a group that are named with it; the list of people has them all.
pub const SHOWN: i64 = 100;

const GROUPS: &str = "SELECT g.name, g.created_at, m.size, m.active,
        ARRAY(SELECT p.username FROM membership m JOIN person p ON p.id = m.person_id
              WHERE m.group_id = g.id ORDER BY p.username LIMIT $1),
        g.xmin::text
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

    /// Creates the groups that do not exist yet, records that if it is an operator's act, and returns their names.
    pub async fn create_groups(&self, names: &[&str], act: Option<&Act>) -> Result<Vec<String>, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let created = transaction
            .query(
                "INSERT INTO groups (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING name",
                &[&names],
            )
            .await?;
        if let Some(act) = act {
            act.record_count(&transaction, created.len()).await?;
        }
        transaction.commit().await?;
        created.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Deletes a group and its memberships; tells whether there was one, of this version if one is given.
    pub async fn delete_group(&self, name: &str, version: Option<&str>) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let deleted = client
            .execute(
                "DELETE FROM groups WHERE name = $1 AND ($2::text IS NULL OR xmin::text = $2)",
                &[&name, &version],
            )
            .await?;
        Ok(deleted == 1)
    }

    /// Renames a group, in the digests that wait for it as well; if it is stopped, it stays so by both names. Tells whether there was one, of this version
    /// if one is given.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another group has the new name.
    pub async fn rename_group(
        &self,
        old: &str,
        new: &str,
        version: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let renamed = transaction
            .execute(
                "UPDATE groups SET name = $2 WHERE name = $1 AND ($3::text IS NULL OR xmin::text = $3)",
                &[&old, &new, &version],
            )
            .await?;
        if renamed == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        let mut digests: Vec<(Uuid, String)> = Vec::new();
        for (id, mut decision) in digests_for_group(&transaction, old, true).await? {
            for group in decision.groups.iter_mut().filter(|group| *group == old) {
                *group = new.to_owned();
            }
            let decision =
                serde_json::to_string(&decision).map_err(|error| StoreError::Row(error.to_string()))?;
            digests.push((id, decision));
        }
        let (ids, decisions): (Vec<Uuid>, Vec<String>) = digests.into_iter().unzip();
        transaction
            .execute(
                "UPDATE digest d SET decision = i.decision
                 FROM unnest($1::uuid[], $2::text[]) AS i (id, decision) WHERE d.id = i.id",
                &[&ids, &decisions],
            )
            .await?;
        // Messages that were planned before have the old name.
        transaction
            .execute(
                "INSERT INTO switch (kind, name, mode, reason, stopped_by, stopped_at)
                 SELECT kind, $2, mode, reason, stopped_by, stopped_at FROM switch
                 WHERE kind = 'group' AND name = $1 AND mode <> 'resuming'
                 ON CONFLICT (kind, name) DO NOTHING",
                &[&old, &new],
            )
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// How many open digests are for a group.
    pub async fn count_digests_for_group(&self, name: &str) -> Result<usize, StoreError> {
        Ok(digests_for_group(&self.client().await?, name, false).await?.len())
    }

    /// Rules other than plain routes that decided for a group, among the last 20 decisions of each lane.
    pub async fn rules_that_told_group(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT d.rule, d.decision
                 FROM generate_series(0, $1 - 1) AS l (lane)
                 CROSS JOIN LATERAL (
                     SELECT engine, rule, decision FROM decision
                     WHERE lane = l.lane ORDER BY event_seq DESC LIMIT 20
                 ) d
                 WHERE d.engine <> 'route' AND position(to_json($2::text)::text IN d.decision) > 0",
                &[&i32::from(LANES), &name],
            )
            .await?;
        let mut rules = BTreeSet::new();
        for row in rows {
            let decision: String = row.try_get(1)?;
            if is_for(&decision, name).is_some() {
                rules.insert(row.try_get(0)?);
            }
        }
        Ok(rules.into_iter().collect())
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

/// Open digests for a group; for those that cannot be read, nobody can tell. With `lock` nobody closes them meanwhile.
async fn digests_for_group(
    session: &Session,
    name: &str,
    lock: bool,
) -> Result<Vec<(Uuid, Decision)>, StoreError> {
    let locked = if lock { "FOR UPDATE" } else { "" };
    // In one order, as routing locks them.
    let sql = format!(
        "SELECT id, decision FROM digest WHERE position(to_json($1::text)::text IN decision) > 0
         ORDER BY template, key {locked}"
    );
    let mut digests = Vec::new();
    for row in session.query(&sql, &[&name]).await? {
        let decision: String = row.try_get(1)?;
        if let Some(decision) = is_for(&decision, name) {
            digests.push((row.try_get(0)?, decision));
        }
    }
    Ok(digests)
}

/// The decision, if it is for this group.
fn is_for(decision: &str, group: &str) -> Option<Decision> {
    let decision: Decision = serde_json::from_str(decision).ok()?;
    decision.groups.iter().any(|name| name == group).then_some(decision)
}

fn stored_group(row: &Row) -> Result<StoredGroup, StoreError> {
    Ok(StoredGroup {
        name: row.try_get(0)?,
        created_at: row.try_get(1)?,
        size: row.try_get(2)?,
        active: row.try_get(3)?,
        members: row.try_get(4)?,
        version: row.try_get(5)?,
    })
}
