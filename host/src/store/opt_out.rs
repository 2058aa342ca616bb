//! What contacts have said about the messages that they want.

use std::collections::{BTreeSet, HashMap};

use hookswitch_core::domain::{NotificationId, OptOut, OptOutScope, Preference, spellings};
use jiff::Timestamp;

use super::{Act, Store, StoreError, contact, session::Transaction};

/// In place of a person's words, where Meta says so.
const BY_META: &str = "Meta says so (131050)";

impl Store {
    /// Records what users and operators said, all or nothing. Of each contact and scope the last word counts, by its
    /// time: what is older, or was heard before, changes nothing. Whoever wants messages again wants marketing again
    /// too; whoever wants marketing again may still want nothing at all. A contact is made where none is known.
    /// An operator's act is recorded.
    pub async fn set_preferences(
        &self,
        preferences: &[Preference],
        act: Option<&Act>,
    ) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        record(&transaction, preferences).await?;
        if let Some(act) = act {
            act.record_count(&transaction, preferences.len()).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Active people who want no messages at all, with when and how they said so, by username; `limit` at most.
    pub async fn opted_out_people(&self, limit: i64) -> Result<Vec<OptedOutPerson>, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "SELECT p.username, o.source, o.at
                 FROM opt_out o JOIN person p ON p.contact_id = o.contact_id AND p.active
                 WHERE o.scope = 'all' AND NOT o.came_back
                 ORDER BY p.username LIMIT $1",
                &[&limit],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let opt_out =
                    OptOut { scope: OptOutScope::All, source: row.try_get(1)?, at: row.try_get(2)? };
                Ok(OptedOutPerson { username: row.try_get(0)?, opt_out })
            })
            .collect()
    }

    /// The opt-outs of those who have or had these addresses, by address; of two, that of all messages.
    pub async fn opt_outs(
        &self,
        addresses: &BTreeSet<String>,
    ) -> Result<HashMap<String, OptOut>, StoreError> {
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT a.address, o.scope, o.source, o.at
                 FROM unnest($1::text[]) AS a (address)
                 CROSS JOIN LATERAL (
                     SELECT contact_id FROM contact_address WHERE contact_address.address = a.address LIMIT 1
                 ) c
                 CROSS JOIN LATERAL (
                     SELECT scope, source, at FROM opt_out
                     WHERE opt_out.contact_id = c.contact_id AND NOT came_back ORDER BY scope LIMIT 1
                 ) o",
            )
            .await?;
        let rows = client.query(&statement, &[&addresses]).await?;
        rows.iter()
            .map(|row| {
                let scope: OptOutScope = row.try_get::<_, &str>(1)?.parse().map_err(StoreError::Row)?;
                let opt_out = OptOut { scope, source: row.try_get(2)?, at: row.try_get(3)? };
                Ok((row.try_get(0)?, opt_out))
            })
            .collect()
    }

    /// Where the users are named to whom these messages went.
    pub async fn recipients_of(
        &self,
        notifications: &[NotificationId],
    ) -> Result<Vec<(NotificationId, String)>, StoreError> {
        let ids: Vec<uuid::Uuid> = notifications.iter().map(|id| id.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT n.id, coalesce(c.wa_id, c.user_id, n.recipient)
                 FROM notification n
                 LEFT JOIN person p ON p.username = n.username
                 LEFT JOIN contact c ON c.id = p.contact_id
                 WHERE n.id = ANY($1) AND n.recipient IS NOT NULL",
            )
            .await?;
        let rows = client.query(&statement, &[&ids]).await?;
        rows.iter().map(|row| Ok((NotificationId(row.try_get(0)?), row.try_get(1)?))).collect()
    }
}

/// An active person who wants no messages at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptedOutPerson {
    /// The person's username.
    pub username: String,
    /// When, and how.
    pub opt_out: OptOut,
}

/// Records that these numbers or user ids want no marketing: Meta has just refused messages to them for that.
pub(super) async fn refused(
    transaction: &Transaction<'_>,
    recipients: &[&str],
    at: Timestamp,
) -> Result<(), StoreError> {
    let recipients: BTreeSet<&str> = recipients.iter().copied().collect();
    let preferences: Vec<Preference> =
        recipients.into_iter().map(|recipient| by_meta(vec![recipient.to_owned()], at)).collect();
    record(transaction, &preferences).await
}

/// That Meta refuses marketing to a user, because they opted out of it.
pub fn by_meta(recipients: Vec<String>, at: Timestamp) -> Preference {
    Preference {
        recipients,
        stop: true,
        scope: OptOutScope::Marketing,
        source: BY_META.to_owned(),
        at,
        message_id: "131050".to_owned(),
    }
}

/// One after the other: they are few, and each may be about the same contact.
async fn record(transaction: &Transaction<'_>, preferences: &[Preference]) -> Result<(), StoreError> {
    for preference in preferences {
        let contacts = contacts_of(transaction, &preference.recipients).await?;
        let scopes = match (preference.stop, preference.scope) {
            (false, OptOutScope::All) => &["all", "marketing"][..],
            (_, OptOutScope::All) => &["all"],
            (_, OptOutScope::Marketing) => &["marketing"],
        };
        let statement = transaction
            .prepare_cached(
                "INSERT INTO opt_out (contact_id, scope, source, at, came_back, message_ids)
                 SELECT c.id, s.scope, $3, $4, $5, ARRAY[$6::text]
                 FROM unnest($1::bigint[]) AS c (id) CROSS JOIN unnest($2::text[]) AS s (scope)
                 ORDER BY c.id, s.scope
                 ON CONFLICT (contact_id, scope) DO UPDATE
                 SET source = excluded.source, at = excluded.at, came_back = excluded.came_back,
                     message_ids = CASE WHEN opt_out.at = excluded.at
                         THEN opt_out.message_ids || excluded.message_ids ELSE excluded.message_ids END
                 WHERE opt_out.at < excluded.at
                     OR (opt_out.at = excluded.at AND NOT opt_out.message_ids && excluded.message_ids)",
            )
            .await?;
        let Preference { source, at, stop, message_id, .. } = preference;
        transaction.execute(&statement, &[&contacts, &scopes, source, at, &!*stop, message_id]).await?;
    }
    Ok(())
}

/// The contacts that are or were named by these numbers and user ids, of which at least one is there.
async fn contacts_of(transaction: &Transaction<'_>, recipients: &[String]) -> Result<Vec<i64>, StoreError> {
    let addresses: Vec<String> = recipients.iter().flat_map(|recipient| spellings(recipient)).collect();
    let statement = transaction
        .prepare_cached("SELECT DISTINCT contact_id FROM contact_address WHERE address = ANY($1) ORDER BY 1")
        .await?;
    let known = transaction.query(&statement, &[&addresses]).await?;
    if known.is_empty() {
        // They may be two ids of one user: as long as nobody has said so, each is a contact.
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        return Ok(contact::named(transaction, &recipients)
            .await?
            .into_values()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect());
    }
    known.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
