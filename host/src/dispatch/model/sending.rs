//! What `sender` and `writer` do, with answers that are lost.

use std::collections::HashSet;

use hookswitch_core::domain::{Status, WaitReason};
use jiff::SignedDuration;
use rand::{Rng, seq::IndexedRandom};

use super::{
    super::{
        book::Wait,
        settle::{self, Settled},
    },
    Failed, NUMBERS, UNKNOWN_FOR, World,
};
use crate::whatsapp::NumberEffect;

impl World {
    pub(super) fn take(&mut self, h: usize) {
        let number = (*NUMBERS.choose(&mut self.rng).unwrap()).into();
        let mut batch = Vec::new();
        while batch.len() < 3
            && let Some(job) = self.hosts[h].book.lines.take(&number, true)
        {
            let host = &mut self.hosts[h];
            if !host.book.readings.are_current(job.logged.track.lane(), &host.leases) {
                host.book.lines.put_back(job);
                break;
            }
            batch.push(job);
        }
        if !batch.is_empty() {
            self.hosts[h].intending.push_back(batch);
        }
    }

    /// The statement that appends intents: its answer may be lost, before or after the commit.
    pub(super) fn intend(&mut self, h: usize) {
        let Some(batch) = self.hosts[h].intending.pop_front() else { return };
        let now = self.time();
        let fails = self.chance(self.dangers.errors);
        if fails && self.chance(0.5) {
            self.hosts[h].intended.push_back((batch, None));
            return;
        }
        let mut ours = HashSet::new();
        for job in &batch {
            let id = job.logged.notification.id;
            let is_begun = self.tables.deliveries.get(&id).is_some_and(|rows| {
                rows.iter().any(|row| (row.attempt, row.status) == (job.attempt, Status::Sending))
            });
            if !self.is_over && !is_begun && self.chance(0.05) {
                self.hosts[h].stopped.insert(id);
                self.stopped.insert(id);
            } else if self.tables.append(settle::row(job, Status::Sending, now)) {
                ours.insert(id);
            }
        }
        self.hosts[h].intended.push_back((batch, (!fails).then_some(ours)));
    }

    pub(super) fn take_intended(&mut self, h: usize) -> Result<(), Failed> {
        let Some((batch, ours)) = self.hosts[h].intended.pop_front() else { return Ok(()) };
        let now = self.time();
        let host = &mut self.hosts[h];
        let Some(ours) = ours else {
            for job in &batch {
                host.stopped.remove(&job.logged.notification.id);
                host.book.written(job.place());
            }
            return Err(Failed);
        };
        for job in batch {
            if host.stopped.remove(&job.logged.notification.id) {
                let wait = Wait::new(now + UNKNOWN_FOR, WaitReason::Stopped, "stopped");
                host.book.wait(&job, wait, now);
            } else if !ours.contains(&job.logged.notification.id) {
                host.book.unknown(&job, now + UNKNOWN_FOR, None, now);
            } else if host.book.readings.are_current(job.logged.track.lane(), &host.leases) {
                self.sends.push((job.place(), job.logged.notification.id, job.attempt));
                host.sent.push(job);
            } else {
                let deliveries = vec![settle::row(&job, Status::Retrying, now)];
                let deferred = settle::deferred(&job, now, job.attempt + 1, WaitReason::Retry);
                let settled = Settled { deliveries, deferred: Some(deferred), number: NumberEffect::None };
                host.book.settle(&job, settled, None, now);
            }
        }
        host.hand_in();
        Ok(())
    }

    pub(super) fn answer(&mut self, h: usize) {
        if self.hosts[h].sent.is_empty() {
            return;
        }
        let at = self.rng.random_range(0..self.hosts[h].sent.len());
        let job = self.hosts[h].sent.swap_remove(at);
        let now = self.time();
        let settled = match self.rng.random_range(0..10) {
            0 => {
                // No answer; a webhook may tell.
                if self.chance(0.5) {
                    self.tables.append(settle::row(&job, Status::Sent, now));
                }
                let deferred = settle::deferred(&job, now + UNKNOWN_FOR, job.attempt, WaitReason::Unknown);
                (Status::Unknown, Some(deferred))
            }
            1 | 2 => {
                let wait = SignedDuration::from_secs(self.rng.random_range(0..100));
                let reason = *[WaitReason::Retry, WaitReason::Pair].choose(&mut self.rng).unwrap();
                (Status::Retrying, Some(settle::deferred(&job, now + wait, job.attempt + 1, reason)))
            }
            _ => (Status::Accepted, None),
        };
        let deliveries = vec![settle::row(&job, settled.0, now)];
        let settled = Settled { deliveries, deferred: settled.1, number: NumberEffect::None };
        let host = &mut self.hosts[h];
        host.book.settle(&job, settled, None, now);
        host.hand_in();
    }

    /// The writer writes some of what it has.
    pub(super) fn commit(&mut self, h: usize) {
        let count = self.rng.random_range(0..=self.hosts[h].writes.len());
        let host = &mut self.hosts[h];
        for write in host.writes.drain(..count) {
            self.tables.settle(&write);
            host.written.extend(write.written);
        }
    }

    pub(super) fn take_written(&mut self, h: usize) {
        let host = &mut self.hosts[h];
        while let Some(place) = host.written.pop_front() {
            host.book.written(place);
        }
    }
}
