//! Events and notifications: lists, histories, and what an id stands for.

use std::time::Duration;

use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use uuid::Uuid;

use super::Operate;
use crate::store::{EventFilter, EventHistory, EventPage, LoggedEvent, StoreError};

/// How long a subject is looked for.
const FINDING: Duration = Duration::from_secs(1);

/// What an id, a number or a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An event: its id and source.
    Event(String, String),
    /// A notification.
    Notification(NotificationId),
    /// A person, by username.
    Person(String),
    /// The recipient of a notification, as stored.
    Recipient(String),
    /// A group, by name.
    Group(String),
    /// The subject of an event.
    Subject(String),
}

impl Operate {
    /// A page of the events that a filter lets through, newest first.
    pub async fn events(&self, filter: &EventFilter, time: Duration) -> Result<EventPage, StoreError> {
        self.store.list_events(filter, time).await
    }

    /// The events with this id, of all sources or of one; two at most.
    pub async fn events_by_id(&self, id: &str, source: Option<&str>) -> Result<Vec<LoggedEvent>, StoreError> {
        self.store.events_by_id(id, source).await
    }

    /// The history of an event with a page of its notifications.
    pub async fn event_history(
        &self,
        logged: LoggedEvent,
        after: i64,
        limit: i64,
    ) -> Result<EventHistory, StoreError> {
        self.store.event_history(logged, after, limit).await
    }

    /// The history of the event that a notification comes from, from this notification on.
    pub async fn notification_history(
        &self,
        id: NotificationId,
        limit: i64,
    ) -> Result<Option<EventHistory>, StoreError> {
        let (event, place) = (self.store.event_of_notification(id).await?, self.store.place_of(id).await?);
        match event.zip(place) {
            Some((event, place)) => Ok(Some(self.event_history(event, place - 1, limit).await?)),
            None => Ok(None),
        }
    }

    /// What a text stands for: an id of an event, a notification or a message, a username, a number, a group, a subject.
    pub async fn find(&self, text: &str) -> Result<Option<Found>, StoreError> {
        if text.starts_with("wamid.") {
            return Ok(self.store.notification_of_wamid(text).await?.map(Found::Notification));
        }
        if let Ok(id) = text.parse::<Uuid>() {
            let id = NotificationId(id);
            if self.store.place_of(id).await?.is_some() {
                return Ok(Some(Found::Notification(id)));
            }
        }
        if let Some(logged) = self.store.events_by_id(text, None).await?.into_iter().next() {
            return Ok(Some(Found::Event(logged.event.key.id, logged.event.key.source)));
        }
        if self.store.find_person(text).await?.is_some() {
            return Ok(Some(Found::Person(text.to_owned())));
        }
        if self.store.find_group(text).await?.is_some() {
            return Ok(Some(Found::Group(text.to_owned())));
        }
        if let Ok(number) = hookswitch_core::domain::number(text) {
            return Ok(Some(Found::Recipient(number.wa_id)));
        }
        let filter = EventFilter {
            since: Timestamp::UNIX_EPOCH,
            outcome: None,
            kind: None,
            subject: Some(text.to_owned()),
            source: None,
            before: None,
            limit: 1,
        };
        let is_subject = !self.store.list_events(&filter, FINDING).await?.data.is_empty();
        Ok(is_subject.then(|| Found::Subject(text.to_owned())))
    }
}
