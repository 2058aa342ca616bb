//! Contacts: the WhatsApp users that people are reached as. They are found by any number or user id that is or was
//! known of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use hookswitch_core::domain::{Contact, OptOut, is_user_id, same_user, spellings};

use super::{Store, StoreError, session::Transaction};

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
                "SELECT c.wa_id, c.user_id, c.name, c.last_inbound_at, a.address, c.language
                 FROM contact_address a JOIN contact c ON c.id = a.contact_id WHERE a.address = ANY($1)",
            )
            .await?;
        let mut known = HashMap::new();
        for row in client.query(&statement, &[&asked]).await? {
            let contact = Contact {
                wa_id: row.try_get(0)?,
                user_id: row.try_get(1)?,
                name: row.try_get(2)?,
                last_inbound_at: row.try_get(3)?,
                language: row.try_get(5)?,
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
                        o.scope, o.source, o.at, c.language
                 FROM contact c
                 LEFT JOIN LATERAL (
                     SELECT scope, source, at FROM opt_out
                     WHERE contact_id = c.id AND NOT came_back ORDER BY scope LIMIT 1
                 ) o ON true
                 LEFT JOIN LATERAL (SELECT true AS yes FROM person p WHERE p.contact_id = c.id LIMIT 1) linked ON true
                 WHERE c.id > $1 AND NOT ($2 AND linked.yes IS NOT NULL)
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
                        language: row.try_get(9)?,
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

    /// Sets the language of the contact who has or had this number or user id; `None` removes it. A user who is not known
    /// becomes a contact.
    pub async fn set_contact_language(
        &self,
        address: &str,
        language: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let contact = named(&transaction, &[address]).await?.get(address).copied();
        transaction.execute("UPDATE contact SET language = $2 WHERE id = $1", &[&contact, &language]).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Of these pairs of number and user id, those where the number is a contact's that is not known by the user id.
    pub async fn new_user_ids(
        &self,
        pairs: &[(&str, &str)],
    ) -> Result<HashSet<(String, String)>, StoreError> {
        let (wa_ids, user_ids): (Vec<&str>, Vec<&str>) = pairs.iter().copied().unzip();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT i.wa_id, i.user_id
                 FROM unnest($1::text[], $2::text[]) AS i (wa_id, user_id)
                 JOIN contact_address a ON a.address = i.wa_id JOIN contact c ON c.id = a.contact_id
                 WHERE c.user_id IS DISTINCT FROM i.user_id
                     AND NOT EXISTS (
                         SELECT FROM contact_address k WHERE k.address = i.user_id AND k.contact_id = c.id)",
            )
            .await?;
        let rows = client.query(&statement, &[&wa_ids, &user_ids]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}

/// The contacts that are or were named by these numbers and user ids; each that is not known is created.
pub(super) async fn named(
    transaction: &Transaction<'_>,
    addresses: &[&str],
) -> Result<HashMap<String, i64>, StoreError> {
    let twins: HashMap<&str, String> =
        addresses.iter().filter_map(|address| Some((*address, same_user(address)?))).collect();
    let asked: Vec<&str> = addresses.iter().copied().chain(twins.values().map(String::as_str)).collect();
    let statement = transaction
        .prepare_cached("SELECT address, contact_id FROM contact_address WHERE address = ANY($1)")
        .await?;
    let mut known: HashMap<String, i64> = HashMap::new();
    for row in transaction.query(&statement, &[&asked]).await? {
        known.insert(row.try_get(0)?, row.try_get(1)?);
    }
    for (address, twin) in &twins {
        if let Some(id) = known.get(twin).copied() {
            known.entry((*address).to_owned()).or_insert(id);
        }
    }
    // Of two spellings of one number the first makes the contact.
    let mut new: BTreeSet<&str> = BTreeSet::new();
    for address in addresses.iter().filter(|address| !known.contains_key(**address)) {
        if !twins.get(address).is_some_and(|twin| new.contains(twin.as_str())) {
            new.insert(address);
        }
    }
    if new.is_empty() {
        return Ok(known);
    }
    let (user_ids, wa_ids): (Vec<&str>, Vec<&str>) = new.into_iter().partition(|address| is_user_id(address));
    let statement = transaction
        .prepare_cached(
            "INSERT INTO contact (wa_id, user_id)
             SELECT unnest($1::text[]), NULL UNION ALL SELECT NULL, unnest($2::text[])
             RETURNING id, coalesce(wa_id, user_id)",
        )
        .await?;
    let (mut spelled, mut ids) = (Vec::new(), Vec::new());
    for row in transaction.query(&statement, &[&wa_ids, &user_ids]).await? {
        let (id, address): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        for address in spellings(&address) {
            known.insert(address.clone(), id);
            spelled.push(address);
            ids.push(id);
        }
    }
    let statement = transaction
        .prepare_cached(
            "INSERT INTO contact_address (address, contact_id) SELECT * FROM unnest($1::text[], $2::bigint[])
             ORDER BY 1 ON CONFLICT (address) DO NOTHING",
        )
        .await?;
    transaction.execute(&statement, &[&spelled, &ids]).await?;
    Ok(known)
}
