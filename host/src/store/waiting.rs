//! Why routing of an event is not finished.

use hookswitch_core::domain::{EventKey, Lane};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Store, StoreError, unfinished::SUSPECT};

/// The reason for which routing is not finished with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// A slow plugin is deciding it, beside the other events.
    Plugin,
    /// An earlier event with the same subject comes first.
    Subject,
    /// A host that may have been deciding it died: it is decided while nothing else is.
    Alone,
    /// Other events occupy the plugin, or a host has yet to take it up.
    Turn,
    /// It notifies so many people that it is planned page by page.
    Pages,
}

/// What routing has still to do with an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventWaits {
    /// The reason.
    #[serde(rename = "for")]
    pub waits_for: WaitsFor,
    /// When it began to wait.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The earlier event with the same subject that comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<EventKey>,
}

impl Store {
    /// Why routing is not finished with an event; `None` if it is, or has not started.
    pub(super) async fn event_waits(
        &self,
        lane: Lane,
        event_seq: i64,
    ) -> Result<Option<EventWaits>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "SELECT u.ordinal, u.since, u.deaths, u.host IS NOT NULL, first.id, first.source
                 FROM unfinished u
                 JOIN event e ON e.lane = u.lane AND e.seq = u.event_seq
                 LEFT JOIN LATERAL (
                     SELECT earlier.id, earlier.source
                     FROM unfinished w JOIN event earlier ON earlier.lane = w.lane AND earlier.seq = w.event_seq
                     WHERE w.lane = u.lane AND w.event_seq < u.event_seq AND w.ordinal = -1
                         AND earlier.subject = e.subject
                     ORDER BY w.event_seq LIMIT 1) AS first ON true
                 WHERE u.lane = $1 AND u.event_seq = $2
                 ORDER BY u.ordinal LIMIT 1",
            )
            .await?;
        let Some(row) = client.query_opt(&statement, &[&lane.0, &event_seq]).await? else { return Ok(None) };
        let (ordinal, deaths, is_begun): (i16, i16, bool) =
            (row.try_get(0)?, row.try_get(2)?, row.try_get(3)?);
        let first: Option<String> = row.try_get(4)?;
        let behind = match first {
            Some(id) => Some(EventKey { id, source: row.try_get(5)? }),
            None => None,
        };
        let waits_for = match &behind {
            _ if ordinal >= 0 => WaitsFor::Pages,
            Some(_) => WaitsFor::Subject,
            None if is_begun => WaitsFor::Plugin,
            None if deaths >= SUSPECT => WaitsFor::Alone,
            None => WaitsFor::Turn,
        };
        let behind = behind.filter(|_| waits_for == WaitsFor::Subject);
        Ok(Some(EventWaits { waits_for, since: row.try_get(1)?, behind }))
    }
}
