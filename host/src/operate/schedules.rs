//! Schedules: when they fire, and what came of the last time.

use hookswitch_core::{
    catalog::{ForEach, Missed, Schedule},
    domain::EventKey,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Setup;
use crate::{
    store::{LastSlot, SlotOutcome, StoreError},
    system::fired_at,
};

/// A schedule of the live rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleState {
    /// The name, unique.
    pub name: String,
    /// The cron expression and the time zone.
    pub cron: String,
    /// The type of the events that it fires.
    #[serde(rename = "type")]
    pub kind: String,
    /// The groups for whose members it fires one event each, when their 24-hour window closes within the hour; empty if it
    /// fires one event.
    pub expiring_windows_of: Vec<String>,
    /// Whether times at which no host ran are fired late; otherwise they are recorded as missed.
    pub catches_up: bool,
    /// When it fires next; null if it does not within four years.
    pub next_at: Option<Timestamp>,
    /// The last time, and the result; null if no host has seen the schedule yet.
    pub last: Option<LastTime>,
}

/// The last time of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LastTime {
    /// The time.
    pub at: Timestamp,
    /// The result.
    pub result: TimeResult,
    /// The event that was fired; null if none was, or one for each member.
    pub event: Option<EventKey>,
}

/// The result of a time of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeResult {
    /// It was fired.
    Fired,
    /// No host ran, and the schedule does not catch up.
    Missed,
    /// The schedule was seen for the first time, or with other times; it fires from then on.
    Started,
}

impl Setup {
    /// The schedules of the live rules, in their order.
    pub async fn schedules(&self) -> Result<Vec<ScheduleState>, StoreError> {
        let now = self.operate.now();
        let last = self.operate.store.last_slots(now).await?;
        let catalog = self.live.current();
        Ok(catalog.schedules.iter().map(|schedule| state(schedule, last.get(&schedule.name), now)).collect())
    }
}

fn state(schedule: &Schedule, last: Option<&LastSlot>, now: Timestamp) -> ScheduleState {
    ScheduleState {
        name: schedule.name.clone(),
        cron: schedule.cron.clone(),
        kind: schedule.kind.clone(),
        expiring_windows_of: match &schedule.for_each {
            None => Vec::new(),
            Some(ForEach::ExpiringWindows(groups)) => groups.clone(),
        },
        catches_up: schedule.missed == Missed::CatchUp,
        next_at: schedule.next(now),
        last: last.map(|last| LastTime {
            at: last.slot,
            result: match last.outcome {
                SlotOutcome::Start => TimeResult::Started,
                SlotOutcome::Fired => TimeResult::Fired,
                SlotOutcome::Missed => TimeResult::Missed,
            },
            event: match last.outcome {
                SlotOutcome::Fired => fired_at(schedule, last.slot),
                SlotOutcome::Start | SlotOutcome::Missed => None,
            },
        }),
    }
}
