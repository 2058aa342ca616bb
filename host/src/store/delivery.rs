//! The delivery log: what happened to notifications.

use std::collections::{HashMap, HashSet};

use hookswitch_core::domain::{Delivery, NotificationId, Status};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{COUNTED, LateRetry, Store, StoreError, deferred, session::Session};

const HISTORY: &str = "SELECT notification_id, attempt, status::text, at, wamid, code, detail
     FROM delivery WHERE notification_id = ANY($1)";

/// What happened to several notifications.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    rows: HashMap<NotificationId, Vec<Delivery>>,
    unreadable: HashMap<NotificationId, String>,
}

impl Histories {
    /// What happened to one of them, in no order.
    ///
    /// # Errors
    /// Where a row of it holds what this version does not know; in words.
    pub fn of(&self, id: NotificationId) -> Result<&[Delivery], &str> {
        match self.unreadable.get(&id) {
            Some(why) => Err(why),
            None => Ok(self.rows.get(&id).map(Vec::as_slice).unwrap_or_default()),
        }
    }
}

impl FromIterator<Delivery> for Histories {
    fn from_iter<I: IntoIterator<Item = Delivery>>(deliveries: I) -> Self {
        let mut histories = Histories::default();
        for delivery in deliveries {
            histories.rows.entry(delivery.notification_id).or_default().push(delivery);
        }
        histories
    }
}

impl Store {
    /// Appends what webhooks told, and lets what failed late wait for its next attempt, all or nothing. What is there
    /// already (a repeated webhook) stays as it is, and brings no attempt.
    pub async fn append_receipts(&self, rows: &[Delivery], retries: &[LateRetry]) -> Result<(), StoreError> {
        let rows: Vec<&Delivery> = rows.iter().collect();
        let mut client = self.client().await?;
        if retries.is_empty() {
            append(&client, &rows).await?;
            return Ok(());
        }
        let transaction = client.transaction().await?;
        let new = append(&transaction, &rows).await?;
        let failed: HashSet<_> = rows
            .iter()
            .zip(new)
            .filter(|(row, is_new)| *is_new && row.status == Status::Failed)
            .map(|(row, _)| (row.notification_id, row.attempt))
            .collect();
        let retries: Vec<&LateRetry> =
            retries.iter().filter(|retry| failed.contains(&(retry.notification_id, retry.failed))).collect();
        deferred::retry_late(&transaction, &retries).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// All that happened to these notifications, in no order.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer, or a row holds a status that this version does not know.
    pub async fn deliveries_of(&self, notifications: &[NotificationId]) -> Result<Vec<Delivery>, StoreError> {
        let ids: Vec<Uuid> = notifications.iter().map(|id| id.0).collect();
        let client = self.client().await?;
        let statement = client.prepare_cached(HISTORY).await?;
        client.query(&statement, &[&ids]).await?.iter().map(delivery).collect()
    }

    /// All that happened to these notifications, for who goes on with them.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn histories(&self, notifications: &[NotificationId]) -> Result<Histories, StoreError> {
        let mut histories = Histories::default();
        if notifications.is_empty() {
            return Ok(histories);
        }
        let ids: Vec<Uuid> = notifications.iter().map(|id| id.0).collect();
        let client = self.client().await?;
        let statement = client.prepare_cached(HISTORY).await?;
        for row in client.query(&statement, &[&ids]).await? {
            let id = NotificationId(row.try_get(0)?);
            match delivery(&row) {
                Ok(delivery) => histories.rows.entry(id).or_default().push(delivery),
                Err(error) => _ = histories.unreadable.insert(id, format!("its history: {error}")),
            }
        }
        Ok(histories)
    }

    /// Which notification and attempt Meta's message ids belong to; one that is not ours is absent.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn deliveries_by_wamid(
        &self,
        wamids: &[&str],
    ) -> Result<HashMap<String, (NotificationId, i16)>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT wamid, notification_id, attempt FROM delivery
                 WHERE status = 'accepted' AND wamid = ANY($1)",
            )
            .await?;
        let rows = client.query(&statement, &[&wamids]).await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, (NotificationId(row.try_get(1)?), row.try_get(2)?))))
            .collect()
    }

    /// Which notification Meta's message id belongs to, also where no answer, but only webhooks told it: it is looked for
    /// among the newest [`COUNTED`] messages, as one whose answer may still come, and as many that were unknown for some time.
    ///
    /// # Errors
    /// Where PostgreSQL does not answer.
    pub async fn notification_of_wamid(&self, wamid: &str) -> Result<Option<NotificationId>, StoreError> {
        if let Some((id, _)) = self.deliveries_by_wamid(&[wamid]).await?.remove(wamid) {
            return Ok(Some(id));
        }
        let client = self.client().await?;
        let row = client
            .query_opt(
                "SELECT d.notification_id
                 FROM (
                     (SELECT notification_id FROM delivery WHERE status = 'unknown' ORDER BY at DESC LIMIT $2)
                     UNION
                     (SELECT id FROM notification ORDER BY id DESC LIMIT $2)
                 ) u
                 JOIN delivery d ON d.notification_id = u.notification_id AND d.wamid = $1 LIMIT 1",
                &[&wamid, &COUNTED],
            )
            .await?;
        row.map(|row| Ok(NotificationId(row.try_get(0)?))).transpose()
    }
}

/// Appends rows in the order of their key, so that two who append the same rows wait for each other and not in
/// a circle.
pub(super) async fn append(client: &Session, rows: &[&Delivery]) -> Result<Vec<bool>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.notification_id.0).collect();
    let attempts: Vec<i16> = rows.iter().map(|row| row.attempt).collect();
    let statuses: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
    let ats: Vec<Timestamp> = rows.iter().map(|row| row.at).collect();
    let wamids: Vec<Option<&str>> = rows.iter().map(|row| row.wamid.as_deref()).collect();
    let codes: Vec<Option<i32>> = rows.iter().map(|row| row.code).collect();
    let details: Vec<Option<&str>> = rows.iter().map(|row| row.detail.as_deref()).collect();
    let statement = client
        .prepare_cached(
            "INSERT INTO delivery (notification_id, attempt, status, at, wamid, code, detail)
             SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[]::delivery_status[], $4::timestamptz[],
                                  $5::text[], $6::integer[], $7::text[])
             ORDER BY 1, 2, 3
             ON CONFLICT DO NOTHING
             RETURNING notification_id, attempt, status::text",
        )
        .await?;
    let appended =
        client.query(&statement, &[&ids, &attempts, &statuses, &ats, &wamids, &codes, &details]).await?;
    let mut new: HashSet<(Uuid, i16, &str)> = appended
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
        .collect::<Result<_, StoreError>>()?;
    // The first of two equal rows is the new one.
    Ok(rows
        .iter()
        .map(|row| new.remove(&(row.notification_id.0, row.attempt, row.status.as_str())))
        .collect())
}

fn delivery(row: &Row) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        notification_id: NotificationId(row.try_get(0)?),
        attempt: row.try_get(1)?,
        status: row.try_get::<_, &str>(2)?.parse().map_err(StoreError::Row)?,
        at: row.try_get(3)?,
        wamid: row.try_get(4)?,
        code: row.try_get(5)?,
        detail: row.try_get(6)?,
    })
}
