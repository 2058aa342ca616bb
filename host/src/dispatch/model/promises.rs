//! What must hold in the end.

use std::collections::{HashMap, HashSet};

use hookswitch_core::domain::{Status, Track, status_of};

use super::{super::job::Place, Dangers, World};
use crate::store::LoggedNotification;

impl World {
    pub(super) fn is_settled(&self, logged: &LoggedNotification) -> bool {
        let history = self.tables.deliveries.get(&logged.notification.id);
        history.is_some_and(|history| status_of(history) >= Status::Accepted)
    }

    /// Nothing goes wrong any more: all comes to its end.
    pub(super) fn finish(&mut self, seed: u64) {
        self.dangers = Dangers { errors: 0.0, disasters: 0.0 };
        self.is_over = true;
        for n in 0..30_000 {
            if n % 50 == 0 && self.tables.log.values().all(|logged| self.is_settled(logged)) {
                return;
            }
            for lane in World::lanes() {
                if !self.owner.contains_key(&lane) {
                    self.move_lane(lane, 0);
                }
            }
            self.step();
        }
        let open: Vec<_> = self.tables.log.values().filter(|logged| !self.is_settled(logged)).collect();
        let of = |logged: &LoggedNotification| {
            let place = (logged.track, logged.seq);
            let history = self.tables.deliveries.get(&logged.notification.id);
            let history: Vec<_> =
                history.into_iter().flatten().map(|row| (row.attempt, row.status)).collect();
            (place, history, self.tables.deferred.get(&place).map(|row| (row.due_at, row.reason)))
        };
        let first: Vec<_> = open.iter().take(3).map(|logged| of(logged)).collect();
        panic!("seed {seed}: {} of {} are skipped: {first:?}", open.len(), self.tables.log.len());
    }

    pub(super) fn none_was_sent_twice_without_an_intent(&self, seed: u64) {
        let mut seen = HashSet::new();
        for (place, id, attempt) in &self.sends {
            assert!(
                seen.insert((id, attempt)) || self.lost.contains(id),
                "seed {seed}: {place:?} was sent twice as attempt {attempt}"
            );
        }
    }

    /// Of one recipient and priority a later message is sent only after the last attempt at each earlier one, but for those
    /// that have a time of their own or were stopped.
    pub(super) fn order_was_kept(&self, seed: u64) {
        let mut first: HashMap<Place, usize> = HashMap::new();
        let mut last: HashMap<Place, usize> = HashMap::new();
        for (n, (place, ..)) in self.sends.iter().enumerate() {
            first.entry(*place).or_insert(n);
            last.insert(*place, n);
        }
        let mut before: HashMap<(Track, &str, &str), (usize, i64)> = HashMap::new();
        for (place, logged) in
            self.tables.log.iter().filter(|(_, logged)| logged.notification.send_at.is_none())
        {
            if self.stopped.contains(&logged.notification.id) {
                continue;
            }
            let recipient = logged.notification.recipient.as_deref().unwrap();
            let line = (place.0, &*logged.notification.phone_number_id, recipient);
            if let (Some(first), Some(last)) = (first.get(place), last.get(place)) {
                if let Some((earlier, seq)) = before.get(&line) {
                    assert!(earlier < first, "seed {seed}: {place:?} overtook {seq}");
                }
                before.insert(line, (*last, place.1));
            }
        }
    }
}
