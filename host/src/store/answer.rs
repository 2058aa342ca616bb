//! Who writes to us, and which of our messages they answer.

use std::collections::HashMap;

use hookswitch_core::domain::{EventKey, NotificationId};

use super::{Store, StoreError};

/// A message of ours that somebody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The notification.
    pub notification: NotificationId,
    /// Its template, by name.
    pub template: String,
    /// The type of its event, its key and its subject; `None` where that was dropped meanwhile.
    pub event: Option<(String, EventKey, Option<String>)>,
}

/// A member of the staff, as rules name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The username.
    pub username: String,
    /// The name.
    pub name: String,
    /// The groups that they are in, at most [`MOST_GROUPS`].
    pub groups: Vec<String>,
}

/// So many groups of a person are told.
const MOST_GROUPS: i64 = 100;

impl Store {
    /// The messages of ours that these of Meta's ids belong to; one that is not ours is absent.
    pub async fn answered(&self, wamids: &[&str]) -> Result<HashMap<String, Answered>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT d.wamid, n.id, n.template, e.type, e.id, e.source, e.subject
                 FROM delivery d
                 JOIN notification n ON n.id = d.notification_id
                 LEFT JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
                 WHERE d.status = 'accepted' AND d.wamid = ANY($1)",
            )
            .await?;
        let mut answered = HashMap::new();
        for row in client.query(&statement, &[&wamids]).await? {
            let kind: Option<String> = row.try_get(3)?;
            let key = |kind| -> Result<_, StoreError> {
                let key = EventKey { id: row.try_get(4)?, source: row.try_get(5)? };
                Ok((kind, key, row.try_get(6)?))
            };
            let of = Answered {
                notification: NotificationId(row.try_get(1)?),
                template: row.try_get(2)?,
                event: kind.map(key).transpose()?,
            };
            answered.insert(row.try_get(0)?, of);
        }
        Ok(answered)
    }

    /// The people who are linked to the users with these numbers or user ids, each by what was asked for; of several who
    /// share one, the first by username.
    pub async fn writers(&self, addresses: &[&str]) -> Result<HashMap<String, Writer>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT a.address, p.username, p.name, ARRAY(
                     SELECT g.name
                     FROM (SELECT group_id FROM membership WHERE person_id = p.id LIMIT $2) AS m
                     CROSS JOIN LATERAL (SELECT name FROM groups WHERE id = m.group_id LIMIT 1) AS g)
                 FROM contact_address a JOIN person p ON p.contact_id = a.contact_id
                 WHERE a.address = ANY($1) AND p.active",
            )
            .await?;
        let mut writers: HashMap<String, Writer> = HashMap::new();
        for row in client.query(&statement, &[&addresses, &MOST_GROUPS]).await? {
            let mut writer =
                Writer { username: row.try_get(1)?, name: row.try_get(2)?, groups: row.try_get(3)? };
            writer.groups.sort();
            let address: String = row.try_get(0)?;
            let is_first = |known: &Writer| writer.username < known.username;
            if writers.get(&address).is_none_or(is_first) {
                writers.insert(address, writer);
            }
        }
        Ok(writers)
    }
}
