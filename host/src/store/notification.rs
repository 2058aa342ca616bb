//! Reading the notification log, as dispatch does.

use std::collections::HashMap;

use hookswitch_core::domain::{
    Cause, Contact, Lane, Message, Notification, NotificationId, Priority, QuietHours, Refusal, Track,
    WaitReason,
};
use jiff::{Timestamp, civil::Time};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    Store, StoreError,
    recipient::{JOINS, REFUSAL, REFUSAL_WIDTH, refusal},
    secret::reveal,
};

/// A notification, its place in the log, and what dispatch must know of its recipient.
#[derive(Clone, Debug)]
pub struct LoggedNotification {
    /// Its track.
    pub track: Track,
    /// Its place.
    pub seq: i64,
    /// When it was planned.
    pub created_at: Timestamp,
    /// The notification.
    pub notification: Notification,
    /// When the recipient's 24-hour window closes, whichever number they wrote to; `None` where they never wrote.
    pub window_until: Option<Timestamp>,
    /// When it closes for the number that sends, where there are several.
    pub number_window_until: Option<Timestamp>,
    /// Whether it was recorded as skipped when it was planned.
    pub is_skipped: bool,
    /// The lane of its event.
    pub event_lane: Lane,
    /// When the person is left alone.
    pub quiet_hours: Option<QuietHours>,
    /// Whether its message has values that must not stay.
    pub has_secrets: bool,
    /// Why it may not be sent, as things stood when it was read; [`Store::intend`] looks again.
    pub refusal: Option<Refusal>,
}

/// A row of the notification log that this version cannot read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its track.
    pub track: Track,
    /// Its place.
    pub seq: i64,
    /// The notification's id.
    pub id: NotificationId,
    /// The number that sends, by Meta's id.
    pub phone_number_id: String,
    /// The recipient, where the notification has one.
    pub recipient: Option<String>,
    /// The person's username, where it is for staff.
    pub username: Option<String>,
    /// The template, by its name in the catalog.
    pub template: String,
    /// When it was planned.
    pub created_at: Timestamp,
    /// Whether a newer version may be able to read it.
    pub may_be_newer: bool,
    /// What cannot be read, in words.
    pub why: String,
}

impl Unreadable {
    /// A notification whose history cannot be read.
    pub fn history(logged: &LoggedNotification, why: &str) -> Unreadable {
        let LoggedNotification { track, seq, created_at, notification, .. } = logged;
        Unreadable {
            track: *track,
            seq: *seq,
            id: notification.id,
            phone_number_id: notification.phone_number_id.clone(),
            recipient: notification.recipient.clone(),
            username: notification.username.clone(),
            template: notification.template.clone(),
            created_at: *created_at,
            may_be_newer: true,
            why: why.to_owned(),
        }
    }
}

/// A row of the notification log, as far as this version can read it: one that it cannot read concerns itself only.
pub type Logged = Result<LoggedNotification, Unreadable>;

/// How a search in a track went.
#[derive(Clone, Copy, Debug)]
pub struct Searched {
    /// The track.
    pub track: Track,
    /// The last place that was looked at.
    pub to: i64,
    /// The last one that was looked for.
    pub found: Option<i64>,
    /// How many were looked at.
    pub count: usize,
}

/// How much of what is due is read.
#[derive(Clone, Debug, Default)]
pub struct DueLimits {
    /// At most so many of each priority and sending number.
    pub each: usize,
    /// None of these places.
    pub but: Vec<i64>,
    /// None of these priorities and numbers.
    pub full: Vec<(Priority, String)>,
}

const COLUMNS: &str = "n.lane, n.seq, n.id, n.username, n.name, n.recipient, n.phone_number_id, n.template,
     n.priority, n.message, n.reason, n.send_at, n.expires_at, c.last_inbound_at, v.last_inbound_at,
     p.quiet_from, p.quiet_until, p.time_zone, n.created_at, n.key, n.skipped, n.event_lane";
/// Where the columns of [`REFUSAL`] begin, and those after them.
const REFUSALS: usize = 22;
const REST: usize = REFUSALS + REFUSAL_WIDTH;
const WINDOW: &str = "LEFT JOIN LATERAL (
         SELECT last_inbound_at FROM number_window
         WHERE contact_id = c.id AND phone_number_id = n.phone_number_id LIMIT 1
     ) v ON true";

/// What is due: a notification that waited in `deferred`.
#[derive(Clone, Debug)]
pub struct Due {
    /// The notification.
    pub logged: Logged,
    /// The attempt that is to be made, or, where the reason is `unknown`, that was made.
    pub attempt: i16,
    /// How many refusals count against it so far.
    pub failures: i16,
    /// Why it waited.
    pub reason: WaitReason,
}

impl Store {
    /// At most `each` notifications after each track's cursor, in the order of the log.
    pub async fn notifications_after(
        &self,
        cursors: &[(Track, i64)],
        each: usize,
    ) -> Result<Vec<Logged>, StoreError> {
        let lanes: Vec<i16> = cursors.iter().map(|(track, _)| track.0).collect();
        let seqs: Vec<i64> = cursors.iter().map(|(_, seq)| *seq).collect();
        let each = i64::try_from(each).unwrap_or(i64::MAX);
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
        let rows = client.query(&statement, &[&lanes, &seqs, &each]).await?;
        let mut read = rows.iter().map(logged).collect::<Result<Vec<_>, _>>()?;
        reveal(&client, read.iter_mut()).await?;
        Ok(read)
    }

    /// What these messages come from; one that is gone, or that this version cannot read, is absent.
    pub async fn causes(&self, ids: &[NotificationId]) -> Result<HashMap<NotificationId, Cause>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let client = self.client().await?;
        let statement =
            client.prepare_cached("SELECT id, message FROM notification WHERE id = ANY($1)").await?;
        let rows = client.query(&statement, &[&ids]).await?;
        let cause = |row: &Row| {
            let message: Option<Message> = serde_json::from_str(row.try_get(1)?).ok();
            let id = NotificationId(row.try_get(0)?);
            Ok(message.and_then(|message| message.cause).map(|cause| (id, cause)))
        };
        rows.iter().filter_map(|row| cause(row).transpose()).collect()
    }

    /// Looks at the notifications after each track's cursor, `each` at most, for those of other sending numbers than these.
    pub async fn others_after(
        &self,
        cursors: &[(Track, i64)],
        each: usize,
        than: &[String],
    ) -> Result<Vec<Searched>, StoreError> {
        let lanes: Vec<i16> = cursors.iter().map(|(track, _)| track.0).collect();
        let seqs: Vec<i64> = cursors.iter().map(|(_, seq)| *seq).collect();
        let each = i64::try_from(each).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT c.lane, max(l.seq), max(l.seq) FILTER (WHERE l.phone_number_id <> ALL($4)), count(*)
                 FROM unnest($1::smallint[], $2::bigint[]) AS c (lane, seq)
                 CROSS JOIN LATERAL (
                     SELECT seq, phone_number_id FROM notification
                     WHERE notification.lane = c.lane AND notification.seq > c.seq
                     ORDER BY notification.seq LIMIT $3
                 ) l
                 GROUP BY c.lane",
            )
            .await?;
        let rows = client.query(&statement, &[&lanes, &seqs, &each, &than]).await?;
        let searched = |row: &Row| {
            let count = usize::try_from(row.get::<_, i64>(3)).unwrap_or(usize::MAX);
            Searched { track: Track(row.get(0)), to: row.get(1), found: row.get(2), count }
        };
        Ok(rows.iter().map(searched).collect())
    }

    /// What is due in these lanes, within limits, in the order of the log.
    pub async fn due(
        &self,
        lanes: &[Lane],
        now: Timestamp,
        limits: &DueLimits,
    ) -> Result<Vec<Due>, StoreError> {
        let lanes: Vec<i16> = lanes.iter().map(|lane| lane.0).collect();
        let each = i64::try_from(limits.each).unwrap_or(i64::MAX);
        let full: Vec<i32> = limits.full.iter().map(|(priority, _)| priority.rank().into()).collect();
        let full_numbers: Vec<&str> = limits.full.iter().map(|(_, number)| number.as_str()).collect();
        let client = self.client().await?;
        // The numbers are found by hopping over the index: a look for each, however much waits.
        let statement = client
            .prepare_cached(&format!(
                "WITH RECURSIVE waiting (class, number) AS (
                     SELECT c.class, (
                         SELECT phone_number_id FROM deferred WHERE lane / 64 = c.class
                         ORDER BY lane / 64, phone_number_id LIMIT 1)
                     FROM generate_series(0, 2) AS c (class)
                     UNION ALL
                     SELECT w.class, (
                         SELECT phone_number_id FROM deferred
                         WHERE lane / 64 = w.class AND phone_number_id > w.number
                         ORDER BY lane / 64, phone_number_id LIMIT 1)
                     FROM waiting w WHERE w.number IS NOT NULL
                 )
                 SELECT {COLUMNS}, {REFUSAL}, d.attempt, d.failures, d.reason
                 FROM waiting w
                 CROSS JOIN LATERAL (
                     SELECT lane, seq, attempt, failures, reason FROM deferred
                     WHERE lane / 64 = w.class AND phone_number_id = w.number AND due_at <= $2
                         AND lane % 64 = ANY($1::smallint[]) AND seq NOT IN (SELECT unnest($4::bigint[]))
                     ORDER BY due_at, seq LIMIT $3
                 ) d
                 JOIN notification n ON n.lane = d.lane AND n.seq = d.seq
                 {JOINS} {WINDOW}
                 WHERE w.number IS NOT NULL
                     AND (w.class, w.number) NOT IN (SELECT * FROM unnest($5::integer[], $6::text[]))
                 ORDER BY n.seq"
            ))
            .await?;
        let rows =
            client.query(&statement, &[&lanes, &now, &each, &limits.but, &full, &full_numbers]).await?;
        let due = rows
            .iter()
            .map(|row| {
                Ok(Due {
                    logged: logged(row)?,
                    attempt: row.try_get(REST)?,
                    failures: row.try_get(REST + 1)?,
                    // Whatever it waited for that this version does not know: that is over.
                    reason: row.try_get::<_, &str>(REST + 2)?.parse().unwrap_or(WaitReason::SendAt),
                })
            })
            .collect::<Result<Vec<_>, StoreError>>();
        let mut due = due?;
        reveal(&client, due.iter_mut().map(|due| &mut due.logged)).await?;
        Ok(due)
    }
}

fn logged(row: &Row) -> Result<Logged, StoreError> {
    let window = |last_inbound_at| Contact { last_inbound_at, ..Contact::default() }.window_until();
    let (track, seq) = (Track(row.try_get(0)?), row.try_get(1)?);
    let id = NotificationId(row.try_get::<_, Uuid>(2)?);
    let created_at = row.try_get(18)?;
    let unreadable = |why: String, may_be_newer| {
        Ok(Err(Unreadable {
            track,
            seq,
            id,
            phone_number_id: row.try_get(6)?,
            recipient: row.try_get(5)?,
            username: row.try_get(3)?,
            template: row.try_get(7)?,
            created_at,
            may_be_newer,
            why,
        }))
    };
    let message: Message = match serde_json::from_str(row.try_get(9)?) {
        Ok(message) => message,
        Err(error) => return unreadable(format!("its message: {error}"), error.is_data()),
    };
    let refusal = match refusal(row, REFUSALS, message.marketing) {
        Ok(refusal) => refusal,
        Err(error) => return unreadable(error.to_string(), true),
    };
    Ok(Ok(LoggedNotification {
        track,
        seq,
        created_at,
        notification: Notification {
            id,
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
            key: row.try_get(19)?,
        },
        window_until: window(row.try_get(13)?),
        number_window_until: window(row.try_get(14)?),
        is_skipped: row.try_get(20)?,
        event_lane: Lane(row.try_get(21)?),
        has_secrets: false,
        quiet_hours: quiet_hours(row.try_get(15)?, row.try_get(16)?, row.try_get(17)?),
        refusal,
    }))
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
