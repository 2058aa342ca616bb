//! People as an operator keeps them: added, listed, linked, deactivated, imported.

use hookswitch_core::domain::{Contact, QuietHours};
use jiff::{Timestamp, civil::Time};
use tokio_postgres::Row;

use super::{Store, StoreError, contact::named, notification::quiet_hours, session::Transaction};

/// A person as an operator sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPerson {
    /// Unique; what rules name.
    pub username: String,
    /// As shown.
    pub name: String,
    /// Whether they get anything.
    pub active: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// Names of their groups, in order.
    pub groups: Vec<String>,
    /// WhatsApp user that the person is linked to; without number and user id if another user has these now.
    pub contact: Option<Contact>,
    /// When they are left alone.
    pub quiet_hours: Option<QuietHours>,
}

/// Somebody to add, or to bring up to date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPerson {
    /// Unique.
    pub username: String,
    /// As shown.
    pub name: String,
    /// The number's digits, or the user id; without one, a link that there is stays.
    pub address: Option<String>,
    /// Names of groups that exist; memberships that there are stay.
    pub groups: Vec<String>,
    /// When they are left alone; without any, what there is stays.
    pub quiet_hours: Option<QuietHours>,
}

/// What an import came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// People who are new.
    pub added: u64,
    /// People who were there.
    pub updated: u64,
}

/// So many people go into one statement.
const IMPORT_BATCH: usize = 5_000;

const PEOPLE: &str =
    "SELECT p.username, p.name, p.active, p.created_at, c.wa_id, c.user_id, c.name, c.last_inbound_at,
            ARRAY(SELECT g.name FROM membership m JOIN groups g ON g.id = m.group_id
                  WHERE m.person_id = p.id ORDER BY g.name),
            p.quiet_from, p.quiet_until, p.time_zone, p.contact_id IS NOT NULL
     FROM person p LEFT JOIN contact c ON c.id = p.contact_id";

impl Store {
    /// At most `limit` people in the order of their usernames, those after `after`; all, or those of a group.
    pub async fn list_people(
        &self,
        group: Option<&str>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<StoredPerson>, StoreError> {
        let client = self.client().await?;
        let rows = match group {
            None => {
                let sql = format!("{PEOPLE} WHERE p.username > $1 ORDER BY p.username LIMIT $2");
                let statement = client.prepare_cached(&sql).await?;
                client.query(&statement, &[&after, &limit]).await?
            }
            Some(group) => {
                let sql = format!(
                    "{PEOPLE} WHERE p.id IN (
                         SELECT p.id FROM groups g
                         JOIN membership m ON m.group_id = g.id JOIN person p ON p.id = m.person_id
                         WHERE g.name = $2 AND p.username > $1
                         ORDER BY p.username LIMIT $3)
                     ORDER BY p.username"
                );
                let statement = client.prepare_cached(&sql).await?;
                client.query(&statement, &[&after, &group, &limit]).await?
            }
        };
        rows.iter().map(stored_person).collect()
    }

    /// The person with this username.
    pub async fn find_person(&self, username: &str) -> Result<Option<StoredPerson>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(&format!("{PEOPLE} WHERE p.username = $1")).await?;
        client.query_opt(&statement, &[&username]).await?.as_ref().map(stored_person).transpose()
    }

    /// Of these usernames, those that people have.
    pub async fn usernames(&self, usernames: &[&str]) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query("SELECT username FROM person WHERE username = ANY($1) ORDER BY username", &[&usernames])
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Adds a person who does not exist yet.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the username is taken.
    pub async fn add_person(&self, person: &NewPerson) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let contact = contact_of(&transaction, person.address.as_deref()).await?;
        transaction
            .execute(
                "INSERT INTO person (username, name, contact_id) VALUES ($1, $2, $3)",
                &[&person.username, &person.name, &contact],
            )
            .await?;
        join_groups(&transaction, std::slice::from_ref(person)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Adds people, and brings those up to date whose usernames exist; all or nothing. After each batch, `written` is
    /// told how many are done.
    pub async fn import_people(
        &self,
        people: &[NewPerson],
        written: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Imported, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let mut imported = Imported::default();
        let mut done = 0;
        for batch in people.chunks(IMPORT_BATCH) {
            let of_batch = import(&transaction, batch).await?;
            imported.added += of_batch.added;
            imported.updated += of_batch.updated;
            done += batch.len();
            written(done);
        }
        transaction.commit().await?;
        Ok(imported)
    }

    /// Changes what is given of a person; tells whether there is one.
    pub async fn update_person(
        &self,
        username: &str,
        name: Option<&str>,
        active: Option<bool>,
    ) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let updated = client
            .execute(
                "UPDATE person SET name = coalesce($2, name), active = coalesce($3, active) WHERE username = $1",
                &[&username, &name, &active],
            )
            .await?;
        Ok(updated == 1)
    }

    /// Gives a person quiet hours, or none; tells whether there is such a person. What waits for the end of other
    /// quiet hours is looked at again.
    pub async fn set_quiet_hours(
        &self,
        username: &str,
        quiet: Option<&QuietHours>,
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let updated = transaction
            .execute(
                "UPDATE person SET quiet_from = $2, quiet_until = $3, time_zone = $4 WHERE username = $1",
                &[
                    &username,
                    &quiet.map(QuietHours::from),
                    &quiet.map(QuietHours::until),
                    &quiet.map(QuietHours::zone),
                ],
            )
            .await?;
        look_again(&transaction, &[username], "quiet").await?;
        transaction.commit().await?;
        Ok(updated == 1)
    }

    /// Links a person to the WhatsApp user with this number or user id, who becomes a contact if need be, or to none;
    /// tells whether there is such a person. What waits for the window of another user is looked at again.
    pub async fn link_person(&self, username: &str, address: Option<&str>) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let contact = contact_of(&transaction, address).await?;
        let linked = transaction
            .execute("UPDATE person SET contact_id = $2 WHERE username = $1", &[&username, &contact])
            .await?;
        look_again(&transaction, &[username], "window").await?;
        // Without the person, the contact is not created.
        if linked == 1 {
            transaction.commit().await?;
        }
        Ok(linked == 1)
    }
}

async fn contact_of(transaction: &Transaction<'_>, address: Option<&str>) -> Result<Option<i64>, StoreError> {
    let Some(address) = address else { return Ok(None) };
    Ok(named(transaction, &[address]).await?.get(address).copied())
}

/// What waits for people for this reason is due now.
async fn look_again(
    transaction: &Transaction<'_>,
    usernames: &[&str],
    reason: &str,
) -> Result<(), StoreError> {
    transaction
        .execute(
            "UPDATE deferred SET due_at = now()
             WHERE username = ANY($1) AND reason = $2 AND due_at > now()",
            &[&usernames, &reason],
        )
        .await?;
    Ok(())
}

async fn import(transaction: &Transaction<'_>, people: &[NewPerson]) -> Result<Imported, StoreError> {
    let addresses: Vec<&str> = people.iter().filter_map(|person| person.address.as_deref()).collect();
    let contacts = named(transaction, &addresses).await?;
    let usernames: Vec<&str> = people.iter().map(|person| person.username.as_str()).collect();
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    let links: Vec<Option<i64>> =
        people.iter().map(|person| contacts.get(person.address.as_ref()?).copied()).collect();
    let quiet = || people.iter().map(|person| person.quiet_hours.as_ref());
    let quiet_from: Vec<Option<Time>> = quiet().map(|quiet| quiet.map(QuietHours::from)).collect();
    let quiet_until: Vec<Option<Time>> = quiet().map(|quiet| quiet.map(QuietHours::until)).collect();
    let time_zones: Vec<Option<&str>> = quiet().map(|quiet| quiet.map(QuietHours::zone)).collect();
    let row = transaction
        .query_one(
            "WITH imported AS (
                 INSERT INTO person (username, name, contact_id, quiet_from, quiet_until, time_zone)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::time[], $5::time[], $6::text[])
                 ON CONFLICT (username) DO UPDATE
                 SET name = excluded.name, contact_id = coalesce(excluded.contact_id, person.contact_id),
                     quiet_from = coalesce(excluded.quiet_from, person.quiet_from),
                     quiet_until = coalesce(excluded.quiet_until, person.quiet_until),
                     time_zone = coalesce(excluded.time_zone, person.time_zone)
                 RETURNING xmax = 0 AS is_new
             )
             SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM imported",
            &[&usernames, &names, &links, &quiet_from, &quiet_until, &time_zones],
        )
        .await?;
    join_groups(transaction, people).await?;
    for reason in ["window", "quiet"] {
        look_again(transaction, &usernames, reason).await?;
    }
    Ok(Imported {
        added: row.try_get::<_, i64>(0)?.unsigned_abs(),
        updated: row.try_get::<_, i64>(1)?.unsigned_abs(),
    })
}

async fn join_groups(transaction: &Transaction<'_>, people: &[NewPerson]) -> Result<(), StoreError> {
    let (usernames, groups): (Vec<&str>, Vec<&str>) = people
        .iter()
        .flat_map(|person| person.groups.iter().map(|group| (person.username.as_str(), group.as_str())))
        .unzip();
    if usernames.is_empty() {
        return Ok(());
    }
    transaction
        .execute(
            "INSERT INTO membership (group_id, person_id)
             SELECT g.id, p.id FROM unnest($1::text[], $2::text[]) AS i (username, name)
             JOIN person p ON p.username = i.username JOIN groups g ON g.name = i.name
             ON CONFLICT DO NOTHING",
            &[&usernames, &groups],
        )
        .await?;
    Ok(())
}

fn stored_person(row: &Row) -> Result<StoredPerson, StoreError> {
    let contact = Contact {
        wa_id: row.try_get(4)?,
        user_id: row.try_get(5)?,
        name: row.try_get(6)?,
        last_inbound_at: row.try_get(7)?,
    };
    Ok(StoredPerson {
        username: row.try_get(0)?,
        name: row.try_get(1)?,
        active: row.try_get(2)?,
        created_at: row.try_get(3)?,
        groups: row.try_get(8)?,
        contact: row.try_get::<_, bool>(12)?.then_some(contact),
        quiet_hours: quiet_hours(row.try_get(9)?, row.try_get(10)?, row.try_get(11)?),
    })
}
