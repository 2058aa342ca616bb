//! Fires schedules: of all hosts, one takes each slot, in the transaction that appends its events.

use std::{collections::HashMap, sync::Arc, time::Duration};

use hookswitch_core::{
    catalog::{ForEach, Live, Missed, Schedule},
    domain::EventKey,
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::emit::{SOURCE, SystemEvent, new_events, scheduled, window_expiring};
use crate::store::{LastSlot, SlotOutcome, Store, StoreError};

/// Schedules may change, and clocks may be set: so often is looked at them at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A slot that is older is missed.
const LATE: SignedDuration = SignedDuration::from_secs(60);
/// So many missed slots are caught up with, the latest.
const CATCH_UP: usize = 100;
/// Slots that are older are not caught up with.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Fires schedules.
pub struct Scheduler {
    /// The database.
    pub store: Store,
    /// The rules, and with them the schedules.
    pub catalog: Arc<Live>,
    /// Called when the event log has grown.
    pub grew: Arc<dyn Fn() + Send + Sync>,
}

impl Scheduler {
    /// Fires until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        // As last read; another host may be further, which the unique key tells.
        let mut known: Option<HashMap<String, LastSlot>> = None;
        loop {
            if let Err(error) = self.look(&mut known).await {
                tracing::warn!(%error, "failed to fire schedules; trying again");
                known = None;
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn look(&self, known: &mut Option<HashMap<String, LastSlot>>) -> Result<(), StoreError> {
        let catalog = self.catalog.current();
        if catalog.schedules.is_empty() {
            return Ok(());
        }
        // The database's clock: a host whose own is wrong fires nothing too early, nor again.
        let now = self.store.now();
        for schedule in &catalog.schedules {
            let last = match known {
                Some(known) => known.get(&schedule.name),
                None => known.insert(self.store.last_slots(now).await?).get(&schedule.name),
            };
            for (slot, outcome) in due(schedule, last, now) {
                let slot = LastSlot { slot, outcome, cron: schedule.cron.clone() };
                let events = match outcome {
                    SlotOutcome::Fired => self.events(schedule, slot.slot, now).await?,
                    SlotOutcome::Start | SlotOutcome::Missed => Vec::new(),
                };
                let taken = self.store.take_slot(&schedule.name, &slot, &new_events(&events)).await?;
                if taken {
                    tracing::info!(
                        schedule = schedule.name, slot = %slot.slot, ?outcome, events = events.len(), "schedule"
                    );
                    if !events.is_empty() {
                        (self.grew)();
                    }
                }
                if let Some(known) = known {
                    known.insert(schedule.name.clone(), slot);
                }
            }
        }
        Ok(())
    }

    async fn events(
        &self,
        schedule: &Schedule,
        slot: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SystemEvent>, StoreError> {
        Ok(match &schedule.for_each {
            None => scheduled(schedule, slot).into_iter().collect(),
            Some(ForEach::ExpiringWindows(groups)) => {
                let told = (SOURCE, schedule.kind.as_str());
                let windows = self.store.expiring_windows(groups, told, slot, now).await?;
                windows.iter().filter_map(|window| window_expiring(&schedule.kind, window, slot)).collect()
            }
        })
    }
}

/// The event that a schedule fires at this time, if it fires one event and not one for each of something.
pub fn fired_at(schedule: &Schedule, slot: Timestamp) -> Option<EventKey> {
    match &schedule.for_each {
        None => scheduled(schedule, slot).map(|made| made.event.key),
        Some(ForEach::ExpiringWindows(_)) => None,
    }
}

/// What is to be done now: slots in their order. Several that are missed are told as one, the latest.
fn due(schedule: &Schedule, last: Option<&LastSlot>, now: Timestamp) -> Vec<(Timestamp, SlotOutcome)> {
    // A schedule that is new, or has other times than before, owes nothing for the time before.
    let Some(last) = last.filter(|last| last.cron == schedule.cron) else {
        return vec![(now, SlotOutcome::Start)];
    };
    let mut slots = Vec::new();
    let mut at = last.slot.max(now - LOOK_BACK);
    while let Some(next) = schedule.next(at).filter(|next| *next <= now) {
        slots.push(next);
        at = next;
    }
    let missed = match schedule.missed {
        Missed::Skip => slots.partition_point(|slot| *slot < now - LATE),
        Missed::CatchUp => slots.len().saturating_sub(CATCH_UP),
    };
    let fired = slots.split_off(missed);
    let missed = slots.pop().map(|slot| (slot, SlotOutcome::Missed));
    missed.into_iter().chain(fired.into_iter().map(|slot| (slot, SlotOutcome::Fired))).collect()
}
