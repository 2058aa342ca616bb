//! Notifications as an operator lists them, newest first.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::{NotificationId, Status};

/// Which notifications to list. What is `None` does not matter.
#[derive(Clone, Debug)]
pub struct NotificationFilter {
    /// Made since then.
    pub since: Timestamp,
    /// Only those with this status.
    pub status: Option<Status>,
    /// Only those to this person, by username, or to this recipient.
    pub person: Option<String>,
    /// Only those of this template.
    pub template: Option<String>,
    /// So many at most.
    pub limit: i64,
}

/// A notification in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedNotification {
    /// Its id.
    pub id: NotificationId,
    /// When it was made.
    pub created_at: Timestamp,
    /// The person's username, where the recipient is staff.
    pub username: Option<String>,
    /// The recipient's name.
    pub name: Option<String>,
    /// The recipient's `wa_id` or user id.
    pub recipient: Option<String>,
    /// The template.
    pub template: String,
    /// How far it is.
    pub status: Status,
    /// Meta's error code.
    pub code: Option<i32>,
    /// What there is to say about it.
    pub detail: Option<String>,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event's id.
    pub event_id: String,
}

/// The row that tells a notification's status, as `status_of` finds it: one that arrived, else the highest of the
/// last attempt.
const LAST: &str = "SELECT d.status, d.code, d.detail FROM delivery d WHERE d.notification_id = n.id
     ORDER BY (d.status >= 'delivered') DESC, d.attempt DESC, d.status DESC
     LIMIT 1";

/// Where to find those with a status, so that few among a million are found without looking at each one's history.
fn with_status(status: Option<Status>) -> String {
    let without =
        |rows: &str| format!("AND NOT EXISTS (SELECT FROM delivery o WHERE o.notification_id = n.id {rows})");
    match status {
        None | Some(Status::Read) => String::new(),
        Some(Status::Queued) => without(""),
        // Nearly each has such a row, and nearly all of them went further.
        Some(Status::Sending | Status::Accepted | Status::Sent) => without("AND o.status >= 'delivered'"),
        Some(Status::Delivered) => without("AND o.status >= 'read'"),
        // The others are seldom, and have indexes of their own.
        Some(status) => format!(
            "AND n.id IN (SELECT o.notification_id FROM delivery o WHERE o.status = '{status}' AND o.at >= $6)"
        ),
    }
}

impl Store {
    /// The notifications that a filter lets through, newest first.
    pub async fn list_notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Vec<ListedNotification>, StoreError> {
        let milliseconds = u128::try_from(filter.since.as_millisecond()).unwrap_or(0);
        // A UUID of version 7 begins with the time.
        let first = Uuid::from_u128(milliseconds << 80);
        let found = with_status(filter.status);
        let sql = format!(
            "SELECT n.id, n.created_at, n.username, n.name, n.recipient, n.template,
                    coalesce(last.status, 'queued')::text, last.code, last.detail, e.type, e.id
             FROM notification n
             JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
             LEFT JOIN LATERAL ({LAST}) AS last ON true
             WHERE n.id >= $1
               AND ($2::text IS NULL OR coalesce(last.status, 'queued') = $2::text::delivery_status)
               AND ($3::text IS NULL OR n.username = $3 OR n.recipient = $3)
               AND ($4::text IS NULL OR n.template = $4)
               AND $6::timestamptz IS NOT NULL
               {found}
             ORDER BY n.id DESC LIMIT $5"
        );
        let status = filter.status.map(Status::as_str);
        let client = self.client().await?;
        let rows = client
            .query(&sql, &[&first, &status, &filter.person, &filter.template, &filter.limit, &filter.since])
            .await?;
        rows.iter()
            .map(|row| {
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
            })
            .collect()
    }
}
