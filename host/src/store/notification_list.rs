//! Notifications as an operator lists them, newest first.

use std::time::Duration;

use hookswitch_core::domain::{NotificationId, Status};
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Store, StoreError, looks::Looks};

/// Which notifications to list. What is `None` does not matter.
#[derive(Clone, Debug)]
pub struct NotificationFilter {
    /// Made since then.
    pub since: Timestamp,
    /// Only those with this status.
    pub status: Option<Status>,
    /// Only those to this person, by username, or to this number or user id and to people who are linked to it.
    pub person: Option<String>,
    /// Only those of this template.
    pub template: Option<String>,
    /// Only those made before this one: the last of the previous page.
    pub before: Option<NotificationId>,
    /// So many at most.
    pub limit: i64,
}

/// A notification in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListedNotification {
    /// The notification's id.
    pub id: NotificationId,
    /// When it was created.
    pub created_at: Timestamp,
    /// The username of the recipient; null if the recipient is not a person.
    pub username: Option<String>,
    /// The name of the recipient, if known.
    pub name: Option<String>,
    /// The `wa_id` or user id of the recipient.
    pub recipient: Option<String>,
    /// The name of the template.
    pub template: String,
    /// The current status.
    pub status: Status,
    /// Meta's error code, if Meta gave one.
    pub code: Option<i32>,
    /// Human-readable detail.
    pub detail: Option<String>,
    /// The type of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the event.
    pub event_id: String,
}

/// A page of a list of notifications.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationPage {
    /// The notifications, newest first.
    pub data: Vec<ListedNotification>,
    /// `before` of the next page; null on the last page. A page may hold fewer notifications than its limit, even none, and
    /// have a next one.
    pub next: Option<NotificationId>,
}

/// Of one person, and of a status that few have, no more notifications are looked at in all.
const LOOKED: i64 = 10_000;

const LISTED: &str = "SELECT n.id, n.created_at, n.username, n.name, n.recipient, n.template,
        coalesce(last.status, 'queued')::text, last.code, last.detail, e.type, e.id AS event_id";

/// The row that tells a notification's status, as `status_of` finds it: one that arrived, else the highest of the last
/// attempt. And the filter, but for the person.
const MATCHING: &str = "JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
     LEFT JOIN LATERAL (
         SELECT d.status, d.code, d.detail FROM delivery d WHERE d.notification_id = n.id
         ORDER BY (d.status >= 'delivered') DESC, d.attempt DESC, d.status DESC
         LIMIT 1
     ) AS last ON true
     WHERE ($1::text IS NULL OR coalesce(last.status, 'queued') = $1::text::delivery_status)
       AND ($2::text IS NULL OR n.template = $2)";

/// Whether few notifications have a row with this status; these have indexes of their own.
fn is_seldom(status: Status) -> bool {
    match status {
        Status::Queued
        | Status::Sending
        | Status::Accepted
        | Status::Sent
        | Status::Delivered
        | Status::Read => false,
        Status::Deferred
        | Status::Unknown
        | Status::Retrying
        | Status::Held
        | Status::Failed
        | Status::Skipped
        | Status::Expired
        | Status::Played => true,
    }
}

impl Store {
    /// A page of the notifications that a filter lets through, newest first. Of one person, and of a status that few have,
    /// the newest 10,000 are looked at; of all others as many as there is time for, then the page says where to go on.
    pub async fn list_notifications(
        &self,
        filter: &NotificationFilter,
        time: Duration,
    ) -> Result<NotificationPage, StoreError> {
        let milliseconds = u128::try_from(filter.since.as_millisecond()).unwrap_or(0);
        // A UUID of version 7 begins with the time.
        let first = Uuid::from_u128(milliseconds << 80);
        match (&filter.person, filter.status.filter(|status| is_seldom(*status))) {
            (Some(person), _) => self.list_to(person, first, filter).await,
            (None, Some(status)) => self.list_seldom(status, first, filter).await,
            (None, None) => self.list_all(first, filter, time).await,
        }
    }

    async fn list_to(
        &self,
        person: &str,
        first: Uuid,
        filter: &NotificationFilter,
    ) -> Result<NotificationPage, StoreError> {
        let client = self.client().await?;
        let people = "SELECT p.username FROM contact_address a JOIN person p ON p.contact_id = a.contact_id
                      WHERE a.address = $1";
        let mut keys = vec![person.to_owned()];
        for row in client.query(people, &[&person]).await? {
            keys.push(row.try_get(0)?);
        }
        // The limit of one keeps the joins from being made for all of them: there are enough soon.
        let sql = format!(
            "SELECT m.* FROM (
                 SELECT n.id FROM unnest($4::text[]) AS k (key)
                 CROSS JOIN LATERAL (
                     SELECT id FROM notification
                     WHERE coalesce(notification.username, notification.recipient) = k.key
                         AND notification.id >= $5 AND notification.id < $7
                     ORDER BY notification.id DESC LIMIT $6
                 ) n
                 ORDER BY n.id DESC
             ) o
             CROSS JOIN LATERAL ({LISTED} FROM notification n {MATCHING} AND n.id = o.id LIMIT 1) m
             ORDER BY o.id DESC LIMIT $3"
        );
        let status = filter.status.map(Status::as_str);
        let rows = client
            .query(&sql, &[&status, &filter.template, &filter.limit, &keys, &first, &LOOKED, &before(filter)])
            .await?;
        whole(&rows, filter)
    }

    async fn list_seldom(
        &self,
        status: Status,
        first: Uuid,
        filter: &NotificationFilter,
    ) -> Result<NotificationPage, StoreError> {
        let sql = format!(
            "SELECT m.* FROM (
                 SELECT DISTINCT notification_id AS id FROM (
                     SELECT notification_id FROM delivery WHERE status = '{status}' AND at >= $4
                     ORDER BY at DESC LIMIT $5) AS newest
                 WHERE notification_id >= $6 AND notification_id < $7
                 ORDER BY notification_id DESC
             ) o
             CROSS JOIN LATERAL ({LISTED} FROM notification n {MATCHING} AND n.id = o.id LIMIT 1) m
             ORDER BY o.id DESC LIMIT $3"
        );
        let client = self.client().await?;
        let most = filter.limit.max(LOOKED);
        let rows = client
            .query(
                &sql,
                &[
                    &Some(status.as_str()),
                    &filter.template,
                    &filter.limit,
                    &filter.since,
                    &most,
                    &first,
                    &before(filter),
                ],
            )
            .await?;
        whole(&rows, filter)
    }

    async fn list_all(
        &self,
        first: Uuid,
        filter: &NotificationFilter,
        time: Duration,
    ) -> Result<NotificationPage, StoreError> {
        let status = filter.status.map(Status::as_str);
        let client = self.client().await?;
        let last_of_look = client
            .prepare_cached(
                "SELECT id FROM notification WHERE id >= $1 AND id < $2 ORDER BY id DESC OFFSET $3 LIMIT 1",
            )
            .await?;
        let look = client
            .prepare_cached(&format!(
                "{LISTED} FROM notification n {MATCHING} AND n.id >= $4 AND n.id < $5 ORDER BY n.id DESC LIMIT $3"
            ))
            .await?;
        let mut data = Vec::new();
        let mut before = before(filter);
        let mut looks = Looks::new(time);
        loop {
            let last = client.query_opt(&last_of_look, &[&first, &before, &(looks.rows() - 1)]).await?;
            let last: Option<Uuid> = last.map(|row| row.try_get(0)).transpose()?;
            let left = filter.limit.saturating_sub(i64::try_from(data.len()).unwrap_or(i64::MAX));
            let rows = client
                .query(&look, &[&status, &filter.template, &left, &last.unwrap_or(first), &before])
                .await?;
            for row in &rows {
                data.push(listed(row)?);
            }
            if i64::try_from(data.len()).is_ok_and(|count| count >= filter.limit) {
                let next = data.last().map(|last: &ListedNotification| last.id);
                return Ok(NotificationPage { data, next });
            }
            let Some(last) = last else { return Ok(NotificationPage { data, next: None }) };
            before = last;
            if looks.are_over() {
                return Ok(NotificationPage { data, next: Some(NotificationId(last)) });
            }
        }
    }
}

/// A page of all that was looked at: there is a next one if it is full.
fn whole(rows: &[Row], filter: &NotificationFilter) -> Result<NotificationPage, StoreError> {
    let data: Vec<ListedNotification> = rows.iter().map(listed).collect::<Result<_, _>>()?;
    let is_full = i64::try_from(data.len()).is_ok_and(|count| count >= filter.limit);
    let next = data.last().filter(|_| is_full).map(|last| last.id);
    Ok(NotificationPage { data, next })
}

/// The id below which a filter's notifications are.
fn before(filter: &NotificationFilter) -> Uuid {
    filter.before.map_or(Uuid::max(), |id| id.0)
}

fn listed(row: &Row) -> Result<ListedNotification, StoreError> {
    Ok(ListedNotification {
        id: NotificationId(row.try_get(0)?),
        created_at: row.try_get(1)?,
        username: row.try_get(2)?,
        name: row.try_get(3)?,
        recipient: row.try_get(4)?,
        template: row.try_get(5)?,
        status: row.try_get::<_, &str>(6)?.parse().map_err(StoreError::Row)?,
        code: row.try_get(7)?,
        detail: row.try_get(8)?,
        kind: row.try_get(9)?,
        event_id: row.try_get(10)?,
    })
}
