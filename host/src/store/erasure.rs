//! Erasing a person: the one place that changes rows of the logs. Rows stay, so counts stay true; what they said of
//! the person goes.

use hookswitch_core::domain::{Lane, NotificationId};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Store, StoreError, session::Transaction};

/// In place of what was erased.
const ERASED: &str = "(erased)";

/// Somebody who is to be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The people, by username.
    pub usernames: Vec<String>,
    /// The contacts, by our numbers.
    pub contacts: Vec<i64>,
    /// Each number and user id under which they are or were reached.
    pub ids: Vec<String>,
}

/// An event that may be about somebody.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// Its lane.
    pub lane: Lane,
    /// Its place.
    pub seq: i64,
    /// What it is about.
    pub subject: Option<String>,
    /// Its data, as JSON.
    pub data: String,
    /// Its extension attributes, as JSON.
    pub extensions: Option<String>,
    /// Whether it led to a message to them as somebody outside the staff: then it is about them in any case.
    pub about: bool,
}

impl Store {
    /// Who is known by this username, or by one of these numbers or user ids.
    pub async fn known(&self, username: Option<&str>, ids: &[String]) -> Result<Known, StoreError> {
        let client = self.client().await?;
        let rows = client
            .query(
                "WITH named AS (
                     SELECT contact_id FROM contact_address WHERE address = ANY($2)
                     UNION SELECT contact_id FROM person WHERE username = $1 AND contact_id IS NOT NULL
                 )
                 SELECT c.id, a.address, p.username
                 FROM named JOIN contact c ON c.id = named.contact_id
                 LEFT JOIN contact_address a ON a.contact_id = c.id
                 LEFT JOIN person p ON p.contact_id = c.id
                 UNION ALL SELECT NULL, NULL, username FROM person WHERE username = $1",
                &[&username, &ids],
            )
            .await?;
        let mut known = Known { ids: ids.to_vec(), ..Known::default() };
        for row in &rows {
            known.contacts.extend(row.try_get::<_, Option<i64>>(0)?);
            known.ids.extend(row.try_get::<_, Option<String>>(1)?);
            known.usernames.extend(row.try_get::<_, Option<String>>(2)?);
        }
        let before = "SELECT DISTINCT recipient FROM notification
                      WHERE coalesce(username, recipient) = ANY($1) AND username IS NOT NULL AND recipient IS NOT NULL";
        for row in client.query(before, &[&known.usernames]).await? {
            known.ids.push(row.try_get(0)?);
        }
        for list in [&mut known.ids, &mut known.usernames] {
            list.sort();
            list.dedup();
        }
        known.contacts.sort_unstable();
        known.contacts.dedup();
        Ok(known)
    }

    /// How many messages went to them, as the people or customers that they are.
    pub async fn count_messages_to(&self, known: &Known) -> Result<i64, StoreError> {
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT count(*) FROM notification WHERE coalesce(username, recipient) = ANY($1::text[] || $2::text[])",
                &[&known.ids, &known.usernames],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Lets the people get nothing any more.
    pub async fn deactivate(&self, known: &Known) -> Result<(), StoreError> {
        let sql = "UPDATE person SET active = false WHERE username = ANY($1) AND active";
        self.client().await?.execute(sql, &[&known.usernames]).await?;
        Ok(())
    }

    /// Deletes the contacts and what is kept by their numbers; the people's usernames stand in place of their names.
    /// The last step: by the contact all the rest is found.
    pub async fn erase_person(&self, known: &Known) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction
            .execute(
                "UPDATE person SET name = username, active = false, contact_id = NULL,
                        quiet_from = NULL, quiet_until = NULL, time_zone = NULL, language = NULL
                 WHERE username = ANY($1)",
                &[&known.usernames],
            )
            .await?;
        transaction.execute("DELETE FROM contact WHERE id = ANY($1)", &[&known.contacts]).await?;
        transaction
            .execute(
                "DELETE FROM digest WHERE EXISTS (
                     SELECT FROM unnest($1::text[]) AS k (id) WHERE strpos(decision, k.id) > 0)",
                &[&known.ids],
            )
            .await?;
        transaction.execute("DELETE FROM daily_user WHERE recipient = ANY($1)", &[&known.ids]).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Looks at `limit` messages after a message's id, and erases those that went to them. Returns how many, and the
    /// last that was looked at; `None` at the end of the log.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it; where the role may not, in words.
    pub async fn erase_messages_to(
        &self,
        known: &Known,
        after: NotificationId,
        limit: i64,
        now: Timestamp,
    ) -> Result<Option<(u64, NotificationId)>, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let rows = transaction
            .query(
                "SELECT id, coalesce(recipient = ANY($2), false) OR coalesce(username = ANY($3), false)
                 FROM notification WHERE id > $1 ORDER BY id LIMIT $4",
                &[&after.0, &known.ids, &known.usernames, &limit],
            )
            .await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let last = NotificationId(last.try_get(0)?);
        let mut ids: Vec<Uuid> = Vec::new();
        for row in &rows {
            if row.try_get(1)? {
                ids.push(row.try_get(0)?);
            }
        }
        if ids.is_empty() {
            return Ok(Some((0, last)));
        }
        erase_messages(&transaction, &ids, now).await.map_err(explain)?;
        transaction
            .execute("UPDATE notification SET recipient = NULL, name = NULL WHERE id = ANY($1)", &[&ids])
            .await
            .map_err(explain)?;
        // Meta's ids of messages hold the number as well.
        transaction
            .execute(
                "UPDATE delivery SET wamid = NULL, detail = NULL
                 WHERE notification_id = ANY($1) AND (wamid IS NOT NULL OR detail IS NOT NULL)",
                &[&ids],
            )
            .await
            .map_err(explain)?;
        transaction.commit().await?;
        Ok(Some((ids.len() as u64, last)))
    }

    /// At most `limit` routed events of a lane after a place that may hold one of these numbers or user ids, and where
    /// the lane was read to; `None` at its end.
    pub async fn suspects(
        &self,
        lane: Lane,
        after: i64,
        known: &Known,
        limit: i64,
    ) -> Result<(Vec<Suspect>, Option<i64>), StoreError> {
        let (digits, others): (Vec<&String>, Vec<&String>) =
            known.ids.iter().partition(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
        let digits: Vec<String> = digits.iter().map(|id| format!("%{id}%")).collect();
        let others: Vec<String> = others.iter().map(|id| format!("%{id}%")).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT e.seq, e.subject, e.data, e.extensions, m.about,
                        m.about OR e.text LIKE ANY($4) OR regexp_replace(e.text, '[^0-9]', '', 'g') LIKE ANY($3)
                 FROM (
                     SELECT *, concat_ws(' ', subject, data, extensions) AS text FROM event
                     WHERE lane = $1 AND seq > $2 ORDER BY seq LIMIT $6
                 ) e
                 CROSS JOIN LATERAL (
                     SELECT EXISTS (
                         SELECT FROM notification n WHERE n.event_lane = e.lane AND n.event_seq = e.seq
                         AND n.username IS NULL AND n.recipient = ANY($5)) AS about
                 ) m
                 WHERE e.seq <= (SELECT max(event_seq) FROM decision WHERE lane = $1)
                 ORDER BY e.seq",
            )
            .await?;
        let rows = client.query(&statement, &[&lane.0, &after, &digits, &others, &known.ids, &limit]).await?;
        let mut suspects = Vec::new();
        for row in &rows {
            if row.try_get::<_, bool>(5)? {
                suspects.push(Suspect {
                    lane,
                    seq: row.try_get(0)?,
                    subject: row.try_get(1)?,
                    data: row.try_get(2)?,
                    extensions: row.try_get(3)?,
                    about: row.try_get(4)?,
                });
            }
        }
        let last = rows.last().map(|row| row.try_get(0)).transpose()?;
        Ok((suspects, last))
    }

    /// Erases what events of a lane say, what was decided of them, and the messages that they led to. Each is given with
    /// its place and its new subject.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it; where the role may not, in words.
    pub async fn erase_events(
        &self,
        lane: Lane,
        events: &[(i64, Option<String>)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (seqs, subjects): (Vec<i64>, Vec<Option<&str>>) =
            events.iter().map(|(seq, subject)| (*seq, subject.as_deref())).unzip();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction
            .execute(
                "UPDATE event SET data = '{\"erased\":true}', extensions = NULL, subject = s.subject
                 FROM unnest($2::bigint[], $3::text[]) AS s (seq, subject)
                 WHERE event.lane = $1 AND event.seq = s.seq",
                &[&lane.0, &seqs, &subjects],
            )
            .await
            .map_err(explain)?;
        transaction
            .execute(
                "UPDATE decision SET decision = NULL, asked = NULL,
                        reason = CASE WHEN reason IS NULL OR outcome = 'notify' THEN reason ELSE $3 END
                 WHERE lane = $1 AND event_seq = ANY($2)",
                &[&lane.0, &seqs, &ERASED],
            )
            .await
            .map_err(explain)?;
        // Nor is it told as one of many; a digest of nothing does not go out.
        let rows = transaction
            .query(
                "DELETE FROM digest_item WHERE lane = $1 AND event_seq = ANY($2) RETURNING digest_id",
                &[&lane.0, &seqs],
            )
            .await?;
        let digests: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        transaction
            .execute(
                "DELETE FROM digest d WHERE d.id = ANY($1)
                     AND NOT EXISTS (SELECT FROM digest_item i WHERE i.digest_id = d.id)",
                &[&digests],
            )
            .await?;
        // There is nothing left to decide again.
        transaction
            .execute("DELETE FROM parked WHERE lane = $1 AND event_seq = ANY($2)", &[&lane.0, &seqs])
            .await?;
        let rows = transaction
            .query(
                "SELECT id FROM notification WHERE event_lane = $1 AND event_seq = ANY($2)",
                &[&lane.0, &seqs],
            )
            .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        erase_messages(&transaction, &ids, now).await.map_err(explain)?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Erases the words of messages; what waits is not sent any more.
async fn erase_messages(
    transaction: &Transaction<'_>,
    ids: &[Uuid],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = transaction
        .query(
            "INSERT INTO delivery (notification_id, attempt, status, at, detail)
             SELECT n.id, coalesce(last.attempt, 0), 'skipped', $2, 'erased on request'
             FROM unnest($1::uuid[]) AS n (id)
             LEFT JOIN LATERAL (
                 SELECT max(attempt) AS attempt FROM delivery d WHERE d.notification_id = n.id
             ) last ON true
             WHERE NOT EXISTS (
                 SELECT FROM delivery d WHERE d.notification_id = n.id AND d.status > 'retrying'
                     AND (d.status >= 'delivered' OR d.attempt = last.attempt))
             ON CONFLICT DO NOTHING
             RETURNING notification_id",
            &[&ids, &now],
        )
        .await?;
    let waiting: Vec<Uuid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    // Dispatch leaves alone what has no recipient, also where it has not come to it yet.
    transaction.execute("UPDATE notification SET recipient = NULL WHERE id = ANY($1)", &[&waiting]).await?;
    transaction
        .execute(
            "DELETE FROM deferred USING notification n
             WHERE n.id = ANY($1) AND deferred.lane = n.lane AND deferred.seq = n.seq",
            &[&ids],
        )
        .await?;
    transaction.execute("DELETE FROM secret WHERE notification_id = ANY($1)", &[&ids]).await?;
    transaction
        .execute(
            "UPDATE notification
             SET message = (message::jsonb - '{parameters,meta_body,header,buttons,meta_parts}'::text[]
                            || jsonb_build_object('body', $2::text))::text
             WHERE id = ANY($1)",
            &[&ids, &ERASED],
        )
        .await?;
    Ok(())
}

/// A host's role appends to the logs; only their owner changes them.
fn explain(error: StoreError) -> StoreError {
    match error {
        StoreError::Denied(_) => StoreError::Denied(
            "this role may not change the logs; use a --database-url with the role that owns the tables"
                .to_owned(),
        ),
        other => other,
    }
}
