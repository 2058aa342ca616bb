//! People as rules reach them: members of groups, and users by name.

use std::{collections::BTreeSet, sync::Arc};

use hookswitch_core::domain::{Contact, People, Person};
use tokio_postgres::Row;

use super::{Store, StoreError};

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
                "SELECT p.username, p.name, p.active, c.wa_id, c.user_id, c.name, c.last_inbound_at, p.language,
                        c.language, g.name
                 FROM groups g
                 LEFT JOIN membership m ON m.group_id = g.id
                 LEFT JOIN person p ON p.id = m.person_id
                 LEFT JOIN contact c ON c.id = p.contact_id
                 WHERE g.name = ANY($1)
                 ORDER BY g.name, p.username",
            )
            .await?;
        for row in client.query(&statement, &[&names]).await? {
            let members = people.groups.entry(row.try_get(9)?).or_default();
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
                "SELECT p.username, p.name, p.active, c.wa_id, c.user_id, c.name, c.last_inbound_at, p.language,
                        c.language
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
}

pub(super) fn person(row: &Row) -> Result<Person, StoreError> {
    let contact = Contact {
        wa_id: row.try_get(3)?,
        user_id: row.try_get(4)?,
        name: row.try_get(5)?,
        last_inbound_at: row.try_get(6)?,
        language: row.try_get(8)?,
    };
    Ok(Person {
        username: row.try_get(0)?,
        name: row.try_get(1)?,
        active: row.try_get(2)?,
        language: row.try_get(7)?,
        contact: contact.recipient().is_some().then_some(contact),
    })
}
