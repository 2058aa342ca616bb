//! What came of an event: its decisions, notifications and deliveries.

use std::collections::HashMap;

use hookswitch_core::domain::{Delivery, Event, Lane, NotificationId, Status, status_of};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{EventWaits, LoggedEvent, Store, StoreError, event};

/// An event with all that came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventHistory {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// When intake had it.
    pub received_at: Timestamp,
    /// Whether the rules have decided yet.
    pub routed: bool,
    /// What routing is still to do about it, where it has read it; absent where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<EventWaits>,
    /// What they decided, in order, with a page of the notifications.
    pub decisions: Vec<DecisionHistory>,
    /// The next page's `after`; null on the last.
    pub next: Option<i64>,
}

/// A decision with its notifications.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionHistory {
    /// From 0.
    pub ordinal: i16,
    /// `notify`, `nobody`, `skip`, `no_route`, `duplicate`, `collected`, `parked` or `failed`.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
    /// `route` or `script`.
    pub engine: Option<String>,
    /// `file:line`.
    pub rule: Option<String>,
    /// The catalog's release.
    pub release: String,
    /// When.
    pub decided_at: Timestamp,
    /// What the rule said.
    #[schema(value_type = Option<Object>)]
    pub decision: Option<Box<RawValue>>,
    /// What it asked of the world and was told.
    #[schema(value_type = Option<Vec<Object>>)]
    pub asked: Option<Box<RawValue>>,
    /// Who is told.
    pub notifications: Vec<NotificationHistory>,
}

/// A notification with its deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationHistory {
    /// Its id.
    pub id: NotificationId,
    /// The person's username, where the recipient is staff.
    pub username: Option<String>,
    /// The recipient's name.
    pub name: Option<String>,
    /// The recipient's `wa_id` or user id.
    pub recipient: Option<String>,
    /// Why this person gets it.
    pub reason: String,
    /// The template.
    pub template: String,
    /// How far it is.
    pub status: Status,
    /// Until when it waits, and why; null where it does not.
    pub waits: Option<Waits>,
    /// The message that failed and was sent again as this one.
    pub redrive_of: Option<NotificationId>,
    /// What an operator did about it after it had failed.
    pub dead_letter: Option<DeadLetterEnd>,
    /// What the person reads.
    #[schema(value_type = Object)]
    pub message: Box<RawValue>,
    /// What happened, in order of attempts and ranks.
    pub deliveries: Vec<Delivery>,
}

/// What a notification waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Waits {
    /// Until when.
    pub due_at: Timestamp,
    /// `send_at`, `retry`, `pair`, `unknown`, `as_template` or `behind`.
    pub reason: String,
}

/// What an operator did about a message that failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterEnd {
    /// When.
    pub at: Timestamp,
    /// The new message, where it was redriven; else it was discarded.
    pub redriven_as: Option<NotificationId>,
    /// Why.
    pub reason: Option<String>,
}

impl Store {
    /// An event with what came of it: its decisions, and at most `limit` of the notifications, those after the place
    /// `after` in their log.
    pub async fn event_history(
        &self,
        logged: LoggedEvent,
        received_at: Timestamp,
        after: i64,
        limit: i64,
    ) -> Result<EventHistory, StoreError> {
        let mut decisions = self.decisions_of(logged.lane, logged.seq).await?;
        let page = self.notifications_of(logged.lane, logged.seq, after, limit).await?;
        let is_full = i64::try_from(page.len()).is_ok_and(|count| count >= limit);
        let next = page.last().filter(|_| is_full).map(|(seq, ..)| *seq);
        for (_, ordinal, notification) in page {
            if let Some(decision) = decisions.iter_mut().find(|decision| decision.ordinal == ordinal) {
                decision.notifications.push(notification);
            }
        }
        let waits = self.event_waits(logged.lane, logged.seq).await?;
        let routed = !decisions.is_empty();
        Ok(EventHistory { event: logged.event, received_at, routed, waits, decisions, next })
    }

    /// The place of a notification in its log.
    pub async fn place_of(&self, id: NotificationId) -> Result<Option<i64>, StoreError> {
        let client = self.client().await?;
        let row = client.query_opt("SELECT seq FROM notification WHERE id = $1", &[&id.0]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// The event that a notification comes from.
    pub async fn event_of_notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<(LoggedEvent, Timestamp)>, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "SELECT e.lane, e.seq, e.id, e.source, e.type, e.subject, e.time, e.data, e.extensions, e.received_at
                 FROM notification n JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
                 WHERE n.id = $1",
                &[&id.0],
            )
            .await?;
        row.map(|row| Ok((event::logged_event(&row)?, row.try_get(9)?))).transpose()
    }

    /// The events with this id, of all sources or of one; two at most.
    pub async fn events_by_id(
        &self,
        id: &str,
        source: Option<&str>,
    ) -> Result<Vec<(LoggedEvent, Timestamp)>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT lane, seq, id, source, type, subject, time, data, extensions, received_at
                 FROM event WHERE id = $1 AND ($2::text IS NULL OR source = $2) ORDER BY source LIMIT 2",
            )
            .await?;
        let rows = client.query(&statement, &[&id, &source]).await?;
        rows.iter().map(|row| Ok((event::logged_event(row)?, row.try_get(9)?))).collect()
    }

    /// The decisions on an event, without their notifications.
    async fn decisions_of(&self, lane: Lane, event_seq: i64) -> Result<Vec<DecisionHistory>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT ordinal, outcome, reason, engine, rule, release, decided_at, decision, asked
                 FROM decision WHERE lane = $1 AND event_seq = $2 ORDER BY ordinal",
            )
            .await?;
        let mut decisions = Vec::new();
        for row in client.query(&statement, &[&lane.0, &event_seq]).await? {
            decisions.push(DecisionHistory {
                ordinal: row.try_get(0)?,
                outcome: row.try_get(1)?,
                reason: row.try_get(2)?,
                engine: row.try_get(3)?,
                rule: row.try_get(4)?,
                release: row.try_get(5)?,
                decided_at: row.try_get(6)?,
                decision: row.try_get::<_, Option<String>>(7)?.map(raw).transpose()?,
                asked: row.try_get::<_, Option<String>>(8)?.map(raw).transpose()?,
                notifications: Vec::new(),
            });
        }
        Ok(decisions)
    }

    async fn notifications_of(
        &self,
        lane: Lane,
        event_seq: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, i16, NotificationHistory)>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT n.ordinal, n.id, n.username, n.name, n.recipient, n.reason, n.template, n.message,
                        d.due_at, d.reason, old.notification_id, l.at, l.redriven_as, l.reason, n.seq
                 FROM notification n LEFT JOIN deferred d ON d.lane = n.lane AND d.seq = n.seq
                 LEFT JOIN dead_letter l ON l.notification_id = n.id
                 LEFT JOIN dead_letter old ON old.redriven_as = n.id
                 WHERE n.event_lane = $1 AND n.event_seq = $2 AND n.seq > $3 ORDER BY n.seq LIMIT $4",
            )
            .await?;
        let mut notifications = Vec::new();
        for row in client.query(&statement, &[&lane.0, &event_seq, &after, &limit]).await? {
            let notification = NotificationHistory {
                id: NotificationId(row.try_get::<_, Uuid>(1)?),
                username: row.try_get(2)?,
                name: row.try_get(3)?,
                recipient: row.try_get(4)?,
                reason: row.try_get(5)?,
                template: row.try_get(6)?,
                status: Status::Queued,
                waits: row
                    .try_get::<_, Option<Timestamp>>(8)?
                    .zip(row.try_get(9)?)
                    .map(|(due_at, reason)| Waits { due_at, reason }),
                redrive_of: row.try_get::<_, Option<Uuid>>(10)?.map(NotificationId),
                dead_letter: dead_letter(&row)?,
                message: raw(row.try_get(7)?)?,
                deliveries: Vec::new(),
            };
            notifications.push((row.try_get(14)?, row.try_get(0)?, notification));
        }
        drop(client);
        let ids: Vec<NotificationId> = notifications.iter().map(|(.., n)| n.id).collect();
        let mut deliveries: HashMap<NotificationId, Vec<Delivery>> = HashMap::new();
        for delivery in self.deliveries_of(&ids).await? {
            deliveries.entry(delivery.notification_id).or_default().push(delivery);
        }
        for (.., notification) in &mut notifications {
            notification.deliveries = deliveries.remove(&notification.id).unwrap_or_default();
            notification.deliveries.sort_by_key(|row| (row.attempt, row.status));
            notification.status = status_of(&notification.deliveries);
        }
        Ok(notifications)
    }
}

fn dead_letter(row: &Row) -> Result<Option<DeadLetterEnd>, StoreError> {
    let Some(at) = row.try_get(11)? else { return Ok(None) };
    let redriven_as = row.try_get::<_, Option<Uuid>>(12)?.map(NotificationId);
    Ok(Some(DeadLetterEnd { at, redriven_as, reason: row.try_get(13)? }))
}

fn raw(text: String) -> Result<Box<RawValue>, StoreError> {
    RawValue::from_string(text).map_err(|error| StoreError::Row(format!("stored JSON: {error}")))
}
