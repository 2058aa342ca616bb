//! Reading the notification log, as dispatch does.

use jiff::{Timestamp, civil::Time};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Store, StoreError,
    recipient::{JOINS, REFUSAL, refusal},
};
use crate::domain::{Contact, Lane, Message, Notification, NotificationId, Priority, QuietHours, Refusal};

/// A notification, its place in the log, and what dispatch must know of its recipient.
#[derive(Clone, Debug)]
pub struct LoggedNotification {
    /// Its lane.
    pub lane: Lane,
    /// Its place.
    pub seq: i64,
    /// The notification.
    pub notification: Notification,
    /// When the recipient's 24-hour window closes, whichever number they wrote to; `None` where they never wrote.
    pub window_until: Option<Timestamp>,
    /// When it closes for the number that sends, where there are several.
    pub number_window_until: Option<Timestamp>,
    /// When the person is left alone.
    pub quiet_hours: Option<QuietHours>,
    /// Why it may not be sent, as things stood when it was read; [`Store::intend`] looks again.
    pub refusal: Option<Refusal>,
}

const COLUMNS: &str = "n.lane, n.seq, n.id, n.username, n.name, n.recipient, n.phone_number_id, n.template,
     n.priority, n.message, n.reason, n.send_at, n.expires_at, c.last_inbound_at, v.last_inbound_at,
     p.quiet_from, p.quiet_until, p.time_zone";
const WINDOW: &str =
    "LEFT JOIN number_window v ON v.contact_id = c.id AND v.phone_number_id = n.phone_number_id";

/// What is due: a notification that waited in `deferred`.
#[derive(Clone, Debug)]
pub struct Due {
    /// Which.
    pub logged: LoggedNotification,
    /// The attempt that is to be made, or, where the reason is `unknown`, that was made.
    pub attempt: i16,
    /// How many refusals count against it so far.
    pub failures: i16,
    /// Why it waited.
    pub reason: String,
}

impl Store {
    /// At most `per_lane` notifications after each lane's cursor, in the order of the log.
    pub async fn notifications_after(
        &self,
        cursors: &[(Lane, i64)],
        per_lane: usize,
    ) -> Result<Vec<LoggedNotification>, StoreError> {
        let lanes: Vec<i16> = cursors.iter().map(|(lane, _)| lane.0).collect();
        let seqs: Vec<i64> = cursors.iter().map(|(_, seq)| *seq).collect();
        let per_lane = i64::try_from(per_lane).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "SELECT {COLUMNS}, {REFUSAL}
                 FROM (
                     SELECT l.*
                     FROM unnest($1::smallint[], $2::bigint[]) AS c (lane, seq)
                     CROSS JOIN LATERAL (
                         SELECT * FROM notification WHERE notification.lane = c.lane AND notification.seq > c.seq
                         ORDER BY notification.seq LIMIT $3
                     ) l
                 ) n
                 {JOINS} {WINDOW}
                 ORDER BY n.seq"
            ))
            .await?;
        client.query(&statement, &[&lanes, &seqs, &per_lane]).await?.iter().map(logged).collect()
    }

    /// At most `limit` urgent notifications after the last of the two places that are given with each lane, in the
    /// order of the log; none whose recipient has one that is not urgent between the first place and it.
    pub async fn urgent_notifications(
        &self,
        looked: &[(Lane, i64, i64)],
        limit: usize,
    ) -> Result<Vec<LoggedNotification>, StoreError> {
        let lanes: Vec<i16> = looked.iter().map(|(lane, ..)| lane.0).collect();
        let cursors: Vec<i64> = looked.iter().map(|(_, cursor, _)| *cursor).collect();
        let after: Vec<i64> = looked.iter().map(|(.., looked)| *looked).collect();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "SELECT {COLUMNS}, {REFUSAL}
                 FROM (
                     SELECT l.*
                     FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS c (lane, seq, looked)
                     CROSS JOIN LATERAL (
                         SELECT * FROM notification u
                         WHERE u.lane = c.lane AND u.seq > c.looked AND u.priority = 0
                             AND NOT EXISTS (
                                 SELECT FROM notification e
                                 WHERE e.lane = c.lane AND e.seq > c.seq AND e.seq < u.seq
                                     AND e.priority <> 0 AND e.recipient = u.recipient)
                         ORDER BY u.seq LIMIT $4
                     ) l
                     ORDER BY l.seq LIMIT $4
                 ) n
                 {JOINS} {WINDOW}
                 ORDER BY n.seq"
            ))
            .await?;
        client.query(&statement, &[&lanes, &cursors, &after, &limit]).await?.iter().map(logged).collect()
    }

    /// The end of each of these lanes in the notification log.
    pub async fn notified_until(&self, lanes: &[Lane]) -> Result<Vec<(Lane, i64)>, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT l.lane, coalesce((SELECT max(seq) FROM notification n WHERE n.lane = l.lane), 0)
                 FROM unnest($1::smallint[]) AS l (lane)",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes]).await?;
        rows.iter().map(|row| Ok((Lane(row.try_get(0)?), row.try_get(1)?))).collect()
    }

    /// At most `limit` of what is due in these lanes, in the order of the log.
    pub async fn due(&self, lanes: &[Lane], now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(&format!(
                "SELECT {COLUMNS}, {REFUSAL}, d.attempt, d.failures, d.reason
                 FROM (
                     SELECT lane, seq, attempt, failures, reason FROM deferred
                     WHERE due_at <= $2 AND lane = ANY($1) ORDER BY due_at, seq LIMIT $3
                 ) d
                 JOIN notification n ON n.lane = d.lane AND n.seq = d.seq
                 {JOINS} {WINDOW}
                 ORDER BY n.seq"
            ))
            .await?;
        let rows = client.query(&statement, &[&lanes, &now, &limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(Due {
                    logged: logged(row)?,
                    attempt: row.try_get(23)?,
                    failures: row.try_get(24)?,
                    reason: row.try_get(25)?,
                })
            })
            .collect()
    }
}

fn logged(row: &Row) -> Result<LoggedNotification, StoreError> {
    let window =
        |last_inbound_at| Contact { wa_id: None, user_id: None, name: None, last_inbound_at }.window_until();
    let message: Message = serde_json::from_str(row.try_get(9)?)
        .map_err(|error| StoreError::Row(format!("the message of a notification: {error}")))?;
    let is_marketing = message.marketing;
    Ok(LoggedNotification {
        lane: Lane(row.try_get(0)?),
        seq: row.try_get(1)?,
        notification: Notification {
            id: NotificationId(row.try_get::<_, Uuid>(2)?),
            username: row.try_get(3)?,
            name: row.try_get(4)?,
            recipient: row.try_get(5)?,
            phone_number_id: row.try_get(6)?,
            template: row.try_get(7)?,
            priority: Priority::from_rank(row.try_get(8)?),
            message,
            reason: row.try_get(10)?,
            send_at: row.try_get(11)?,
            expires_at: row.try_get(12)?,
        },
        window_until: window(row.try_get(13)?),
        number_window_until: window(row.try_get(14)?),
        quiet_hours: quiet_hours(row.try_get(15)?, row.try_get(16)?, row.try_get(17)?),
        refusal: refusal(row, 18, is_marketing)?,
    })
}

/// Quiet hours as stored. Where the time zone is not known any more there are none: better at night than never.
pub(super) fn quiet_hours(
    from: Option<Time>,
    until: Option<Time>,
    zone: Option<String>,
) -> Option<QuietHours> {
    QuietHours::new(from?, until?, &zone?)
        .inspect_err(|error| tracing::warn!(error, "failed to read somebody's quiet hours; there are none"))
        .ok()
}
