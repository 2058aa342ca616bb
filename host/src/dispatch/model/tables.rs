//! The tables, and what the statements do to them.

use std::collections::{BTreeMap, HashMap};

use hookswitch_core::domain::{Delivery, NotificationId, Track};

use super::super::{
    job::Place,
    recover::{resolved, taken},
    writer::Write,
};
use crate::store::{Deferred, Histories, LoggedNotification};

/// What PostgreSQL has.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) log: BTreeMap<Place, LoggedNotification>,
    pub(super) deliveries: HashMap<NotificationId, Vec<Delivery>>,
    pub(super) deferred: BTreeMap<Place, Deferred>,
    pub(super) checkpoints: BTreeMap<Track, i64>,
}

impl Tables {
    pub(super) fn histories(&self, ids: impl Iterator<Item = NotificationId>) -> Histories {
        ids.flat_map(|id| self.deliveries.get(&id).cloned().unwrap_or_default()).collect()
    }

    pub(super) fn append(&mut self, row: Delivery) -> bool {
        let rows = self.deliveries.entry(row.notification_id).or_default();
        let is_new = !rows.iter().any(|r| (r.attempt, r.status) == (row.attempt, row.status));
        if is_new {
            rows.push(row);
        }
        is_new
    }

    pub(super) fn settle(&mut self, write: &Write) {
        for row in &write.deliveries {
            self.append(row.clone());
        }
        if let Some(row) = &write.deferred {
            let place = (row.track, row.seq);
            if self.deferred.get(&place).is_none_or(|old| old.attempt <= row.attempt) {
                self.deferred.insert(place, row.clone());
            }
        }
        if let Some(done) = &write.done
            && let Some(row) = self.deferred.get(&done.place).filter(|row| row.attempt <= done.attempt)
            && let Some(history) = self.deliveries.get(&row.notification_id)
            && (taken(history) || resolved(history, done.attempt))
        {
            self.deferred.remove(&done.place);
        }
    }
}
