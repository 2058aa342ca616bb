//! Writes what Meta says about who is who; [`Identities`] decides what it means.

use std::collections::{BTreeMap, HashMap};

use hookswitch_core::domain::{Contact, Holder, Identities, IdentityChanges, IdentityNews};
use jiff::Timestamp;

use super::{Store, StoreError, session::Transaction};

impl Store {
    /// Creates, updates and merges contacts as the news says, all or nothing.
    ///
    /// # Errors
    /// `Conflict`: another host wrote the same users; try again.
    pub async fn hear_identities(&self, news: &[IdentityNews]) -> Result<(), StoreError> {
        if news.is_empty() {
            return Ok(());
        }
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let mut identities = load(&transaction, news).await?;
        identities.hear(news);
        let changes = identities.changes();
        for (gone, kept) in &changes.merged {
            merge(&transaction, *gone, *kept).await?;
        }
        update(&transaction, &changes).await?;
        let created = create(&transaction, &changes).await?;
        let key = |id: &i64| created.get(id).copied().unwrap_or(*id);
        set_addresses(&transaction, &changes, key).await?;
        for (from, to) in &changes.inherited {
            inherit(&transaction, key(from), key(to)).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// The contacts that the news is about. They are locked in the order of their keys, so that two who write the same
/// users wait for each other and not in a circle.
async fn load(transaction: &Transaction<'_>, news: &[IdentityNews]) -> Result<Identities, StoreError> {
    let named: Vec<String> = news.iter().flat_map(IdentityNews::addresses).collect();
    let statement = transaction
        .prepare_cached(
            "SELECT id, wa_id, user_id, name, last_inbound_at FROM contact
             WHERE id IN (SELECT contact_id FROM contact_address WHERE address = ANY($1))
             ORDER BY id FOR UPDATE",
        )
        .await?;
    let mut contacts = BTreeMap::new();
    for row in transaction.query(&statement, &[&named]).await? {
        let contact = Contact {
            wa_id: row.try_get(1)?,
            user_id: row.try_get(2)?,
            name: row.try_get(3)?,
            last_inbound_at: row.try_get(4)?,
            // It is no news of who somebody is.
            language: None,
        };
        contacts.insert(row.try_get(0)?, contact);
    }
    let ids: Vec<i64> = contacts.keys().copied().collect();
    let statement = transaction
        .prepare_cached("SELECT address, contact_id, since FROM contact_address WHERE contact_id = ANY($1)")
        .await?;
    let mut addresses = BTreeMap::new();
    for row in transaction.query(&statement, &[&ids]).await? {
        addresses.insert(row.try_get(0)?, Holder { contact: row.try_get(1)?, since: row.try_get(2)? });
    }
    Ok(Identities::new(contacts, addresses))
}

/// In two steps where a number or user id may go from one of them to another.
async fn update(transaction: &Transaction<'_>, changes: &IdentityChanges) -> Result<(), StoreError> {
    let contacts = &changes.updated;
    if contacts.is_empty() {
        return Ok(());
    }
    if !changes.freed.is_empty() {
        let statement = transaction
            .prepare_cached("UPDATE contact SET wa_id = NULL, user_id = NULL WHERE id = ANY($1)")
            .await?;
        transaction.execute(&statement, &[&changes.freed]).await?;
    }
    let ids: Vec<i64> = contacts.iter().map(|(id, _)| *id).collect();
    let wa_ids: Vec<Option<&str>> = contacts.iter().map(|(_, c)| c.wa_id.as_deref()).collect();
    let user_ids: Vec<Option<&str>> = contacts.iter().map(|(_, c)| c.user_id.as_deref()).collect();
    let names: Vec<Option<&str>> = contacts.iter().map(|(_, c)| c.name.as_deref()).collect();
    let inbound: Vec<Option<Timestamp>> = contacts.iter().map(|(_, c)| c.last_inbound_at).collect();
    let statement = transaction
        .prepare_cached(
            "UPDATE contact SET wa_id = i.wa_id, user_id = i.user_id, name = i.name, last_inbound_at = i.last_inbound_at
             FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                 AS i (id, wa_id, user_id, name, last_inbound_at)
             WHERE contact.id = i.id",
        )
        .await?;
    transaction.execute(&statement, &[&ids, &wa_ids, &user_ids, &names, &inbound]).await?;
    Ok(())
}

/// Returns the keys of the new contacts.
async fn create(
    transaction: &Transaction<'_>,
    changes: &IdentityChanges,
) -> Result<HashMap<i64, i64>, StoreError> {
    let mut keys = HashMap::new();
    if changes.created.is_empty() {
        return Ok(keys);
    }
    // In the order of their ids, like all who write contacts.
    let mut created: Vec<&(i64, Contact)> = changes.created.iter().collect();
    created.sort_by(|(_, a), (_, b)| (&a.wa_id, &a.user_id).cmp(&(&b.wa_id, &b.user_id)));
    let wa_ids: Vec<Option<&str>> = created.iter().map(|(_, c)| c.wa_id.as_deref()).collect();
    let user_ids: Vec<Option<&str>> = created.iter().map(|(_, c)| c.user_id.as_deref()).collect();
    let names: Vec<Option<&str>> = created.iter().map(|(_, c)| c.name.as_deref()).collect();
    let inbound: Vec<Option<Timestamp>> = created.iter().map(|(_, c)| c.last_inbound_at).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO contact (wa_id, user_id, name, last_inbound_at)
             SELECT wa_id, user_id, name, last_inbound_at
             FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
                 AS i (wa_id, user_id, name, last_inbound_at, place)
             ORDER BY place
             RETURNING id",
        )
        .await?;
    let rows = transaction.query(&statement, &[&wa_ids, &user_ids, &names, &inbound]).await?;
    let mut ids: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    // They are drawn in the order of the rows.
    ids.sort_unstable();
    keys.extend(created.iter().map(|(key, _)| *key).zip(ids));
    Ok(keys)
}

async fn set_addresses(
    transaction: &Transaction<'_>,
    changes: &IdentityChanges,
    key: impl Fn(&i64) -> i64,
) -> Result<(), StoreError> {
    if changes.addresses.is_empty() {
        return Ok(());
    }
    let addresses: Vec<&str> = changes.addresses.iter().map(|(address, _)| address.as_str()).collect();
    let ids: Vec<i64> = changes.addresses.iter().map(|(_, holder)| key(&holder.contact)).collect();
    let since: Vec<Option<Timestamp>> = changes.addresses.iter().map(|(_, holder)| holder.since).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO contact_address (address, contact_id, since)
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) ORDER BY 1
             ON CONFLICT (address) DO UPDATE SET contact_id = excluded.contact_id, since = excluded.since
             WHERE (contact_address.contact_id, contact_address.since)
                 IS DISTINCT FROM (excluded.contact_id, excluded.since)",
        )
        .await?;
    transaction.execute(&statement, &[&addresses, &ids, &since]).await?;
    Ok(())
}

/// What the number's former user did not want, whoever has it now does not get either, unless they have said otherwise.
async fn inherit(transaction: &Transaction<'_>, from: i64, to: i64) -> Result<(), StoreError> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO opt_out (contact_id, scope, source, at, message_ids)
             SELECT $2, scope, source, at, message_ids FROM opt_out WHERE contact_id = $1 AND NOT came_back
             ON CONFLICT (contact_id, scope) DO NOTHING",
        )
        .await?;
    transaction.execute(&statement, &[&from, &to]).await?;
    Ok(())
}

/// Makes one row of two: links to people, addresses, wishes and the open window go over.
async fn merge(transaction: &Transaction<'_>, gone: i64, kept: i64) -> Result<(), StoreError> {
    for sql in [
        "UPDATE person SET contact_id = $2 WHERE contact_id = $1",
        "UPDATE contact_address SET contact_id = $2 WHERE contact_id = $1",
        // The later word of either counts; of words of one second, that they want nothing.
        "INSERT INTO opt_out (contact_id, scope, source, at, came_back, message_ids)
         SELECT $2, scope, source, at, came_back, message_ids FROM opt_out WHERE contact_id = $1
         ON CONFLICT (contact_id, scope) DO UPDATE
         SET source = excluded.source, at = excluded.at, came_back = excluded.came_back,
             message_ids = excluded.message_ids
         WHERE (opt_out.at, NOT opt_out.came_back) < (excluded.at, NOT excluded.came_back)",
        "INSERT INTO number_window (contact_id, phone_number_id, last_inbound_at)
         SELECT $2, phone_number_id, last_inbound_at FROM number_window WHERE contact_id = $1
         ON CONFLICT (contact_id, phone_number_id) DO UPDATE
         SET last_inbound_at = greatest(number_window.last_inbound_at, excluded.last_inbound_at)",
        "WITH gone AS (DELETE FROM contact WHERE id = $1 RETURNING name, language, last_inbound_at)
         UPDATE contact
         SET name = coalesce(contact.name, gone.name), language = coalesce(contact.language, gone.language),
             last_inbound_at = greatest(contact.last_inbound_at, gone.last_inbound_at)
         FROM gone WHERE contact.id = $2",
    ] {
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&gone, &kept]).await?;
    }
    Ok(())
}
