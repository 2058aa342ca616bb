//! People as an operator keeps them: added, listed, changed.

use hookswitch_core::domain::{Contact, QuietHours};
use jiff::Timestamp;
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
    /// Language in which they read, for example `pt_BR`.
    pub language: Option<String>,
    /// WhatsApp user that the person is linked to; without number and user id if another user has these now.
    pub contact: Option<Contact>,
    /// Usernames of others who are linked to the same WhatsApp user, in order: the first [`SHARED`].
    pub shared_with: Vec<String>,
    /// When they are left alone.
    pub quiet_hours: Option<QuietHours>,
    /// Another one after each change of the person, but not of the groups or the contact.
    pub version: String,
}

/// Others on one WhatsApp user that are named with a person.
const SHARED: i64 = 10;

/// Changes to a person. What is absent stays; `Some(None)` removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedPerson {
    /// The new name.
    pub name: Option<String>,
    /// Whether they get anything.
    pub active: Option<bool>,
    /// The number's digits, or the user id, of the WhatsApp user to link.
    pub address: Option<Option<String>>,
    /// The new quiet hours.
    pub quiet_hours: Option<Option<QuietHours>>,
    /// The new language.
    pub language: Option<Option<String>>,
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
    /// Language in which they read; without one, what there is stays.
    pub language: Option<String>,
}

const PEOPLE: &str =
    "SELECT p.username, p.name, p.active, p.created_at, c.wa_id, c.user_id, c.name, c.last_inbound_at,
            ARRAY(SELECT g.name FROM membership m JOIN groups g ON g.id = m.group_id
                  WHERE m.person_id = p.id ORDER BY g.name),
            p.quiet_from, p.quiet_until, p.time_zone, p.contact_id IS NOT NULL,
            ARRAY(SELECT o.username FROM person o WHERE o.contact_id = p.contact_id AND o.id <> p.id
                  ORDER BY o.username LIMIT $1),
            p.xmin::text, p.language, c.language
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
                let sql = format!("{PEOPLE} WHERE p.username > $2 ORDER BY p.username LIMIT $3");
                let statement = client.prepare_cached(&sql).await?;
                client.query(&statement, &[&SHARED, &after, &limit]).await?
            }
            Some(group) => {
                let sql = format!(
                    "{PEOPLE} WHERE p.id IN (
                         SELECT p.id FROM groups g
                         JOIN membership m ON m.group_id = g.id JOIN person p ON p.id = m.person_id
                         WHERE g.name = $3 AND p.username > $2
                         ORDER BY p.username LIMIT $4)
                     ORDER BY p.username"
                );
                let statement = client.prepare_cached(&sql).await?;
                client.query(&statement, &[&SHARED, &after, &group, &limit]).await?
            }
        };
        rows.iter().map(stored_person).collect()
    }

    /// The person with this username.
    pub async fn find_person(&self, username: &str) -> Result<Option<StoredPerson>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(&format!("{PEOPLE} WHERE p.username = $2")).await?;
        client.query_opt(&statement, &[&SHARED, &username]).await?.as_ref().map(stored_person).transpose()
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
                "INSERT INTO person (username, name, contact_id, quiet_from, quiet_until, time_zone, language)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                &[
                    &person.username,
                    &person.name,
                    &contact,
                    &person.quiet_hours.as_ref().map(QuietHours::from),
                    &person.quiet_hours.as_ref().map(QuietHours::until),
                    &person.quiet_hours.as_ref().map(QuietHours::zone),
                    &person.language,
                ],
            )
            .await?;
        join_groups(&transaction, std::slice::from_ref(person)).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Changes a person, all or nothing; tells whether there is one, of this version if one is given. A WhatsApp user who is
    /// not known becomes a contact.
    /// What waits for the window of another user, or for the end of other quiet hours, is looked at again.
    pub async fn change_person(
        &self,
        username: &str,
        change: &ChangedPerson,
        version: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let contact = contact_of(&transaction, change.address.as_ref().and_then(Option::as_deref)).await?;
        let quiet = change.quiet_hours.as_ref().and_then(Option::as_ref);
        let changed = transaction
            .execute(
                "UPDATE person SET
                     name = coalesce($2, name),
                     active = coalesce($3, active),
                     contact_id = CASE WHEN $4 THEN $5 ELSE contact_id END,
                     quiet_from = CASE WHEN $6 THEN $7 ELSE quiet_from END,
                     quiet_until = CASE WHEN $6 THEN $8 ELSE quiet_until END,
                     time_zone = CASE WHEN $6 THEN $9 ELSE time_zone END,
                     language = CASE WHEN $11 THEN $12 ELSE language END
                 WHERE username = $1 AND ($10::text IS NULL OR xmin::text = $10)",
                &[
                    &username,
                    &change.name,
                    &change.active,
                    &change.address.is_some(),
                    &contact,
                    &change.quiet_hours.is_some(),
                    &quiet.map(QuietHours::from),
                    &quiet.map(QuietHours::until),
                    &quiet.map(QuietHours::zone),
                    &version,
                    &change.language.is_some(),
                    &change.language.as_ref().and_then(Option::as_deref),
                ],
            )
            .await?;
        if changed == 0 {
            // Without the person, the contact is not created.
            transaction.rollback().await?;
            return Ok(false);
        }
        if change.address.is_some() {
            look_again(&transaction, &[username], "window").await?;
        }
        if change.quiet_hours.is_some() {
            look_again(&transaction, &[username], "quiet").await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

/// The people with these usernames, in their order.
pub(super) async fn people_named(
    transaction: &Transaction<'_>,
    usernames: &[&str],
) -> Result<Vec<StoredPerson>, StoreError> {
    let sql = format!("{PEOPLE} WHERE p.username = ANY($2) ORDER BY p.username");
    let statement = transaction.prepare_cached(&sql).await?;
    transaction.query(&statement, &[&SHARED, &usernames]).await?.iter().map(stored_person).collect()
}

async fn contact_of(transaction: &Transaction<'_>, address: Option<&str>) -> Result<Option<i64>, StoreError> {
    let Some(address) = address else { return Ok(None) };
    Ok(named(transaction, &[address]).await?.get(address).copied())
}

/// What waits for people for this reason is due now.
pub(super) async fn look_again(
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

/// Adds people to their groups.
pub(super) async fn join_groups(
    transaction: &Transaction<'_>,
    people: &[NewPerson],
) -> Result<(), StoreError> {
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
        language: row.try_get(16)?,
    };
    Ok(StoredPerson {
        username: row.try_get(0)?,
        name: row.try_get(1)?,
        active: row.try_get(2)?,
        created_at: row.try_get(3)?,
        groups: row.try_get(8)?,
        language: row.try_get(15)?,
        contact: row.try_get::<_, bool>(12)?.then_some(contact),
        shared_with: row.try_get(13)?,
        quiet_hours: quiet_hours(row.try_get(9)?, row.try_get(10)?, row.try_get(11)?),
        version: row.try_get(14)?,
    })
}
