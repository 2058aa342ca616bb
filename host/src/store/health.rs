//! What the set-up check asks of the database. Each question is answered from an index or a small table, so that
//! it takes no longer with a million notifications.

use hookswitch_core::domain::{LaneShare, NotificationId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::{COUNTED, Store, StoreError};

/// The server itself.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// Such as `15.18`.
    pub version: String,
    /// Its clock.
    pub now: Timestamp,
    /// The database's name.
    pub database: String,
    /// The role that asks.
    pub role: String,
    /// When the oldest transaction that is still open began, and whose process that is.
    pub oldest_transaction: Option<(Timestamp, i32)>,
    /// Bytes of the database on disk.
    pub size: u64,
}

/// People as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeopleFacts {
    /// Who gets messages.
    pub active: i64,
    /// Who does not.
    pub inactive: i64,
    /// Of the active, who is linked to no contact.
    pub unlinked: i64,
    /// Of the active, whose 24-hour window is open.
    pub open: i64,
    /// Of the active and linked, who never wrote.
    pub never_wrote: i64,
}

/// What waits to be routed or sent. Of each lane, at most [`LANE_COUNTED`] are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BacklogFacts {
    /// Events that are not routed yet.
    pub events: i64,
    /// Whether there are more, that were not counted.
    pub more_events: bool,
    /// When the oldest of them came.
    pub oldest_event: Option<Timestamp>,
    /// Notifications that dispatch has not settled yet.
    pub notifications: i64,
    /// Whether there are more, that were not counted.
    pub more_notifications: bool,
    /// When the oldest of them was made.
    pub oldest_notification: Option<Timestamp>,
}

/// So many of each lane are counted: of what waits to be sent, of each of its priorities.
const LANE_COUNTED: i64 = 1_000;

/// What waits in `deferred` for one reason, of those that were looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeferredFacts {
    /// Such as `retry`.
    pub reason: String,
    /// How many.
    pub count: i64,
    /// When the first of them is due.
    pub first_due_at: Timestamp,
    /// When the last of them is due.
    pub last_due_at: Timestamp,
    /// The oldest of them: ids begin with the time.
    pub oldest: Option<NotificationId>,
    /// When the oldest was created; `None` if it was dropped meanwhile.
    pub oldest_at: Option<Timestamp>,
}

/// What waits for another attempt after Meta refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedFacts {
    /// Meta's code.
    pub code: i32,
    /// How many notifications.
    pub count: i64,
}

/// Failures with one of Meta's codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureFacts {
    /// Meta's code; `None` where Meta gave none.
    pub code: Option<i32>,
    /// How many notifications.
    pub count: i64,
    /// When the last of them failed.
    pub last_at: Timestamp,
    /// The last one.
    pub example: Uuid,
    /// What was said about it.
    pub detail: Option<String>,
}

/// A host on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// Machine and process.
    pub name: String,
    /// The release of the rules that are live there.
    pub release: Option<String>,
    /// The program's version.
    pub version: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said that it lives.
    pub seen_at: Timestamp,
    /// How many lanes it holds.
    pub lanes: i64,
    /// How far its machine's clock is ahead of PostgreSQL's.
    pub clock_ahead: SignedDuration,
    /// Whether its rules come from the database, and not from a folder.
    pub follows: bool,
    /// The active release if it could not load it, and why.
    pub refused: Option<(String, String)>,
    /// The release that decides for a share of the lanes there, and the share.
    pub share: Option<(String, LaneShare)>,
}

/// Meta's webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookFacts {
    /// When one was last accepted.
    pub accepted_at: Option<Timestamp>,
    /// When one was last refused for its signature.
    pub refused_at: Option<Timestamp>,
    /// How many were refused so far.
    pub refused: i64,
}

impl Store {
    /// The server itself.
    pub async fn server_facts(&self) -> Result<ServerFacts, StoreError> {
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT current_setting('server_version'), clock_timestamp(), current_database(),
                        current_user::text, t.xact_start, t.pid, pg_database_size(current_database())
                 FROM (SELECT) AS one
                 LEFT JOIN LATERAL (
                     SELECT xact_start, pid FROM pg_stat_activity
                     WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                     ORDER BY xact_start LIMIT 1) AS t ON true",
                &[],
            )
            .await?;
        let began: Option<Timestamp> = row.try_get(4)?;
        let version: String = row.try_get(0)?;
        Ok(ServerFacts {
            version: version.split_whitespace().next().unwrap_or_default().to_owned(),
            now: row.try_get(1)?,
            database: row.try_get(2)?,
            role: row.try_get(3)?,
            oldest_transaction: began.zip(row.try_get(5)?),
            size: row.try_get::<_, i64>(6)?.unsigned_abs(),
        })
    }

    /// People as a whole; a window that opened after `opened_after` is open.
    pub async fn people_facts(&self, opened_after: Timestamp) -> Result<PeopleFacts, StoreError> {
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT count(*) FILTER (WHERE p.active), count(*) FILTER (WHERE NOT p.active),
                        count(*) FILTER (WHERE p.active AND c.id IS NULL),
                        count(*) FILTER (WHERE p.active AND c.last_inbound_at > $1),
                        count(*) FILTER (WHERE p.active AND c.id IS NOT NULL AND c.last_inbound_at IS NULL)
                 FROM person p LEFT JOIN contact c ON c.id = p.contact_id AND coalesce(c.wa_id, c.user_id) IS NOT NULL",
                &[&opened_after],
            )
            .await?;
        Ok(PeopleFacts {
            active: row.try_get(0)?,
            inactive: row.try_get(1)?,
            unlinked: row.try_get(2)?,
            open: row.try_get(3)?,
            never_wrote: row.try_get(4)?,
        })
    }

    /// At most `limit` usernames of active people who are linked to no contact, or to one whose number is lost.
    pub async fn unlinked_people(&self, limit: i64) -> Result<Vec<String>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT p.username FROM person p LEFT JOIN contact c ON c.id = p.contact_id
                 WHERE p.active AND coalesce(c.wa_id, c.user_id) IS NULL ORDER BY p.username LIMIT $1",
                &[&limit],
            )
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Each group's name, with how many members it has, and how many of them are active.
    pub async fn group_sizes(&self) -> Result<Vec<(String, i64, i64)>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT g.name, count(p.id), count(p.id) FILTER (WHERE p.active)
                 FROM groups g
                 LEFT JOIN membership m ON m.group_id = g.id
                 LEFT JOIN person p ON p.id = m.person_id
                 GROUP BY g.id ORDER BY g.name",
                &[],
            )
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
    }

    /// What waits to be routed or sent.
    pub async fn backlog(&self) -> Result<BacklogFacts, StoreError> {
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT e.count, e.oldest, n.count, n.oldest, e.more, n.more
                 FROM (
                     SELECT sum(w.count)::bigint AS count, min(w.oldest) AS oldest, bool_or(w.count >= $1) AS more
                     FROM lane l
                     CROSS JOIN LATERAL (
                         SELECT greatest(
                             (SELECT max(event_seq) FROM decision d WHERE d.lane = l.lane),
                             (SELECT max(event_seq) FROM unfinished u WHERE u.lane = l.lane), 0) AS seq) AS routed
                     CROSS JOIN LATERAL (
                         SELECT count(*) AS count, min(received_at) AS oldest
                         FROM ((SELECT received_at FROM event WHERE event.lane = l.lane AND event.seq > routed.seq
                                ORDER BY event.seq LIMIT $1)
                               UNION ALL
                               (SELECT since FROM unfinished WHERE unfinished.lane = l.lane
                                ORDER BY event_seq LIMIT $1)) AS waiting) AS w
                 ) AS e, (
                     SELECT sum(w.count)::bigint AS count, min(w.oldest) AS oldest, bool_or(w.count >= $1) AS more
                     FROM checkpoint c
                     CROSS JOIN LATERAL (
                         SELECT count(*) AS count, min(created_at) AS oldest
                         FROM (SELECT created_at FROM notification
                               WHERE notification.lane = c.lane AND notification.seq > c.seq
                               ORDER BY notification.seq LIMIT $1) AS waiting) AS w
                 ) AS n",
                &[&LANE_COUNTED],
            )
            .await?;
        Ok(BacklogFacts {
            events: row.try_get::<_, Option<i64>>(0)?.unwrap_or(0),
            more_events: row.try_get::<_, Option<bool>>(4)?.unwrap_or(false),
            oldest_event: row.try_get(1)?,
            notifications: row.try_get::<_, Option<i64>>(2)?.unwrap_or(0),
            more_notifications: row.try_get::<_, Option<bool>>(5)?.unwrap_or(false),
            oldest_notification: row.try_get(3)?,
        })
    }

    /// What waits in `deferred`, by reason; of each at most `limit` are looked at.
    pub async fn deferred_facts(&self, limit: i64) -> Result<Vec<DeferredFacts>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "WITH RECURSIVE reasons (reason) AS (
                     SELECT min(reason) FROM deferred
                     UNION ALL
                     SELECT (SELECT min(d.reason) FROM deferred d WHERE d.reason > reasons.reason)
                     FROM reasons WHERE reasons.reason IS NOT NULL
                 )
                 SELECT reasons.reason, w.count, w.first, w.last, w.oldest,
                        (SELECT created_at FROM notification n WHERE n.id = w.oldest)
                 FROM reasons
                 CROSS JOIN LATERAL (
                     SELECT count(*) AS count, min(due_at) AS first, max(due_at) AS last,
                            (array_agg(notification_id ORDER BY notification_id))[1] AS oldest
                     FROM (SELECT due_at, notification_id FROM deferred WHERE deferred.reason = reasons.reason
                           ORDER BY deferred.lane LIMIT $1) AS waiting
                 ) w
                 WHERE reasons.reason IS NOT NULL ORDER BY reasons.reason",
                &[&limit],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(DeferredFacts {
                    reason: row.try_get(0)?,
                    count: row.try_get(1)?,
                    first_due_at: row.try_get(2)?,
                    last_due_at: row.try_get(3)?,
                    oldest: row.try_get::<_, Option<Uuid>>(4)?.map(NotificationId),
                    oldest_at: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// What waits for another attempt after Meta refused the last one, by Meta's code; at most [`COUNTED`] are looked at.
    pub async fn refused_facts(&self) -> Result<Vec<RefusedFacts>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT d.code, count(*)
                 FROM (
                     SELECT w.* FROM unnest('{retry,as_template}'::text[]) AS r (reason)
                     CROSS JOIN LATERAL (
                         SELECT notification_id, attempt FROM deferred
                         WHERE deferred.reason = r.reason ORDER BY deferred.lane LIMIT $1
                     ) w
                 ) w
                 JOIN delivery d ON d.notification_id = w.notification_id AND d.attempt = w.attempt - 1
                     AND d.status = 'retrying'
                 WHERE d.code IS NOT NULL
                 GROUP BY d.code ORDER BY d.code",
                &[&COUNTED],
            )
            .await?;
        rows.iter().map(|row| Ok(RefusedFacts { code: row.try_get(0)?, count: row.try_get(1)? })).collect()
    }

    /// What failed since then and stayed so, and was neither redriven nor discarded, by Meta's code, the most frequent
    /// first. Of the newest [`COUNTED`] failures.
    pub async fn failures_since(&self, since: Timestamp) -> Result<Vec<FailureFacts>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT f.code, count(DISTINCT f.notification_id), max(f.at),
                        (array_agg(f.notification_id ORDER BY f.at DESC))[1],
                        (array_agg(f.detail ORDER BY f.at DESC))[1]
                 FROM (
                     SELECT * FROM delivery WHERE status = 'failed' AND at > $1 ORDER BY at DESC LIMIT $2
                 ) f
                 WHERE NOT EXISTS (SELECT FROM dead_letter l WHERE l.notification_id = f.notification_id)
                   AND NOT EXISTS (
                       SELECT FROM delivery later WHERE later.notification_id = f.notification_id
                       AND (later.attempt > f.attempt OR later.status >= 'delivered'))
                 GROUP BY f.code ORDER BY 2 DESC, f.code",
                &[&since, &COUNTED],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(FailureFacts {
                    code: row.try_get(0)?,
                    count: row.try_get(1)?,
                    last_at: row.try_get(2)?,
                    example: row.try_get(3)?,
                    detail: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// How many notifications were made since then; at most ten times [`COUNTED`] are counted.
    pub async fn notifications_since(&self, since: Timestamp) -> Result<i64, StoreError> {
        // A UUID of version 7 begins with the time.
        let milliseconds = u128::try_from(since.as_millisecond()).unwrap_or(0);
        let first = Uuid::from_u128(milliseconds << 80);
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT count(*) FROM (SELECT FROM notification WHERE id >= $1 ORDER BY id LIMIT $2) AS n",
                &[&first, &(10 * COUNTED)],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// When Meta last took a message, of the newest few hundred.
    pub async fn last_accepted(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT max(d.at) FROM (SELECT id FROM notification ORDER BY id DESC LIMIT 500) AS n
                 JOIN delivery d ON d.notification_id = n.id AND d.status = 'accepted'",
                &[],
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// The hosts on the list.
    pub async fn host_facts(&self) -> Result<Vec<HostFacts>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT h.name, h.release, h.version, h.started_at, h.seen_at,
                        (SELECT count(*) FROM lane WHERE lane.owner = h.id AND lane.deadline > now()),
                        h.clock_ahead_ms, h.follows, h.refused_release, h.refusal,
                        h.share_release, h.share_lanes
                 FROM host h ORDER BY h.started_at",
                &[],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(HostFacts {
                    name: row.try_get(0)?,
                    release: row.try_get(1)?,
                    version: row.try_get(2)?,
                    started_at: row.try_get(3)?,
                    seen_at: row.try_get(4)?,
                    lanes: row.try_get(5)?,
                    clock_ahead: SignedDuration::from_millis(row.try_get(6)?),
                    follows: row.try_get(7)?,
                    refused: row.try_get::<_, Option<String>>(8)?.zip(row.try_get(9)?),
                    share: row
                        .try_get::<_, Option<String>>(10)?
                        .zip(row.try_get::<_, Option<i16>>(11)?.and_then(LaneShare::of_lanes)),
                })
            })
            .collect()
    }

    /// Meta's webhooks.
    pub async fn webhook_facts(&self) -> Result<WebhookFacts, StoreError> {
        let row = self
            .client()
            .await?
            .query_one("SELECT accepted_at, refused_at, refused FROM webhook", &[])
            .await?;
        Ok(WebhookFacts {
            accepted_at: row.try_get(0)?,
            refused_at: row.try_get(1)?,
            refused: row.try_get(2)?,
        })
    }

    /// Adds what a host has seen of Meta's webhooks since it last said so.
    pub async fn webhooks_seen(&self, seen: &WebhookFacts) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "UPDATE webhook SET accepted_at = greatest(accepted_at, $1), refused_at = greatest(refused_at, $2),
                        refused = refused + $3",
            )
            .await?;
        client.execute(&statement, &[&seen.accepted_at, &seen.refused_at, &seen.refused]).await?;
        Ok(())
    }
}
