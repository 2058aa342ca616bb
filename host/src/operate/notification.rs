//! One notification with its history.

use hookswitch_core::domain::{EventKey, NotificationId};
use serde::Serialize;
use utoipa::ToSchema;

use super::Operate;
use crate::store::{NotificationHistory, StoreError};

/// A notification with its history, and the event that it comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationDetail {
    /// The event that it comes from.
    pub event: EventKey,
    /// The type of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// The notification.
    #[serde(flatten)]
    pub notification: NotificationHistory,
}

impl Operate {
    /// A notification with its history; `None` if no notification has this id.
    pub async fn notification(&self, id: NotificationId) -> Result<Option<NotificationDetail>, StoreError> {
        let Some(logged) = self.store.event_of_notification(id).await? else {
            return Ok(None);
        };
        let Some(place) = self.store.place_of(id).await? else { return Ok(None) };
        let (event, kind) = (logged.event.key.clone(), logged.event.kind.clone());
        let history = self.store.event_history(logged, place - 1, 1).await?;
        let found = history.decisions.into_iter().flat_map(|decision| decision.notifications).next();
        Ok(found.map(|notification| NotificationDetail { event, kind, notification }))
    }
}
