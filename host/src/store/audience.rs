//! Whom decisions reach that name groups, however large these are.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use hookswitch_core::domain::{Lane, People, Person};

use super::{Store, StoreError, person::person};

/// A member of at least one of the groups that were asked for.
#[derive(Clone, Debug)]
pub struct Member {
    /// Members are read in the order of these.
    pub id: i64,
    /// Who it is.
    pub person: Arc<Person>,
    /// Of the groups that were asked for, those that they are in.
    pub groups: Vec<String>,
}

impl Store {
    /// Some members of each of these groups, at most `most` of each; a group that does not exist is absent.
    pub async fn some_members(
        &self,
        groups: &BTreeSet<&str>,
        most: usize,
        people: &mut People,
    ) -> Result<(), StoreError> {
        let names: Vec<&str> = groups.iter().copied().collect();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT p.username, p.name, p.active, c.wa_id, c.user_id, c.name, c.last_inbound_at, p.language,
                        c.language, g.name
                 FROM groups g
                 LEFT JOIN LATERAL (
                     SELECT person_id FROM membership WHERE group_id = g.id ORDER BY person_id LIMIT $2
                 ) m ON true
                 LEFT JOIN person p ON p.id = m.person_id
                 LEFT JOIN contact c ON c.id = p.contact_id
                 WHERE g.name = ANY($1)
                 ORDER BY g.name, p.username",
            )
            .await?;
        for row in client.query(&statement, &[&names, &most]).await? {
            let members = people.groups.entry(row.try_get(9)?).or_default();
            if row.try_get::<_, Option<&str>>(0)?.is_some() {
                members.push(Arc::new(person(&row)?));
            }
        }
        Ok(())
    }

    /// At most `limit` people who are in at least one of these groups, each once, after one of them. Beside each group's
    /// id is the name by which it is returned.
    pub async fn members_after(
        &self,
        names: &[String],
        groups: &[i64],
        after: i64,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT p.username, p.name, p.active, c.wa_id, c.user_id, c.name, c.last_inbound_at, p.language,
                        c.language, p.id, m.groups
                 FROM (
                     SELECT m.person_id, array_agg(g.name) AS groups
                     FROM (SELECT DISTINCT name, id FROM unnest($1::text[], $2::bigint[]) AS g (name, id)) g
                     CROSS JOIN LATERAL (
                         SELECT person_id FROM membership WHERE group_id = g.id AND person_id > $3
                         ORDER BY person_id LIMIT $4
                     ) m
                     GROUP BY m.person_id ORDER BY m.person_id LIMIT $4
                 ) m
                 JOIN person p ON p.id = m.person_id
                 LEFT JOIN contact c ON c.id = p.contact_id
                 ORDER BY p.id",
            )
            .await?;
        let rows = client.query(&statement, &[&names, &groups, &after, &limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(Member { id: row.try_get(9)?, person: Arc::new(person(row)?), groups: row.try_get(10)? })
            })
            .collect()
    }

    /// Of these people, by username, those who are in at least one of these groups.
    pub async fn members_among(
        &self,
        groups: &[i64],
        usernames: &[String],
    ) -> Result<HashSet<String>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                // A look for each person, however large the groups are.
                "SELECT p.username
                 FROM person p
                 CROSS JOIN LATERAL (
                     SELECT FROM membership m
                     WHERE m.person_id = p.id AND m.group_id = ANY($1)
                     LIMIT 1
                 ) m
                 WHERE p.username = ANY($2)",
            )
            .await?;
        let rows = client.query(&statement, &[&groups, &usernames]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// To whom messages of a decision go, as far as there are any.
    pub async fn told_of_decision(
        &self,
        lane: Lane,
        event_seq: i64,
        ordinal: i16,
    ) -> Result<HashSet<String>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT recipient FROM notification
                 WHERE event_lane = $1 AND event_seq = $2 AND ordinal = $3 AND recipient IS NOT NULL",
            )
            .await?;
        let rows = client.query(&statement, &[&lane.0, &event_seq, &ordinal]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
