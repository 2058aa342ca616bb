//! People, groups and memberships.

use std::{collections::BTreeSet, sync::Arc};

use tokio_postgres::Row;

use super::{Store, StoreError};
use crate::domain::{Contact, People, Person};

impl Store {
    /// The members of groups, by the group's name; a group that does not exist is absent.
    pub async fn group_members(
        &self,
        groups: &BTreeSet<String>,
        people: &mut People,
    ) -> Result<(), StoreError> {
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT p.username, p.name, p.active, c.wa_id, c.user_id, c.name, c.last_inbound_at, g.name
                 FROM groups g
                 LEFT JOIN membership m ON m.group_id = g.id
                 LEFT JOIN person p ON p.id = m.person_id
                 LEFT JOIN contact c ON c.id = p.contact_id
                 WHERE g.name = ANY($1)
                 ORDER BY g.name, p.username",
            )
            .await?;
        for row in client.query(&statement, &[&names]).await? {
            let members = people.groups.entry(row.try_get(7)?).or_default();
            if row.try_get::<_, Option<&str>>(0)?.is_some() {
                members.push(Arc::new(person(&row)?));
            }
        }
        Ok(())
    }

    /// People by username; one that does not exist is absent.
    pub async fn users(&self, usernames: &BTreeSet<String>, people: &mut People) -> Result<(), StoreError> {
        let names: Vec<&str> = usernames.iter().map(String::as_str).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT p.username, p.name, p.active, c.wa_id, c.user_id, c.name, c.last_inbound_at
                 FROM person p LEFT JOIN contact c ON c.id = p.contact_id
                 WHERE p.username = ANY($1)",
            )
            .await?;
        for row in client.query(&statement, &[&names]).await? {
            let person = Arc::new(person(&row)?);
            people.users.insert(person.username.clone(), person);
        }
        Ok(())
    }

    /// Creates the groups that do not exist yet, and returns how many that were.
    pub async fn create_groups(&self, names: &[&str]) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let created = client
            .execute("INSERT INTO groups (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", &[&names])
            .await?;
        Ok(created)
    }

    /// Adds people who do not exist yet, each in groups, each linked to the contact with the number that
    /// stands beside the username. A repeated call changes nothing.
    pub async fn add_people(&self, people: &[NewPerson<'_>]) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        for person in people {
            transaction
                .execute(
                    "WITH linked AS (
                        INSERT INTO contact (wa_id) VALUES ($3)
                        ON CONFLICT (wa_id) DO UPDATE SET wa_id = excluded.wa_id RETURNING id
                     ), added AS (
                        INSERT INTO person (username, name, contact_id) SELECT $1, $2, id FROM linked
                        ON CONFLICT (username) DO UPDATE SET contact_id = excluded.contact_id RETURNING id
                     )
                     INSERT INTO membership (group_id, person_id)
                     SELECT g.id, added.id FROM groups g, added WHERE g.name = ANY($4)
                     ON CONFLICT DO NOTHING",
                    &[&person.username, &person.name, &person.wa_id, &person.groups],
                )
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Somebody to add.
#[derive(Clone, Debug)]
pub struct NewPerson<'a> {
    /// Unique.
    pub username: &'a str,
    /// As shown.
    pub name: &'a str,
    /// Digits of the number.
    pub wa_id: &'a str,
    /// Names of groups that exist.
    pub groups: &'a [&'a str],
}

fn person(row: &Row) -> Result<Person, StoreError> {
    let contact = Contact {
        wa_id: row.try_get(3)?,
        user_id: row.try_get(4)?,
        name: row.try_get(5)?,
        last_inbound_at: row.try_get(6)?,
    };
    Ok(Person {
        username: row.try_get(0)?,
        name: row.try_get(1)?,
        active: row.try_get(2)?,
        contact: contact.recipient().is_some().then_some(contact),
    })
}
