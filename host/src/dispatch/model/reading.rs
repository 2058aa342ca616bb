//! What `reader` does, with all that may come between its statements.

use hookswitch_core::domain::{Priority, Track};

use super::{super::lines::Explained, Failed, READ, World};
use crate::store::{Checkpoint, Deferred, Due, Waiting};

impl World {
    pub(super) fn compare(&mut self, h: usize) -> Result<(), Failed> {
        let host = &mut self.hosts[h];
        let (taken, dropped) = host.book.readings.compare(&host.leases);
        if dropped {
            let readings = &host.book.readings;
            host.book.lines.retain_lanes(|lane| readings.hold(lane));
        }
        let taken: Vec<_> = taken.into_iter().filter(|(lane, _)| host.progress.idle(*lane)).collect();
        if taken.is_empty() {
            return Ok(());
        }
        let mut checkpoints = Vec::new();
        for (lane, _) in &taken {
            for track in Priority::ALL.map(|priority| Track::new(*lane, priority)) {
                let log = self.tables.log.range((track, 0)..=(track, i64::MAX));
                let end = log.last().map_or(0, |((_, seq), _)| *seq);
                let seq = self.tables.checkpoints.get(&track).copied().unwrap_or(0).min(end);
                checkpoints.push(Checkpoint { track, seq, end });
            }
        }
        self.between()?;
        let blocks = |row: &&Deferred| {
            row.reason.blocks_others() && taken.iter().any(|(lane, _)| *lane == row.track.lane())
        };
        let waiting = self.tables.deferred.values().filter(blocks).map(|row| Waiting {
            track: row.track,
            seq: row.seq,
            phone_number_id: row.phone_number_id.clone(),
            recipient: row.recipient.clone(),
            due_at: row.due_at,
            reason: row.reason,
        });
        let waiting = waiting.collect();
        let book = &mut self.hosts[h].book;
        book.lines.wait(waiting);
        book.readings.begin(&taken, &checkpoints);
        Ok(())
    }

    pub(super) fn read_log(&mut self, h: usize) -> Result<(), Failed> {
        let cursors = self.hosts[h].book.readings.cursors(|_| true);
        let mut read = Vec::new();
        for (track, seq) in cursors {
            let after = self.tables.log.range((track, seq + 1)..=(track, i64::MAX)).take(READ);
            read.extend(after.map(|(_, logged)| logged.clone()));
        }
        read.sort_by_key(|logged| logged.seq);
        self.between()?;
        let readings = &self.hosts[h].book.readings;
        let begun: Vec<_> = read.iter().filter(|l| readings.maybe_begun((l.track, l.seq))).cloned().collect();
        let histories = self.tables.histories(begun.iter().map(|logged| logged.notification.id));
        self.between()?;
        let places = begun.iter().map(|logged| (logged.track, logged.seq));
        let deferred = places.filter(|place| self.tables.deferred.contains_key(place)).collect();
        let (now, host) = (self.time(), &mut self.hosts[h]);
        host.book.take_in(read.into_iter().map(Ok).collect(), &histories, &deferred, now);
        host.hand_in();
        Ok(())
    }

    pub(super) fn read_due(&mut self, h: usize) -> Result<(), Failed> {
        let now = self.time();
        let book = &self.hosts[h].book;
        let mut due: Vec<&Deferred> = self
            .tables
            .deferred
            .values()
            .filter(|row| row.due_at <= now && book.readings.hold(row.track.lane()))
            // Of a row that the standby lacked only this is left.
            .filter(|row| self.tables.log.contains_key(&(row.track, row.seq)))
            .filter(|row| !book.lines.know((row.track, row.seq)))
            .collect();
        due.sort_by_key(|row| (row.due_at, row.seq));
        let is_all = due.len() <= READ;
        due.truncate(READ);
        let mut due: Vec<Due> = due
            .into_iter()
            .map(|row| Due {
                logged: Ok(self.tables.log[&(row.track, row.seq)].clone()),
                attempt: row.attempt,
                failures: row.failures,
                reason: row.reason,
            })
            .collect();
        due.sort_by_key(|due| due.logged.as_ref().unwrap().seq);
        self.between()?;
        let ids = due.iter().map(|due| due.logged.as_ref().unwrap().notification.id);
        let histories = self.tables.histories(ids);
        let book = &mut self.hosts[h].book;
        book.take_due(due, &histories, now);
        book.due_is_read(now, |_, _| is_all);
        self.hosts[h].hand_in();
        Ok(())
    }

    pub(super) fn resolve_unknown(&mut self, h: usize) -> Result<(), Failed> {
        let now = self.time();
        let ids: Vec<_> = self.hosts[h].book.lines.unknown().map(|(id, _)| id).collect();
        let histories = self.tables.histories(ids.into_iter());
        let explained = self.hosts[h].book.explain(&histories, now);
        self.hosts[h].hand_in();
        self.between()?;
        for Explained { unknown, before } in explained {
            for row in self.tables.deferred.values_mut() {
                let is_behind = row.reason.follows_others() && before.is_none_or(|before| row.seq < before);
                let is_of_line =
                    *row.recipient == *unknown.line.recipient && *row.phone_number_id == *unknown.line.number;
                if is_behind && is_of_line && row.track == unknown.place.0 {
                    row.due_at = row.due_at.min(now);
                }
            }
        }
        Ok(())
    }
}
