//! Reads what is to be sent: the log after the cursors, and what waited and is due.
//!
//! Each reading has two halves. First all queries: where one of them fails, nothing has changed. Then what they told is
//! taken in at once, in the order of the log, and the cursors move.

use hookswitch_core::domain::{Lane, Priority, WaitReason};
use jiff::Timestamp;

use super::state::Dispatch;
use crate::{
    lanes::Term,
    store::{DueLimits, StoreError},
};

/// With fewer jobs than this of a priority in memory the log is read on: each has its room, so that none waits for
/// another's.
const REFILL: usize = 1_024;
/// So many that are crowded out by their own number's are read past between two polls, to find those of other numbers.
const CROWDED_OUT: usize = 8_192;
/// So many of a priority are read at once, evenly from the lanes.
const READ: usize = 1_024;
/// At least so many from each track.
const PER_TRACK: usize = 8;
/// So many of what is due are read at once, of each priority and sending number.
const DUE: usize = 1_024;
/// With as many jobs of a priority and a number in memory no more of what is due is read.
const QUEUE: usize = 2_048;

impl Dispatch {
    /// Begins to read lanes that this host has taken, from what the database has.
    pub(super) async fn take_up(&mut self, lanes: Vec<(Lane, Term)>) -> Result<(), StoreError> {
        if lanes.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = lanes.iter().map(|(lane, _)| *lane).collect();
        // What comes to wait after this look is seen as it is read from the log.
        let checkpoints = self.store.checkpoints(&ids).await?;
        let waiting = self.store.waiting(&ids).await?;
        self.book.lines.wait(waiting);
        self.book.readings.begin(&lanes, &checkpoints);
        self.more = [true; 3];
        Ok(())
    }

    /// The priorities of which there may be more in the log, and is room for it.
    fn wanted(&self) -> Vec<Priority> {
        let mut wanted = Priority::ALL.to_vec();
        let is_searched = self.book.several_numbers && self.book.crowded_out < CROWDED_OUT;
        wanted.retain(|priority| {
            self.more[*priority as usize] && (is_searched || self.book.standing(*priority) < REFILL)
        });
        wanted
    }

    /// Whether there may be more in the log that there is room for.
    pub(super) fn can_read_on(&self) -> bool {
        !self.wanted().is_empty() && !self.book.readings.held().is_empty()
    }

    /// Reads on in the log where there is room.
    pub(super) async fn read_log(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let wanted = self.wanted();
        let cursors = self.book.readings.cursors(|priority| wanted.contains(&priority));
        if cursors.is_empty() {
            return Ok(());
        }
        let each = (READ * wanted.len() / cursors.len()).max(PER_TRACK);
        let read = self.store.notifications_after(&cursors, each).await?;
        let mut counts = [0; 3];
        let begun: Vec<_> = read
            .iter()
            .map(|logged| match logged {
                Ok(logged) => ((logged.track, logged.seq), logged.notification.id),
                Err(unreadable) => ((unreadable.track, unreadable.seq), unreadable.id),
            })
            .inspect(|((track, _), _)| counts[track.priority() as usize] += 1)
            .filter(|(place, _)| self.book.readings.maybe_begun(*place))
            .collect();
        let (places, ids): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
        let histories = self.store.histories(&ids).await?;
        // After the histories: what is settled meanwhile was in them or waits here.
        let deferred = match places.is_empty() {
            true => Default::default(),
            false => self.store.deferred_places(&places).await?,
        };
        self.book.take_in(read, &histories, &deferred, now);
        for priority in wanted {
            self.more[priority as usize] = counts[priority as usize] >= each;
        }
        self.write();
        Ok(())
    }

    /// Reads what waited and is due, and lets lines go on for which nothing waits any more.
    pub(super) async fn read_due(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let lanes = self.book.readings.held();
        if lanes.is_empty() {
            return Ok(());
        }
        let full = self.book.full(QUEUE);
        let limits = DueLimits {
            each: DUE,
            but: self.book.lines.places().map(|(_, seq)| seq).collect(),
            full: full.iter().map(|(priority, number)| (*priority, number.to_string())).collect(),
        };
        let due = self.store.due(&lanes, now, &limits).await?;
        let tried = due.iter().filter_map(|due| match &due.logged {
            Ok(logged) if due.attempt > 1 || due.reason != WaitReason::SendAt => Some(logged.notification.id),
            _ => None,
        });
        let histories = self.store.histories(&tried.collect::<Vec<_>>()).await?;
        let mut read = std::collections::HashMap::new();
        for due in &due {
            let (track, number) = match &due.logged {
                Ok(logged) => (logged.track, &logged.notification.phone_number_id),
                Err(unreadable) => (unreadable.track, &unreadable.phone_number_id),
            };
            *read.entry((track.priority(), number.clone())).or_insert(0) += 1;
        }
        self.book.take_due(due, &histories, now);
        self.book.lines.due_is_read(now, |priority, number| {
            let is_full = full.contains(&(priority, number.into()));
            !is_full && read.get(&(priority, number.to_owned())).is_none_or(|count| *count < DUE)
        });
        self.write();
        Ok(())
    }

    /// Looks whether a webhook has told what became of sends that got no answer, so that their recipients' next messages
    /// need not wait for the whole time.
    pub(super) async fn resolve_unknown(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let ids: Vec<_> = self.book.lines.unknown().map(|(id, _)| id).collect();
        let histories = self.store.histories(&ids).await?;
        let explained = self.book.explain(&histories, now);
        self.write();
        if explained.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> =
            explained.iter().map(|u| (u.place.0, &*u.line.number, &*u.line.recipient)).collect();
        self.store.hasten(&lines, now).await
    }
}
