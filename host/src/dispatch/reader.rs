//! Reads what is to be sent: the log after the cursors, and what waited and is due.
//!
//! Each reading has two halves. First all queries: where one of them fails, nothing has changed. Then what they told is
//! taken in at once, in the order of the log, and the cursors move.

use hookswitch_core::domain::{Lane, Priority, WaitReason};
use jiff::Timestamp;

use super::{book::ROOM, job::Place, state::Dispatch};
use crate::{
    lanes::{Term, Unread},
    store::{Behind, DueLimits, Incarnation, Searched, StoreError},
};

/// With fewer jobs than this of a priority in memory the log is read on: each has its room, so that none waits for
/// another's.
const REFILL: usize = 1_024;
/// So many are searched beyond these between two polls, and read past, to find those of other numbers.
const SEARCH: usize = 8_192;
/// At least so many of a priority are read at once, evenly from the lanes, and as many as there is room for: where a number
/// is slow, no other message waits for a long reading.
const READ: usize = 128;
/// At least so many from each track.
const PER_TRACK: usize = 2;
/// So many of what is due are read at once, of each priority and sending number.
const DUE: usize = 1_024;
/// With as many jobs of a priority and a number in memory no more of what is due is read.
const QUEUE: usize = 2_048;

impl Dispatch {
    /// Begins to read lanes that this host has taken, from what the database has.
    pub(super) async fn take_up(
        &mut self,
        lanes: Vec<(Lane, Term)>,
        incarnation: Option<&Incarnation>,
    ) -> Result<(), StoreError> {
        if lanes.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = lanes.iter().map(|(lane, _)| *lane).collect();
        // What comes to wait after this look is seen as it is read from the log.
        let checkpoints = self.store.checkpoints(&ids, incarnation).await?;
        if checkpoints.is_empty() {
            // Another server answers; the next heartbeat tells which.
            return Ok(());
        }
        let waiting = self.store.waiting(&ids).await?;
        self.book.lines.wait(waiting);
        self.book.readings.begin(&lanes, &checkpoints);
        self.look_into(lanes.iter().map(|(lane, _)| *lane).collect());
        Ok(())
    }

    /// The log may have grown in these lanes.
    pub(super) fn look_into(&mut self, lanes: Unread) {
        self.unread.add(lanes);
        (self.more, self.unsearched) = ([true; 3], [true; 3]);
    }

    fn is_crowded(&self, priority: Priority) -> bool {
        self.book.standing(priority) >= REFILL
    }

    /// Whether to search beyond what there is room for.
    fn may_search(&self, priority: Priority) -> bool {
        self.book.several_numbers && self.unsearched[priority as usize] && self.book.searched < SEARCH
    }

    /// Where to read on, where there may be more and is room for it, and how many from each track at most: as the priority
    /// with the least room has it.
    fn cursors(&self) -> (Vec<Place>, usize) {
        let (mut cursors, mut each) = (Vec::new(), usize::MAX);
        for priority in Priority::ALL {
            let of_it = match self.is_crowded(priority) {
                true if self.book.searched < SEARCH => self.book.readings.cursors_to_found(priority),
                false if self.more[priority as usize] => {
                    self.book.readings.cursors(|of| of.priority() == priority && self.unread.has(of.lane()))
                }
                _ => continue,
            };
            let room = REFILL.saturating_sub(self.book.standing(priority)).max(READ);
            each = each.min(room / of_it.len().max(1)).max(PER_TRACK);
            cursors.extend(of_it);
        }
        (cursors, each)
    }

    /// Whether there may be more in the log that there is room for.
    pub(super) fn can_read_on(&self) -> bool {
        let may_search = |priority| self.is_crowded(priority) && self.may_search(priority);
        let is_more = Priority::ALL.into_iter().any(may_search) || !self.cursors().0.is_empty();
        is_more && !self.book.readings.held().is_empty()
    }

    /// With several sending numbers, looks whether beyond what there is room for there is something of a number that has
    /// room.
    async fn search(&mut self) -> Result<(), StoreError> {
        for priority in Priority::ALL {
            let is_found = !self.book.readings.cursors_to_found(priority).is_empty();
            if is_found || !self.is_crowded(priority) || !self.may_search(priority) {
                continue;
            }
            let from = self.book.readings.search_from(priority);
            let each = (REFILL / from.len().max(1)).max(PER_TRACK);
            let full = self.book.full(ROOM).into_iter().filter(|(of, _)| *of == priority);
            let full: Vec<String> = full.map(|(_, number)| number.to_string()).collect();
            let searched = self.store.others_after(&from, each, &full).await?;
            self.unsearched[priority as usize] = searched.iter().any(|searched| searched.count >= each);
            for Searched { track, to, found, count } in searched {
                self.book.searched += count;
                self.book.readings.searched((track, to), found);
            }
        }
        Ok(())
    }

    /// Reads on in the log where there is room.
    pub(super) async fn read_log(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.search().await?;
        let (cursors, each) = self.cursors();
        if cursors.is_empty() {
            return Ok(());
        }
        let read = self.store.notifications_after(&cursors, each).await?;
        let mut counts = [0; 3];
        let is_crowded = Priority::ALL.map(|priority| self.is_crowded(priority));
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
        for priority in Priority::ALL.into_iter().filter(|priority| !is_crowded[*priority as usize]) {
            self.more[priority as usize] = counts[priority as usize] >= each;
        }
        if self.more == [false; 3] {
            self.unread = Unread::default();
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
        self.book.due_is_read(now, |priority, number| {
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
        let behind = explained.iter().map(|explained| Behind {
            track: explained.unknown.place.0,
            phone_number_id: &explained.unknown.line.number,
            recipient: &explained.unknown.line.recipient,
            before: explained.before,
        });
        self.store.hasten(&behind.collect::<Vec<_>>(), now).await
    }
}
