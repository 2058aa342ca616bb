//! Events set aside: those that wait for a plugin, or for an earlier event of their subject. Pure: decides which call
//! begins when, and which answer may be written.
//!
//! Each set of plugins has its own places, so that a plugin that hangs takes none from another. Calls of one subject run
//! in parallel; their answers are written in the order of the log.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use hookswitch_core::domain::Lane;

use super::work::{Item, Key};
use crate::store::ParkedRow;

/// Maximum time that a batch waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);
/// Minimum number of events of one set of plugins decided at a time.
const FEWEST_PLACES: usize = 4;

/// Number of events of one set of plugins decided at a time, of `most` over all plugins.
pub(super) fn places(most: usize, plugins: usize) -> usize {
    (most / plugins.max(1)).max(FEWEST_PLACES)
}

/// Waiting events, by subject.
type Subjects = HashMap<(Lane, String), BTreeSet<i64>>;

/// Waiting events; `A` is an answer.
pub(super) struct Aside<A> {
    /// Not begun, by the plugins that they call.
    waiting: BTreeMap<String, BTreeMap<Key, Item>>,
    /// Not begun, to be decided alone.
    suspects: BTreeMap<Key, Item>,
    running: HashMap<Key, Item>,
    answered: BTreeMap<Key, (Item, A)>,
    subjects: Subjects,
    /// Plugins whose last answer was slow: batches do not wait for them.
    slow: HashSet<String>,
}

impl<A> Default for Aside<A> {
    fn default() -> Aside<A> {
        Aside {
            waiting: BTreeMap::new(),
            suspects: BTreeMap::new(),
            running: HashMap::new(),
            answered: BTreeMap::new(),
            subjects: HashMap::new(),
            slow: HashSet::new(),
        }
    }
}

impl<A> Aside<A> {
    /// Adds an event that is not begun. Returns whether it is new.
    pub(super) fn add(&mut self, item: Item) -> bool {
        if self.knows(&item) {
            return false;
        }
        self.note(&item);
        let queue = match item.suspect {
            true => &mut self.suspects,
            false => self.waiting.entry(item.asks.clone()).or_default(),
        };
        queue.insert(item.key(), item);
        true
    }

    /// Adds an event that is being decided.
    pub(super) fn add_running(&mut self, item: Item) {
        self.note(&item);
        self.running.insert(item.key(), item);
    }

    /// Adds a decided event that waits to be written.
    pub(super) fn add_answered(&mut self, item: Item, answer: A) {
        self.note(&item);
        self.answered.insert(item.key(), (item, answer));
    }

    fn note(&mut self, item: &Item) {
        if let Some(subject) = &item.subject {
            self.subjects.entry((item.lane, subject.clone())).or_default().insert(item.seq);
        }
    }

    fn knows(&self, item: &Item) -> bool {
        let key = item.key();
        self.running.contains_key(&key)
            || self.answered.contains_key(&key)
            || self.suspects.contains_key(&key)
            // Under whatever plugins it was added: other rules may be in force by now.
            || self.waiting.values().any(|queue| queue.contains_key(&key))
    }

    /// Whether an event must wait for an earlier one of its subject.
    pub(super) fn holds(&self, lane: Lane, subject: Option<&str>) -> bool {
        let subject = subject.filter(|_| !self.subjects.is_empty());
        subject.is_some_and(|subject| self.subjects.contains_key(&(lane, subject.to_owned())))
    }

    /// Whether a batch may wait briefly for an answer of these plugins.
    pub(super) fn is_quick(&self, asks: &str) -> bool {
        !self.slow.contains(asks)
            && self.suspects.is_empty()
            && self.busy(asks) == 0
            && !self.waiting.contains_key(asks)
    }

    /// Number of events being decided.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// The parked events being re-run.
    pub(super) fn running_parked(&self) -> impl Iterator<Item = &ParkedRow> {
        self.running.values().filter_map(|item| item.parked.as_ref())
    }

    fn busy(&self, asks: &str) -> usize {
        let running = self.running.values().filter(|item| item.asks == asks).count();
        running + self.answered.values().filter(|(item, _)| item.asks == asks).count()
    }

    fn is_head(&self, item: &Item) -> bool {
        let Some(subject) = &item.subject else { return true };
        let events = self.subjects.get(&(item.lane, subject.clone()));
        events.and_then(BTreeSet::first).is_none_or(|first| *first == item.seq)
    }

    /// Starts the next events to decide one after the other, at most `most`; also returns whether nothing else runs. An
    /// event that calls a plugin waits until nothing else runs, and is returned alone.
    pub(super) fn next_suspects(&mut self, most: usize) -> (Vec<Item>, bool) {
        let idle = self.running.is_empty();
        let asks_plugin = |item: &&Item| !item.asks.is_empty();
        let may_go = |item: &&Item| item.asks.is_empty() || idle;
        let first = self.suspects.values().find(|item| self.is_head(item) && may_go(item));
        let items: Vec<Item> = match first {
            None => Vec::new(),
            Some(item) if asks_plugin(&item) => vec![item.clone()],
            Some(_) => {
                let mut turns = Turns::default();
                let quick = self.suspects.values().filter(|item| item.asks.is_empty());
                quick.filter(|item| turns.next(&self.subjects, item)).take(most).cloned().collect()
            }
        };
        for item in &items {
            self.suspects.remove(&item.key());
            self.running.insert(item.key(), item.clone());
        }
        (items, idle)
    }

    /// Puts back suspects that were not decided.
    pub(super) fn put_back(&mut self, items: Vec<Item>) {
        for item in items {
            self.running.remove(&item.key());
            self.suspects.insert(item.key(), item);
        }
    }

    /// Starts the events whose calls may begin now: `at_once` of them, `most` at a time over all plugins. Also returns whether
    /// more could have begun.
    pub(super) fn startable(&mut self, most: usize, plugins: usize, at_once: usize) -> (Vec<Item>, bool) {
        let asks_plugin = |item: &Item| item.suspect && !item.asks.is_empty();
        if self.suspects.values().chain(self.running.values()).any(asks_plugin) {
            return (Vec::new(), false);
        }
        let places = places(most, plugins);
        let mut begun = Vec::new();
        let mut turns = Turns::default();
        for (asks, queue) in &self.waiting {
            let free = places.saturating_sub(self.busy(asks));
            // An event without plugins waits only for its subject, and must not take a place meanwhile.
            let ready = queue.values().filter(|item| !asks.is_empty() || turns.next(&self.subjects, item));
            begun.extend(ready.take(free).cloned().enumerate());
        }
        let are_left = begun.len() > at_once;
        // In turn, one of each set of plugins.
        begun.sort_by_key(|(turn, _)| *turn);
        let begun: Vec<Item> = begun.into_iter().map(|(_, item)| item).take(at_once).collect();
        for item in &begun {
            if let Some(queue) = self.waiting.get_mut(&item.asks) {
                queue.remove(&item.key());
            }
            self.running.insert(item.key(), item.clone());
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
        (begun, are_left)
    }

    /// Takes an answer; drops it if its event no longer waits.
    pub(super) fn answer(&mut self, key: Key, answer: A) {
        if let Some(item) = self.running.remove(&key) {
            self.answered.insert(key, (item, answer));
        }
    }

    /// Records how long plugins took.
    pub(super) fn took(&mut self, asks: &str, time: Duration) {
        if time > PATIENCE {
            self.slow.insert(asks.to_owned());
        } else {
            self.slow.remove(asks);
        }
    }

    /// Returns at most `limit` answers that may be written now, in the order of the log: no earlier event of the subject
    /// waits, and no two answers belong to one event.
    pub(super) fn writable(&mut self, limit: usize) -> Vec<(Item, A)> {
        let mut places = HashSet::new();
        let mut turns = Turns::default();
        let ready = self
            .answered
            .values()
            .filter(|(item, _)| turns.next(&self.subjects, item) && places.insert((item.lane, item.seq)));
        let keys: Vec<Key> = ready.take(limit).map(|(item, _)| item.key()).collect();
        keys.iter().filter_map(|key| self.answered.remove(key)).collect()
    }

    /// Removes an event that has been written.
    pub(super) fn done(&mut self, item: &Item) {
        self.running.remove(&item.key());
        self.answered.remove(&item.key());
        let Some(subject) = item.subject.clone().filter(|_| item.parked.is_none()) else { return };
        let subject = (item.lane, subject);
        if let Some(events) = self.subjects.get_mut(&subject) {
            events.remove(&item.seq);
            if events.is_empty() {
                self.subjects.remove(&subject);
            }
        }
    }

    /// Removes the events of lanes that this host no longer holds.
    pub(super) fn retain(&mut self, holds: impl Fn(Lane) -> bool) {
        self.waiting.values_mut().for_each(|queue| queue.retain(|_, item| holds(item.lane)));
        self.waiting.retain(|_, queue| !queue.is_empty());
        self.suspects.retain(|_, item| holds(item.lane));
        self.running.retain(|_, item| holds(item.lane));
        self.answered.retain(|_, (item, _)| holds(item.lane));
        self.subjects.retain(|(lane, _), _| holds(*lane));
    }
}

/// Order of turns: the first event of each subject, then the second of each, and so on.
#[derive(Default)]
struct Turns {
    taken: HashMap<(Lane, String), usize>,
}

impl Turns {
    fn next(&mut self, subjects: &Subjects, item: &Item) -> bool {
        let Some(subject) = item.subject.clone().filter(|_| item.parked.is_none()) else { return true };
        let subject = (item.lane, subject);
        let Some(events) = subjects.get(&subject) else { return true };
        let taken = self.taken.entry(subject).or_default();
        let is_next = events.iter().nth(*taken) == Some(&item.seq);
        *taken += usize::from(is_next);
        is_next
    }
}
