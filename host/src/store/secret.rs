//! Messages with values that must not stay: kept as they are sent until they are settled. The logs have the values hidden.

use std::collections::HashMap;

use hookswitch_core::domain::{Lane, Message, NotificationId, Secrets};
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Logged, LoggedEvent, NotificationRow, RoutingTransaction, Store, StoreError, session::Session};

/// What is hidden in an event's copy.
#[derive(Clone, Debug)]
pub struct HiddenEvent {
    lane: Lane,
    seq: i64,
    /// The length of its data, in characters.
    size: i32,
    /// The places in its data: of each the first character and the length, with spaces between.
    places: String,
    subject: bool,
    extensions: bool,
}

impl HiddenEvent {
    /// What is to be hidden in an event; `None` if it has none of the values.
    pub fn new(logged: &LoggedEvent, secrets: &Secrets) -> Option<HiddenEvent> {
        if secrets.is_empty() {
            return None;
        }
        let event = &logged.event;
        let places = secrets.places(event.data.get());
        let extensions = event.extensions.as_deref().map(RawValue::get);
        let hidden = HiddenEvent {
            lane: logged.lane,
            seq: logged.seq,
            size: i32::try_from(event.data.get().chars().count()).ok()?,
            places: places.iter().map(|(from, size)| format!("{from} {size}")).collect::<Vec<_>>().join(" "),
            subject: event.subject.as_deref().is_some_and(|subject| secrets.are_in(subject)),
            extensions: extensions.is_some_and(|extensions| !secrets.places(extensions).is_empty()),
        };
        let is_any = !places.is_empty() || hidden.subject || hidden.extensions;
        is_any.then_some(hidden)
    }
}

impl Store {
    /// Looks at the next `limit` messages after one, and deletes those that are settled: they arrived, will never be sent, or
    /// Meta took them before `taken_before`. Returns where to look on; `None` at the end.
    pub async fn forget_secrets(
        &self,
        after: NotificationId,
        taken_before: Timestamp,
        limit: i64,
    ) -> Result<Option<NotificationId>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT s.notification_id, n.id IS NULL OR (
                     (SELECT w.seq FROM deferred w WHERE w.lane = n.lane AND w.seq = n.seq LIMIT 1) IS NULL
                     AND EXISTS (
                         SELECT FROM delivery d WHERE d.notification_id = n.id AND (
                             d.status >= 'delivered'
                             OR (d.status IN ('failed', 'skipped', 'expired')
                                 OR (d.status IN ('accepted', 'held', 'sent') AND d.at < $2))
                             AND d.attempt = (
                                 SELECT max(l.attempt) FROM delivery l WHERE l.notification_id = n.id))))
                 FROM (
                     SELECT notification_id FROM secret WHERE notification_id > $1
                     ORDER BY notification_id LIMIT $3
                 ) s
                 LEFT JOIN LATERAL (
                     SELECT id, lane, seq FROM notification WHERE id = s.notification_id LIMIT 1
                 ) n ON true
                 ORDER BY s.notification_id",
            )
            .await?;
        let rows = client.query(&statement, &[&after.0, &taken_before, &limit]).await?;
        let mut settled: Vec<Uuid> = Vec::new();
        for row in &rows {
            if row.try_get(1)? {
                settled.push(row.try_get(0)?);
            }
        }
        if !settled.is_empty() {
            client.execute("DELETE FROM secret WHERE notification_id = ANY($1)", &[&settled]).await?;
        }
        let is_full = i64::try_from(rows.len()).is_ok_and(|read| read == limit);
        rows.last().filter(|_| is_full).map(|row| Ok(NotificationId(row.try_get(0)?))).transpose()
    }
}

impl RoutingTransaction<'_> {
    /// Hides values in the copies of events.
    pub async fn hide_in_events(&self, events: &[HiddenEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let lanes: Vec<i16> = events.iter().map(|event| event.lane.0).collect();
        let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
        let sizes: Vec<i32> = events.iter().map(|event| event.size).collect();
        let places: Vec<&str> = events.iter().map(|event| event.places.as_str()).collect();
        let subjects: Vec<bool> = events.iter().map(|event| event.subject).collect();
        let extensions: Vec<bool> = events.iter().map(|event| event.extensions).collect();
        let statement = self
            .transaction
            .prepare_cached(
                "SELECT hide_in_event(lane, seq, size, string_to_array(places, ' ')::integer[], subject, extensions)
                 FROM unnest($1::smallint[], $2::bigint[], $3::integer[], $4::text[], $5::boolean[], $6::boolean[])
                     AS e (lane, seq, size, places, subject, extensions)",
            )
            .await?;
        self.transaction.query(&statement, &[&lanes, &seqs, &sizes, &places, &subjects, &extensions]).await?;
        Ok(())
    }

    /// Keeps messages as they are sent, where they have values that must not stay.
    pub(super) async fn append_secrets(&self, rows: &[NotificationRow]) -> Result<(), StoreError> {
        let (mut ids, mut messages): (Vec<Uuid>, Vec<String>) = (Vec::new(), Vec::new());
        for NotificationRow { notification, clear, .. } in rows {
            let Some(clear) = clear else { continue };
            let clear = serde_json::to_string(clear)
                .map_err(|error| StoreError::Row(format!("the message as JSON: {error}")))?;
            ids.push(notification.id.0);
            messages.push(clear);
        }
        if ids.is_empty() {
            return Ok(());
        }
        let statement = self
            .transaction
            .prepare_cached(
                "INSERT INTO secret (notification_id, message) SELECT * FROM unnest($1::uuid[], $2::text[])",
            )
            .await?;
        self.transaction.execute(&statement, &[&ids, &messages]).await?;
        Ok(())
    }
}

/// Puts the messages as they are sent in place of those that are kept, as far as they are there still.
pub(super) async fn reveal<'a>(
    client: &Session,
    read: impl Iterator<Item = &'a mut Logged>,
) -> Result<(), StoreError> {
    let kept = read.flatten().filter(|logged| logged.notification.message.is_kept && !logged.is_skipped);
    let mut kept: HashMap<Uuid, _> = kept.map(|logged| (logged.notification.id.0, logged)).collect();
    if kept.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = kept.keys().copied().collect();
    let statement = client
        .prepare_cached("SELECT notification_id, message FROM secret WHERE notification_id = ANY($1)")
        .await?;
    for row in client.query(&statement, &[&ids]).await? {
        if let Some(logged) = kept.get_mut(&row.try_get(0)?)
            && let Ok(message) = serde_json::from_str::<Message>(row.try_get(1)?)
        {
            logged.notification.message = message;
            logged.has_secrets = true;
        }
    }
    Ok(())
}
