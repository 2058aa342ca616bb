//! A batch: events read evenly from the lanes, as many as fit into one transaction.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

use hookswitch_core::{
    catalog::{Catalog, InForce},
    decide::plugin::CALLS,
    domain::Lane,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    Cursor, Routing, State,
    aside::{PATIENCE, places},
    calls::{Answer, asked_by, decide_all, plugins},
    work::{Entry, Item, Key, Origin, SetAside, Work},
    write::Written,
};
use crate::{
    lanes::Unread,
    store::{LoggedEvent, StoreError},
};

/// Number of events read at a time, evenly from the lanes.
const BATCH: usize = 512;
/// Minimum number of events read per lane.
const PER_LANE: usize = 8;
/// Maximum size of payloads read at a time, in bytes.
const BYTES: usize = 8 * 1024 * 1024;

/// The started calls of a batch.
struct Called {
    open: usize,
    answers: HashMap<Key, Option<Work>>,
}

/// An event of a batch that has not been decided or set aside yet.
enum Slot {
    Quick(Item),
    Called(Item),
    Aside(Item),
}

impl State {
    /// The first events after a death are known for the lanes read.
    fn has_read_orphans(&mut self) {
        let held = &self.held;
        self.orphans.retain(|lane| held.contains(lane));
    }
}

impl Routing {
    /// Routes one batch. Returns whether there may be more.
    pub(super) async fn route_batch(
        &self,
        state: &mut State,
        answering: &mpsc::UnboundedSender<Answer>,
    ) -> Result<bool, StoreError> {
        let (events, more) = self.read(state).await?;
        if events.is_empty() {
            state.has_read_orphans();
            return Ok(false);
        }
        let read = events.len();
        // All of them are decided by what is in force now.
        let in_force = self.catalog.in_force();
        if events.iter().any(|logged| !asked_by(&in_force, logged.lane, &logged.event.kind).is_empty()) {
            self.stop_plugins(&in_force).await?;
        }
        let entries = self.sort_out(state, events, &in_force, answering).await;
        let complete = entries.len() == read;
        state.has_read_orphans();
        let mut written = Written::default();
        self.write(state, entries, &mut written).await?;
        for (lane, seq) in &written.passed {
            if let Some(cursor) = state.cursors.get_mut(lane) {
                cursor.seq = cursor.seq.max(*seq);
            }
        }
        let unwritten = !complete || !written.left.is_empty();
        if unwritten {
            state.unread = Unread::All;
        }
        let more = more || unwritten;
        let told = mem::take(&mut written.told);
        written.settle(state);
        (self.notified)(told);
        Ok(more)
    }

    /// The next events, and whether there may be more.
    async fn read(&self, state: &mut State) -> Result<(Vec<LoggedEvent>, bool), StoreError> {
        let lanes = state.cursors.len().max(1);
        let fair = (BATCH / lanes).max(PER_LANE);
        let leases = self.leases.borrow().clone();
        state.unread.add(self.wake.take());
        let is_of_this_term = |lane: &Lane, cursor: &Cursor| {
            leases.lanes.get(lane).is_some_and(|held| held.number == cursor.term)
        };
        let places: Vec<(Lane, i64, usize)> = state
            .cursors
            .iter()
            .filter(|(lane, cursor)| {
                state.unread.has(**lane) && !state.held.contains(lane) && is_of_this_term(lane, cursor)
            })
            .map(|(lane, cursor)| (*lane, cursor.seq, cursor.share.max(fair)))
            .collect();
        if places.is_empty() {
            return Ok((Vec::new(), false));
        }
        let events = self.store.events_after(&places, BYTES, state.incarnation.as_ref()).await?;
        let mut read: HashMap<Lane, usize> = HashMap::new();
        for logged in &events {
            *read.entry(logged.lane).or_default() += 1;
        }
        let bytes: usize = events.iter().map(|logged| logged.event.data.get().len()).sum();
        let mut more = bytes >= BYTES;
        // A lane that is held is read when it is free.
        let mut unread: Unread = state.held.iter().copied().filter(|lane| state.unread.has(*lane)).collect();
        for (lane, _, share) in places {
            let Some(cursor) = state.cursors.get_mut(&lane) else { continue };
            let read = read.get(&lane).copied().unwrap_or(0);
            if read == share {
                more = true;
                unread.add([lane].into_iter().collect());
            }
            cursor.share = next_share(cursor, read, share, events.len());
        }
        if bytes < BYTES {
            state.unread = unread;
        }
        Ok((events, more))
    }

    /// Decides events that can be decided at once, and sets the rest aside.
    async fn sort_out(
        &self,
        state: &mut State,
        events: Vec<LoggedEvent>,
        in_force: &InForce,
        answering: &mpsc::UnboundedSender<Answer>,
    ) -> Vec<Entry> {
        let mut slots = Vec::with_capacity(events.len());
        let mut quick: Vec<(&Arc<Catalog>, Vec<LoggedEvent>)> =
            in_force.all().map(|catalog| (catalog, Vec::new())).collect();
        let mut calls: VecDeque<(Item, LoggedEvent)> = VecDeque::new();
        let began = Instant::now();
        for logged in events {
            let asks = asked_by(in_force, logged.lane, &logged.event.kind);
            let waits = state.aside.holds(logged.lane, logged.event.subject.as_deref());
            let item = Item {
                lane: logged.lane,
                seq: logged.seq,
                subject: logged.event.subject.clone(),
                suspect: asks.is_empty() && state.orphans.contains(&logged.lane),
                asks,
                parked: None,
            };
            if item.asks.is_empty() && !waits && !item.suspect {
                let catalog = in_force.of_event(logged.lane, &logged.event);
                let its = quick.iter_mut().find(|(known, _)| Arc::ptr_eq(known, catalog));
                if let Some((_, events)) = its {
                    events.push(logged);
                }
                slots.push(Slot::Quick(item));
            } else if !waits && !item.asks.is_empty() && state.aside.is_quick(&item.asks) {
                calls.push_back((item.clone(), logged));
                slots.push(Slot::Called(item));
            } else {
                slots.push(Slot::Aside(item));
            }
        }
        let mut called = Called { open: 0, answers: HashMap::new() };
        let most = places(CALLS, plugins(in_force));
        self.call_next(state, &mut calls, &mut called, most, in_force, answering);
        let mut works: HashMap<(Lane, i64), Work> = HashMap::new();
        for (catalog, events) in quick.into_iter().filter(|(_, events)| !events.is_empty()) {
            let decided = decide_all(catalog, events, self.store.now(), &self.observed()).await;
            works.extend(decided.into_iter().map(|work| (work.place(), work)));
        }
        // Events whose call has not begun or not ended by then are set aside.
        while called.open > 0 {
            let Ok(Some(answer)) = timeout_at(began + PATIENCE, state.answers.recv()).await else { break };
            match called.answers.get_mut(&answer.key) {
                Some(place) if answer.generation == state.generation => {
                    *place = Some(answer.work);
                    called.open -= 1;
                    self.call_next(state, &mut calls, &mut called, most, in_force, answering);
                }
                _ => state.take(answer),
            }
        }
        for slot in &slots {
            if let Slot::Called(item) = slot {
                let answered = called.answers.get(&item.key()).is_some_and(Option::is_some);
                state.aside.took(&item.asks, if answered { Duration::ZERO } else { Duration::MAX });
            }
        }
        entries(slots, &mut works, &mut called.answers)
    }

    /// Starts as many calls of this batch as there are places.
    fn call_next(
        &self,
        state: &State,
        calls: &mut VecDeque<(Item, LoggedEvent)>,
        called: &mut Called,
        most: usize,
        in_force: &InForce,
        answering: &mpsc::UnboundedSender<Answer>,
    ) {
        while called.open < most
            && let Some((item, logged)) = calls.pop_front()
        {
            let catalog = in_force.of_event(logged.lane, &logged.event).clone();
            self.call(state.generation, &item, logged, catalog, answering);
            called.answers.insert(item.key(), None);
            called.open += 1;
        }
    }
}

/// Doubles the share of a lane that has more events than its share while the batch has room; resets it otherwise, and for
/// all lanes if the batch is full.
fn next_share(cursor: &Cursor, read: usize, share: usize, all: usize) -> usize {
    if all > BATCH {
        cursor.share / 2
    } else if read == share && all < BATCH {
        (share * 2).min(BATCH)
    } else if read < share / 2 {
        0
    } else {
        cursor.share
    }
}

/// Decided events in the order of the log, without those that follow an undecided event of their subject. A lane ends at
/// the event that does not fit into the batch.
fn entries(
    slots: Vec<Slot>,
    works: &mut HashMap<(Lane, i64), Work>,
    called: &mut HashMap<Key, Option<Work>>,
) -> Vec<Entry> {
    let mut waiting: HashSet<(Lane, String)> = HashSet::new();
    let mut ended: HashSet<Lane> = HashSet::new();
    let mut entries = Vec::with_capacity(slots.len());
    for slot in slots {
        let (item, work, begun) = match slot {
            Slot::Quick(item) => {
                let work = works.remove(&(item.lane, item.seq));
                if work.is_none() {
                    ended.insert(item.lane);
                }
                (item, work, false)
            }
            Slot::Called(item) => match called.remove(&item.key()) {
                Some(answer) => (item, answer, true),
                None => (item, None, false),
            },
            Slot::Aside(item) => (item, None, false),
        };
        if ended.contains(&item.lane) {
            continue;
        }
        let subject = item.subject.clone().map(|subject| (item.lane, subject));
        let waits = subject.as_ref().is_some_and(|subject| waiting.contains(subject));
        match work {
            Some(work) if !waits => entries.push(Entry::Decided(Work { origin: Origin::Log, ..work })),
            answered => {
                waiting.extend(subject);
                entries.push(Entry::Aside(SetAside { item, begun, answered: answered.filter(|_| begun) }));
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(reads: &[(usize, usize)]) -> Vec<usize> {
        let mut cursor = Cursor { term: 1, seq: 0, share: 0 };
        let next = |(read, all): &(usize, usize)| {
            let share = cursor.share.max(PER_LANE);
            cursor.share = next_share(&cursor, (*read).min(share), share, *all);
            cursor.share.max(PER_LANE)
        };
        reads.iter().map(next).collect()
    }

    #[test]
    fn a_lane_that_is_alone_in_being_busy_is_read_faster() {
        let alone = [(usize::MAX, 8), (usize::MAX, 16), (usize::MAX, 32), (usize::MAX, 64), (3, 3)];
        assert_eq!(shares(&alone), [16, 32, 64, 128, PER_LANE]);
    }

    #[test]
    fn where_all_lanes_are_busy_each_has_its_share() {
        assert_eq!(shares(&[(usize::MAX, BATCH); 3]), [PER_LANE; 3]);
        let others_come =
            [(usize::MAX, 8), (usize::MAX, 16), (usize::MAX, BATCH + 8), (usize::MAX, BATCH + 8)];
        assert_eq!(shares(&others_come), [16, 32, 16, PER_LANE]);
    }
}
