//! How far dispatch is in each lane that it holds. Pure.

use std::collections::{BTreeSet, HashMap};

use crate::{
    domain::Lane,
    lanes::{Leases, Term},
    store::HeldLane,
};

/// How far it is in one lane.
#[derive(Debug)]
struct Reading {
    term: u64,
    cursor: i64,
    /// Read after the last checkpoint, with no outcome written yet.
    open: BTreeSet<i64>,
    /// Urgent ones beyond the cursor that were read before their turn.
    ahead: BTreeSet<i64>,
    /// How far it was looked for urgent ones.
    looked: i64,
    /// Up to here the log had grown when the lane was taken: others may have begun on these.
    horizon: i64,
    /// The last checkpoint that was stored.
    stored: i64,
}

impl Reading {
    fn checkpoint(&self) -> i64 {
        self.open.first().map_or(self.cursor, |first| self.cursor.min(first - 1))
    }
}

/// How far it is in all of them.
#[derive(Debug, Default)]
pub struct Readings {
    lanes: HashMap<Lane, Reading>,
}

impl Readings {
    /// Drops what is not held any more, and returns what is new: lanes, and from where to read them.
    pub fn compare(&mut self, leases: &Leases) -> Vec<(Lane, Term)> {
        self.lanes
            .retain(|lane, reading| leases.lanes.get(lane).is_some_and(|term| term.number == reading.term));
        let new = leases.lanes.iter().filter(|(lane, _)| !self.lanes.contains_key(lane));
        new.map(|(lane, term)| (*lane, *term)).collect()
    }

    /// Begins to read a lane.
    pub fn begin(&mut self, lane: Lane, term: Term, horizon: i64) {
        let reading = Reading {
            term: term.number,
            cursor: term.checkpoint,
            open: BTreeSet::new(),
            ahead: BTreeSet::new(),
            looked: 0,
            horizon,
            stored: term.checkpoint,
        };
        self.lanes.insert(lane, reading);
    }

    /// Forgets how far it is, but for the checkpoints: returns all lanes, as if they were new.
    pub fn reset(&mut self) -> Vec<(Lane, Term)> {
        self.lanes
            .drain()
            .map(|(lane, reading)| (lane, Term { number: reading.term, checkpoint: reading.checkpoint() }))
            .collect()
    }

    /// Whether a lane is read.
    pub fn hold(&self, lane: Lane) -> bool {
        self.lanes.contains_key(&lane)
    }

    /// The lanes that are read.
    pub fn held(&self) -> Vec<Lane> {
        self.lanes.keys().copied().collect()
    }

    /// Where to read on.
    pub fn cursors(&self) -> Vec<(Lane, i64)> {
        self.lanes.iter().map(|(lane, reading)| (*lane, reading.cursor)).collect()
    }

    /// Where to read on, and from where to look ahead for urgent ones.
    pub fn looked(&self) -> Vec<(Lane, i64, i64)> {
        self.lanes
            .iter()
            .map(|(lane, reading)| (*lane, reading.cursor, reading.looked.max(reading.cursor)))
            .collect()
    }

    /// An urgent one is read before its turn.
    pub fn read_ahead(&mut self, (lane, seq): (Lane, i64)) {
        if let Some(reading) = self.lanes.get_mut(&lane) {
            reading.looked = reading.looked.max(seq);
            reading.ahead.insert(seq);
        }
    }

    /// Its turn has come; tells whether it was read before.
    pub fn was_read_ahead(&mut self, (lane, seq): (Lane, i64)) -> bool {
        let Some(reading) = self.lanes.get_mut(&lane) else { return false };
        let was = reading.ahead.remove(&seq);
        if was {
            reading.cursor = reading.cursor.max(seq);
        }
        was
    }

    /// Whether somebody else may have begun on this notification.
    pub fn maybe_begun(&self, (lane, seq): (Lane, i64)) -> bool {
        self.lanes.get(&lane).is_some_and(|reading| seq <= reading.horizon)
    }

    /// It has been read; `open` where its outcome is still to come.
    pub fn read(&mut self, (lane, seq): (Lane, i64), open: bool) {
        if let Some(reading) = self.lanes.get_mut(&lane) {
            if !reading.ahead.contains(&seq) {
                reading.cursor = reading.cursor.max(seq);
            }
            if open {
                reading.open.insert(seq);
            }
        }
    }

    /// Its outcome is written, or that it waits.
    pub fn settled(&mut self, (lane, seq): (Lane, i64)) {
        if let Some(reading) = self.lanes.get_mut(&lane) {
            reading.open.remove(&seq);
        }
    }

    /// The checkpoints that have moved since they were last stored, of the terms that `leases` has.
    pub fn moved(&self, leases: &Leases) -> Vec<HeldLane> {
        let is_ours = |lane: &Lane, term| leases.lanes.get(lane).is_some_and(|held| held.number == term);
        self.lanes
            .iter()
            .filter(|(lane, reading)| is_ours(lane, reading.term) && reading.checkpoint() > reading.stored)
            .map(|(lane, reading)| HeldLane { lane: *lane, checkpoint: reading.checkpoint() })
            .collect()
    }

    /// These checkpoints are stored.
    pub fn stored(&mut self, checkpoints: &[HeldLane]) {
        for held in checkpoints {
            if let Some(reading) = self.lanes.get_mut(&held.lane) {
                reading.stored = held.checkpoint;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(lane: Lane) -> Leases {
        Leases { lanes: [(lane, Term { number: 1, checkpoint: 10 })].into(), ..Leases::default() }
    }

    #[test]
    fn what_is_read_before_its_turn_is_read_once_and_moves_no_checkpoint() {
        let mut readings = Readings::default();
        let lane = Lane(3);
        let leases = holding(lane);
        readings.begin(lane, leases.lanes[&lane], 10);
        readings.read_ahead((lane, 50));
        readings.read((lane, 50), true);
        assert_eq!(readings.cursors(), [(lane, 10)]);
        assert_eq!(readings.looked(), [(lane, 10, 50)]);
        readings.read((lane, 11), true);
        readings.settled((lane, 11));
        assert_eq!(readings.moved(&leases), [HeldLane { lane, checkpoint: 11 }], "50 is beyond the cursor");
        assert!(!readings.was_read_ahead((lane, 12)));
        assert!(readings.was_read_ahead((lane, 50)));
        assert!(!readings.was_read_ahead((lane, 50)));
        assert_eq!(readings.moved(&leases), [HeldLane { lane, checkpoint: 49 }], "and still open");
        readings.settled((lane, 50));
        assert_eq!(readings.moved(&leases), [HeldLane { lane, checkpoint: 50 }]);
    }

    #[test]
    fn a_checkpoint_stands_before_the_first_that_is_open() {
        let mut readings = Readings::default();
        let lane = Lane(3);
        let leases = holding(lane);
        readings.begin(lane, leases.lanes[&lane], 12);
        for (seq, open) in [(11, true), (12, false), (14, true)] {
            readings.read((lane, seq), open);
        }
        assert_eq!(readings.cursors(), [(lane, 14)]);
        assert!(readings.moved(&leases).is_empty());
        readings.settled((lane, 11));
        let moved = readings.moved(&leases);
        assert_eq!(moved, [HeldLane { lane, checkpoint: 13 }]);
        readings.stored(&moved);
        assert!(readings.moved(&leases).is_empty());
        readings.settled((lane, 14));
        assert_eq!(readings.moved(&leases), [HeldLane { lane, checkpoint: 14 }]);
    }

    #[test]
    fn a_lane_taken_anew_is_read_anew() {
        let mut readings = Readings::default();
        let mut leases = Leases::default();
        leases.lanes.insert(Lane(1), Term { number: 1, checkpoint: 5 });
        assert_eq!(readings.compare(&leases).len(), 1);
        readings.begin(Lane(1), Term { number: 1, checkpoint: 5 }, 5);
        assert!(readings.compare(&leases).is_empty());
        leases.lanes.insert(Lane(1), Term { number: 2, checkpoint: 9 });
        assert_eq!(readings.compare(&leases), [(Lane(1), Term { number: 2, checkpoint: 9 })]);
        assert!(!readings.hold(Lane(1)));
    }
}
