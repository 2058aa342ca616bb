//! The history of an event: its decisions, notifications and deliveries.

use std::collections::HashMap;

use hookswitch_core::domain::{Delivery, Event, Lane, NotificationId, Status, SwitchName, status_of};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Action, EventWaits, LoggedEvent, Store, StoreError, event};

/// An event with its full history.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventHistory {
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// When it was received.
    pub received_at: Timestamp,
    /// Whether the rules have decided.
    pub routed: bool,
    /// Why routing is not finished with it; absent if it is, or has not started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<EventWaits>,
    /// The decisions in order, with a page of their notifications.
    pub decisions: Vec<DecisionHistory>,
    /// `after` of the next page; null on the last page.
    pub next: Option<i64>,
}

/// A decision with its notifications.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionHistory {
    /// The position among the decisions about this event, from 0.
    pub ordinal: i16,
    /// The outcome: `notify`, `nobody`, `cancel`, `skip`, `no_route`, `duplicate`, `collected`,
    /// `parked` or `failed`.
    pub outcome: String,
    /// Why the rule decided so; null if it gave no reason.
    pub reason: Option<String>,
    /// The engine of the rule: `route`, `script` or `plugin`; null if no rule decided.
    pub engine: Option<String>,
    /// The place of the rule, as `file:line`; null if no rule decided.
    pub rule: Option<String>,
    /// The release of the rules that decided.
    pub release: String,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The decision as the rule returned it.
    #[schema(value_type = Option<Object>)]
    pub decision: Option<Box<RawValue>>,
    /// What the rule looked up or requested, with the answers.
    #[schema(value_type = Option<Vec<Object>>)]
    pub asked: Option<Box<RawValue>>,
    /// The notifications on this page.
    pub notifications: Vec<NotificationHistory>,
}

/// A notification with its deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationHistory {
    /// The notification's id.
    pub id: NotificationId,
    /// The username of the recipient; null if the recipient is not a person.
    pub username: Option<String>,
    /// The name of the recipient, if known.
    pub name: Option<String>,
    /// The `wa_id` or user id of the recipient.
    pub recipient: Option<String>,
    /// Why this recipient is notified.
    pub reason: String,
    /// The name of the template.
    pub template: String,
    /// The current status.
    pub status: Status,
    /// The key by which it is withdrawn while it waits; null if it has none, or the API key may not see it.
    pub key: Option<String>,
    /// Why the notification waits, and until when; null if it does not wait.
    pub waits: Option<Waits>,
    /// The failed notification that this one resends; null for others.
    pub redrive_of: Option<NotificationId>,
    /// How an operator resolved its failure; null if none did.
    pub dead_letter: Option<DeadLetterEnd>,
    /// What operators did to it, newest last.
    pub actions: Vec<Action>,
    /// The message as it was rendered, with what it comes from; null if the key may not see it.
    #[schema(value_type = Option<Object>)]
    pub message: Option<Box<RawValue>>,
    /// The delivery log of this notification, in order of attempts and then of statuses.
    pub deliveries: Vec<Delivery>,
}

/// The reason for which a notification waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Waits {
    /// When it is due.
    pub due_at: Timestamp,
    /// The reason: `send_at`, `quiet`, `retry`, `pair`, `unknown`, `hold`, `as_template`, `window`, `daily`, `behind`,
    /// `unreadable`, `stopped` or `resumed`.
    pub reason: String,
    /// What holds it, who stopped that and why, for example `template thanks is stopped by ana: a typo`; null unless an
    /// operator has stopped it.
    pub stopped: Option<String>,
    /// Since when that is stopped.
    pub stopped_at: Option<Timestamp>,
}

/// The resolution of a failed notification by an operator.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterEnd {
    /// When it was resolved.
    pub at: Timestamp,
    /// The notification that resends it; null if it was discarded.
    pub redriven_as: Option<NotificationId>,
    /// The reason that the operator gave.
    pub reason: Option<String>,
}

impl Store {
    /// The history of an event: its decisions, and at most `limit` of its notifications, those after the position `after`
    /// in their log.
    pub async fn event_history(
        &self,
        logged: LoggedEvent,
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
        Ok(EventHistory {
            event: logged.event,
            received_at: logged.received_at,
            routed,
            waits,
            decisions,
            next,
        })
    }

    /// The place of a notification in its log.
    pub async fn place_of(&self, id: NotificationId) -> Result<Option<i64>, StoreError> {
        let client = self.client().await?;
        let row = client.query_opt("SELECT seq FROM notification WHERE id = $1", &[&id.0]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// The event that a notification comes from.
    pub async fn event_of_notification(&self, id: NotificationId) -> Result<Option<LoggedEvent>, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "SELECT e.lane, e.seq, e.id, e.source, e.type, e.subject, e.time, e.data, e.extensions, e.received_at
                 FROM notification n JOIN event e ON e.lane = n.event_lane AND e.seq = n.event_seq
                 WHERE n.id = $1",
                &[&id.0],
            )
            .await?;
        row.as_ref().map(event::logged_event).transpose()
    }

    /// The events with this id, of all sources or of one; two at most.
    pub async fn events_by_id(&self, id: &str, source: Option<&str>) -> Result<Vec<LoggedEvent>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT lane, seq, id, source, type, subject, time, data, extensions, received_at
                 FROM event WHERE id = $1 AND ($2::text IS NULL OR source = $2) ORDER BY source LIMIT 2",
            )
            .await?;
        let rows = client.query(&statement, &[&id, &source]).await?;
        rows.iter().map(event::logged_event).collect()
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
                        d.due_at, d.reason, old.notification_id, l.at, l.redriven_as, l.reason, n.seq, n.key,
                        s.kind, s.name, s.stopped_by, s.reason, s.stopped_at
                 FROM notification n LEFT JOIN deferred d ON d.lane = n.lane AND d.seq = n.seq
                 LEFT JOIN switch s ON d.reason = 'stopped' AND s.kind = split_part(d.stopped_by, ' ', 1)
                     AND s.name = substr(d.stopped_by, strpos(d.stopped_by, ' ') + 1)
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
                key: row.try_get(15)?,
                waits: waits(&row)?,
                redrive_of: row.try_get::<_, Option<Uuid>>(10)?.map(NotificationId),
                dead_letter: dead_letter(&row)?,
                actions: Vec::new(),
                message: Some(raw(row.try_get(7)?)?),
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
        let mut actions = self.actions_on(&ids).await?;
        for (.., notification) in &mut notifications {
            notification.actions = actions.remove(&notification.id).unwrap_or_default();
            notification.deliveries = deliveries.remove(&notification.id).unwrap_or_default();
            notification.deliveries.sort_by_key(|row| (row.attempt, row.status));
            notification.status = status_of(&notification.deliveries);
        }
        Ok(notifications)
    }
}

fn waits(row: &Row) -> Result<Option<Waits>, StoreError> {
    let Some((due_at, reason)) = row.try_get::<_, Option<Timestamp>>(8)?.zip(row.try_get(9)?) else {
        return Ok(None);
    };
    let kind: Option<&str> = row.try_get(16)?;
    let stopped = match kind {
        Some(kind) => {
            let kind = kind.parse().map_err(StoreError::Row)?;
            let name = SwitchName { kind, name: row.try_get(17)? };
            Some(name.stopped(row.try_get(18)?, row.try_get(19)?))
        }
        None => None,
    };
    Ok(Some(Waits { due_at, reason, stopped, stopped_at: row.try_get(20)? }))
}

fn dead_letter(row: &Row) -> Result<Option<DeadLetterEnd>, StoreError> {
    let Some(at) = row.try_get(11)? else { return Ok(None) };
    let redriven_as = row.try_get::<_, Option<Uuid>>(12)?.map(NotificationId);
    Ok(Some(DeadLetterEnd { at, redriven_as, reason: row.try_get(13)? }))
}

fn raw(text: String) -> Result<Box<RawValue>, StoreError> {
    RawValue::from_string(text).map_err(|error| StoreError::Row(format!("stored JSON: {error}")))
}
