//! What became of the times that schedules name, and what schedules ask for.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{NewEvent, Store, StoreError, event};

/// What became of one time of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotOutcome {
    /// The schedule is known from here on.
    Start,
    /// Its events were appended.
    Fired,
    /// No host ran, and the schedule says to let it be.
    Missed,
}

impl SlotOutcome {
    fn as_str(self) -> &'static str {
        match self {
            SlotOutcome::Start => "start",
            SlotOutcome::Fired => "fired",
            SlotOutcome::Missed => "missed",
        }
    }

    fn stored(word: &str) -> Result<SlotOutcome, StoreError> {
        [SlotOutcome::Start, SlotOutcome::Fired, SlotOutcome::Missed]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
            .ok_or_else(|| StoreError::Row(format!("unknown outcome of a schedule: {word}")))
    }
}

/// The last time of a schedule that something became of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSlot {
    /// When.
    pub slot: Timestamp,
    /// What became of it.
    pub outcome: SlotOutcome,
    /// The cron expression and time zone that the schedule had then.
    pub cron: String,
}

/// Times at which a schedule did not fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedSlots {
    /// The schedule's name.
    pub schedule: String,
    /// The last of them.
    pub last: Timestamp,
}

/// Slots of a schedule to look at for missed ones.
const LOOKED: i64 = 100;

/// A member of the staff whose 24-hour window closes soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringWindow {
    /// The contact, by our number.
    pub contact: i64,
    /// The person's username.
    pub username: String,
    /// The person's name.
    pub name: String,
    /// The `wa_id` or user id.
    pub recipient: Option<String>,
    /// All groups that the person is in.
    pub groups: Vec<String>,
    /// When they last wrote.
    pub last_inbound_at: Timestamp,
}

impl Store {
    /// The last slot of each schedule up to `now`. Later ones were taken while a clock was wrong.
    pub async fn last_slots(&self, now: Timestamp) -> Result<HashMap<String, LastSlot>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "WITH RECURSIVE schedules (schedule) AS (
                     SELECT min(schedule) FROM schedule_slot
                     UNION ALL
                     SELECT (SELECT min(s.schedule) FROM schedule_slot s WHERE s.schedule > schedules.schedule)
                     FROM schedules WHERE schedules.schedule IS NOT NULL
                 )
                 SELECT last.schedule, last.slot, last.outcome, last.cron
                 FROM schedules
                 CROSS JOIN LATERAL (
                     SELECT s.schedule, s.slot, s.outcome, s.cron FROM schedule_slot s
                     WHERE s.schedule = schedules.schedule AND s.slot <= $1 ORDER BY s.slot DESC LIMIT 1
                 ) last",
            )
            .await?;
        let rows = client.query(&statement, &[&now]).await?;
        rows.iter()
            .map(|row| {
                let outcome = SlotOutcome::stored(row.try_get(2)?)?;
                Ok((row.try_get(0)?, LastSlot { slot: row.try_get(1)?, outcome, cron: row.try_get(3)? }))
            })
            .collect()
    }

    /// The schedules that missed a time since then, among their last 100 times: of those in a row, one is recorded.
    pub async fn missed_slots(&self, since: Timestamp) -> Result<Vec<MissedSlots>, StoreError> {
        let rows = self
            .client()
            .await?
            .query(
                "WITH RECURSIVE schedules (schedule) AS (
                     SELECT min(schedule) FROM schedule_slot
                     UNION ALL
                     SELECT (SELECT min(s.schedule) FROM schedule_slot s WHERE s.schedule > schedules.schedule)
                     FROM schedules WHERE schedules.schedule IS NOT NULL
                 )
                 SELECT schedules.schedule, max(s.slot)
                 FROM schedules
                 CROSS JOIN LATERAL (
                     SELECT slot, outcome FROM schedule_slot
                     WHERE schedule_slot.schedule = schedules.schedule AND schedule_slot.slot > $1
                     ORDER BY schedule_slot.slot DESC LIMIT $2
                 ) s
                 WHERE s.outcome = 'missed' GROUP BY schedules.schedule ORDER BY schedules.schedule",
                &[&since, &LOOKED],
            )
            .await?;
        rows.iter().map(|row| Ok(MissedSlots { schedule: row.try_get(0)?, last: row.try_get(1)? })).collect()
    }

    /// Takes a slot and appends its events, in one transaction. Of all hosts, one takes it; tells whether this one did.
    ///
    /// # Errors
    /// Where PostgreSQL does not do it; then the slot is still to be had.
    pub async fn take_slot(
        &self,
        schedule: &str,
        slot: &LastSlot,
        events: &[NewEvent<'_>],
    ) -> Result<bool, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let taken = transaction
            .execute(
                "INSERT INTO schedule_slot (schedule, slot, outcome, cron) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                &[&schedule, &slot.slot, &slot.outcome.as_str(), &slot.cron],
            )
            .await?;
        if taken == 0 {
            return Ok(false);
        }
        if !events.is_empty() {
            // One that is there already was told for an earlier slot.
            event::append_own(&transaction, events).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Active members of these groups whose last message was between 23 and 24 hours old at the slot, and whose window
    /// is still open; but nobody of whom an event told in the 23 hours before: one of this source and type.
    pub async fn expiring_windows(
        &self,
        groups: &[String],
        told: (&str, &str),
        slot: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<ExpiringWindow>, StoreError> {
        let hours = SignedDuration::from_hours;
        let (after, until) = (slot.max(now) - hours(24), slot - hours(23));
        let client = self.client().await?;
        // Such an event's id begins with its type and the contact; in "C" collation, `;` follows `:`.
        let statement = client
            .prepare_cached(
                "SELECT c.id, p.username, p.name, coalesce(c.wa_id, c.user_id), c.last_inbound_at,
                        array_agg(g.name ORDER BY g.name)
                 FROM (
                     SELECT DISTINCT m.person_id AS id FROM groups g JOIN membership m ON m.group_id = g.id
                     WHERE g.name = ANY($1)
                 ) meant
                 JOIN person p ON p.id = meant.id AND p.active
                 JOIN contact c ON c.id = p.contact_id
                 JOIN membership m ON m.person_id = p.id
                 JOIN groups g ON g.id = m.group_id
                 WHERE c.last_inbound_at > $2 AND c.last_inbound_at <= $3
                     AND coalesce(c.wa_id, c.user_id) IS NOT NULL
                     AND NOT EXISTS (
                         SELECT FROM event e
                         WHERE e.id > $4::text || ':' || c.id || ':' AND e.id < $4 || ':' || c.id || ';'
                             AND e.source = $5 AND e.time > $3)
                 GROUP BY c.id, p.id
                 ORDER BY p.username",
            )
            .await?;
        let rows = client.query(&statement, &[&groups, &after, &until, &told.1, &told.0]).await?;
        rows.iter()
            .map(|row| {
                Ok(ExpiringWindow {
                    contact: row.try_get(0)?,
                    username: row.try_get(1)?,
                    name: row.try_get(2)?,
                    recipient: row.try_get(3)?,
                    last_inbound_at: row.try_get(4)?,
                    groups: row.try_get(5)?,
                })
            })
            .collect()
    }
}
