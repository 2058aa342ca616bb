//! Contacts: the WhatsApp users that people are reached as.
//!
//! A user has a number (`wa_id`), a user id, or both; what Meta last said about them counts. Messages are
//! addressed to the number where it is known, so the row with the number stays when two rows turn out to be
//! one user.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::{Store, StoreError, contact_fold::fold, contact_twins, session::Transaction};
use crate::domain::{Contact, OptOut, same_user};

/// A user who has another number or user id now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenamedContact {
    /// The number before.
    pub old_wa_id: Option<String>,
    /// The user id before.
    pub old_user_id: Option<String>,
    /// The number now.
    pub wa_id: Option<String>,
    /// The user id now.
    pub user_id: Option<String>,
}

/// A WhatsApp user as an operator sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredContact {
    /// The row's key.
    pub id: i64,
    /// Who it is.
    pub contact: Contact,
    /// Usernames of the people who are linked to it.
    pub people: Vec<String>,
    /// That they want no messages.
    pub opt_out: Option<OptOut>,
}

impl Store {
    /// The contacts that are known, by what they were asked for: digits of a number, or a user id. Who is not
    /// known by a number may be by the other one that WhatsApp has for the same user.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn contacts(
        &self,
        recipients: &BTreeSet<String>,
    ) -> Result<HashMap<String, Contact>, StoreError> {
        let twins: Vec<(&String, String)> =
            recipients.iter().filter_map(|asked| Some((asked, same_user(asked)?))).collect();
        let asked: Vec<&str> =
            recipients.iter().chain(twins.iter().map(|(_, twin)| twin)).map(String::as_str).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT wa_id, user_id, name, last_inbound_at, wa_id FROM contact WHERE wa_id = ANY($1)
                 UNION ALL
                 SELECT wa_id, user_id, name, last_inbound_at, user_id FROM contact WHERE user_id = ANY($1)",
            )
            .await?;
        let mut known = HashMap::new();
        for row in client.query(&statement, &[&asked]).await? {
            let contact = Contact {
                wa_id: row.try_get(0)?,
                user_id: row.try_get(1)?,
                name: row.try_get(2)?,
                last_inbound_at: row.try_get(3)?,
            };
            known.insert(row.try_get::<_, String>(4)?, contact);
        }
        for (asked, twin) in twins {
            if let Some(contact) = known.get(&twin).filter(|_| !known.contains_key(asked)).cloned() {
                known.insert(asked.clone(), contact);
            }
        }
        Ok(known)
    }

    /// At most `limit` contacts, those after `after` in the order in which they were made, with their keys; all, or
    /// those that no person is linked to.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn list_contacts(
        &self,
        unlinked: bool,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredContact>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT c.id, c.wa_id, c.user_id, c.name, c.last_inbound_at,
                        ARRAY(SELECT p.username FROM person p WHERE p.contact_id = c.id ORDER BY p.username),
                        o.scope, o.source, o.at
                 FROM contact c LEFT JOIN opt_out o
                     ON o.recipient = coalesce(c.wa_id, c.user_id) AND NOT o.came_back
                 WHERE c.id > $1 AND NOT ($2 AND EXISTS (SELECT FROM person p WHERE p.contact_id = c.id))
                 ORDER BY c.id LIMIT $3",
            )
            .await?;
        let rows = client.query(&statement, &[&after, &unlinked, &limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredContact {
                    id: row.try_get(0)?,
                    contact: Contact {
                        wa_id: row.try_get(1)?,
                        user_id: row.try_get(2)?,
                        name: row.try_get(3)?,
                        last_inbound_at: row.try_get(4)?,
                    },
                    people: row.try_get(5)?,
                    opt_out: match row.try_get::<_, Option<&str>>(6)? {
                        Some(scope) => Some(OptOut {
                            scope: scope.parse().map_err(StoreError::Row)?,
                            source: row.try_get(7)?,
                            at: row.try_get(8)?,
                        }),
                        None => None,
                    },
                })
            })
            .collect()
    }

    /// Creates or updates contacts, all or nothing. What is `None` stays as it is, and `last_inbound_at` only
    /// moves forward; of contradicting ids the later row's count. A number is 5 to 20 digits.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it. `Conflict`: another host wrote the same users; try again.
    pub async fn upsert_contacts(&self, seen: &[Contact]) -> Result<(), StoreError> {
        let seen = fold(seen);
        if seen.is_empty() {
            return Ok(());
        }
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        contact_twins::adopt(&transaction, &seen).await?;
        for clash in clashes(&transaction, &seen).await? {
            match clash {
                Clash { id, holds_number: true, .. } => forget_user_id(&transaction, id).await?,
                Clash { id, number_of: Some(kept), .. } => merge(&transaction, id, kept).await?,
                Clash { id, wa_id, .. } => set_ids(&transaction, id, Some(&wa_id), None).await?,
            }
        }
        upsert(&transaction, &seen).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Of these pairs of number and user id, those where the number's contact has another user id, or none yet.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn new_user_ids(&self, pairs: &[(&str, &str)]) -> Result<Vec<Contact>, StoreError> {
        let (wa_ids, user_ids): (Vec<&str>, Vec<&str>) = pairs.iter().copied().unzip();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT i.wa_id, i.user_id
                 FROM unnest($1::text[], $2::text[]) AS i (wa_id, user_id) JOIN contact c ON c.wa_id = i.wa_id
                 WHERE c.user_id IS DISTINCT FROM i.user_id",
            )
            .await?;
        let rows = client.query(&statement, &[&wa_ids, &user_ids]).await?;
        rows.iter()
            .map(|row| {
                Ok(Contact {
                    wa_id: row.try_get(0)?,
                    user_id: row.try_get(1)?,
                    name: None,
                    last_inbound_at: None,
                })
            })
            .collect()
    }

    /// Gives a contact its new number or user id; whoever had these becomes one with it. Nothing where
    /// nobody has the old ones.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it. `Conflict`: another host wrote the same user; try again.
    pub async fn rename_contact(&self, renamed: &RenamedContact) -> Result<(), StoreError> {
        let RenamedContact { old_wa_id, old_user_id, wa_id, user_id } = renamed;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let old = holders(&transaction, old_wa_id.as_deref(), old_user_id.as_deref()).await?;
        if let Some(kept) = old.first().copied() {
            for other in holders(&transaction, wa_id.as_deref(), user_id.as_deref()).await? {
                if other != kept {
                    merge(&transaction, other, kept).await?;
                }
            }
            set_ids(&transaction, kept, wa_id.as_deref(), user_id.as_deref()).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// A row that has a seen user id beside another number than the seen one, or beside none.
struct Clash {
    id: i64,
    holds_number: bool,
    /// The number that was seen with the user id.
    wa_id: String,
    /// The row of that number.
    number_of: Option<i64>,
}

async fn clashes(transaction: &Transaction<'_>, seen: &[Contact]) -> Result<Vec<Clash>, StoreError> {
    let (wa_ids, user_ids): (Vec<&str>, Vec<&str>) =
        seen.iter().filter_map(|c| c.wa_id.as_deref().zip(c.user_id.as_deref())).unzip();
    if wa_ids.is_empty() {
        return Ok(Vec::new());
    }
    let statement = transaction
        .prepare_cached(
            "SELECT u.id, u.wa_id IS NOT NULL, i.wa_id, w.id
             FROM unnest($1::text[], $2::text[]) AS i (wa_id, user_id)
             JOIN contact u ON u.user_id = i.user_id
             LEFT JOIN contact w ON w.wa_id = i.wa_id
             WHERE u.wa_id IS DISTINCT FROM i.wa_id
             ORDER BY u.id
             FOR UPDATE OF u",
        )
        .await?;
    let rows = transaction.query(&statement, &[&wa_ids, &user_ids]).await?;
    rows.iter()
        .map(|row| {
            Ok(Clash {
                id: row.try_get(0)?,
                holds_number: row.try_get(1)?,
                wa_id: row.try_get(2)?,
                number_of: row.try_get(3)?,
            })
        })
        .collect()
}

/// In one statement; in the order of the keys, so that two who write the same users wait for each other and
/// not in a circle.
async fn upsert(transaction: &Transaction<'_>, seen: &[Contact]) -> Result<(), StoreError> {
    let wa_ids: Vec<Option<&str>> = seen.iter().map(|c| c.wa_id.as_deref()).collect();
    let user_ids: Vec<Option<&str>> = seen.iter().map(|c| c.user_id.as_deref()).collect();
    let names: Vec<Option<&str>> = seen.iter().map(|c| c.name.as_deref()).collect();
    let inbound: Vec<Option<Timestamp>> = seen.iter().map(|c| c.last_inbound_at).collect();
    let statement = transaction
        .prepare_cached(
            "WITH seen AS MATERIALIZED (
                 SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
                     AS s (wa_id, user_id, name, last_inbound_at)
             ), numbered AS (
                 INSERT INTO contact (wa_id, user_id, name, last_inbound_at)
                 SELECT wa_id, user_id, name, last_inbound_at FROM seen WHERE wa_id IS NOT NULL ORDER BY wa_id
                 ON CONFLICT (wa_id) DO UPDATE
                 SET user_id = coalesce(excluded.user_id, contact.user_id),
                     name = coalesce(excluded.name, contact.name),
                     last_inbound_at = greatest(excluded.last_inbound_at, contact.last_inbound_at)
             )
             INSERT INTO contact (user_id, name, last_inbound_at)
             SELECT user_id, name, last_inbound_at FROM seen WHERE wa_id IS NULL ORDER BY user_id
             ON CONFLICT (user_id) DO UPDATE
             SET name = coalesce(excluded.name, contact.name),
                 last_inbound_at = greatest(excluded.last_inbound_at, contact.last_inbound_at)",
        )
        .await?;
    transaction.execute(&statement, &[&wa_ids, &user_ids, &names, &inbound]).await?;
    Ok(())
}

/// The rows of a number and a user id, the number's first.
async fn holders(
    transaction: &Transaction<'_>,
    wa_id: Option<&str>,
    user_id: Option<&str>,
) -> Result<Vec<i64>, StoreError> {
    let statement = transaction
        .prepare_cached(
            "SELECT id FROM contact WHERE wa_id = $1 OR user_id = $2
             ORDER BY (wa_id = $1) DESC NULLS LAST, id FOR UPDATE",
        )
        .await?;
    let rows = transaction.query(&statement, &[&wa_id, &user_id]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) async fn set_ids(
    transaction: &Transaction<'_>,
    id: i64,
    wa_id: Option<&str>,
    user_id: Option<&str>,
) -> Result<(), StoreError> {
    let statement = transaction
        .prepare_cached(
            "UPDATE contact SET wa_id = coalesce($2, wa_id), user_id = coalesce($3, user_id) WHERE id = $1",
        )
        .await?;
    transaction.execute(&statement, &[&id, &wa_id, &user_id]).await?;
    Ok(())
}

async fn forget_user_id(transaction: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
    let statement = transaction.prepare_cached("UPDATE contact SET user_id = NULL WHERE id = $1").await?;
    transaction.execute(&statement, &[&id]).await?;
    Ok(())
}

/// Makes one row of two: links to people and the open window go over, the other ids go.
pub(super) async fn merge(transaction: &Transaction<'_>, gone: i64, kept: i64) -> Result<(), StoreError> {
    let statement = transaction
        .prepare_cached(
            "WITH gone AS (
                 DELETE FROM contact WHERE id = $1 RETURNING name, last_inbound_at
             ), relinked AS (
                 UPDATE person SET contact_id = $2 WHERE contact_id = $1
             )
             UPDATE contact
             SET name = coalesce(contact.name, gone.name),
                 last_inbound_at = greatest(contact.last_inbound_at, gone.last_inbound_at)
             FROM gone WHERE contact.id = $2",
        )
        .await?;
    transaction.execute(&statement, &[&gone, &kept]).await?;
    Ok(())
}
