//! How far dispatch is in each track of the lanes that it holds. Pure.
//!
//! A cursor moves with the row that was taken in, never before: what was read and is not in memory, settled or in
//! `deferred` lies after it. A checkpoint stands before the first row whose outcome is not written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hookswitch_core::domain::{Lane, Priority, Track};

use super::job::Place;
use crate::{
    lanes::{Leases, Term},
    store::Checkpoint,
};

/// How far it is in one track.
#[derive(Debug)]
struct Reading {
    cursor: i64,
    /// Read after the last checkpoint, with no outcome written yet.
    open: BTreeSet<i64>,
    /// Up to here the log had grown when the lane was taken: others may have begun on these.
    end: i64,
    /// How far beyond the cursor it was searched for what need not wait for room, and where the last of that is.
    searched: i64,
    wanted: i64,
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
    lanes: HashMap<Lane, Term>,
    tracks: BTreeMap<Track, Reading>,
}

impl Readings {
    /// Drops the lanes whose term is over, and returns those of which the reading must begin. Tells whether some were
    /// dropped.
    pub fn compare(&mut self, leases: &Leases) -> (Vec<(Lane, Term)>, bool) {
        let held = self.lanes.len();
        self.lanes.retain(|lane, term| leases.lanes.get(lane) == Some(term));
        let (lanes, dropped) = (&self.lanes, self.lanes.len() < held);
        self.tracks.retain(|track, _| lanes.contains_key(&track.lane()));
        let new = leases.lanes.iter().filter(|(lane, _)| !self.lanes.contains_key(lane));
        (new.map(|(lane, term)| (*lane, *term)).collect(), dropped)
    }

    /// Begins to read lanes from their checkpoints.
    pub fn begin(&mut self, lanes: &[(Lane, Term)], checkpoints: &[Checkpoint]) {
        self.lanes.extend(lanes.iter().copied());
        for Checkpoint { track, seq, end } in checkpoints {
            let reading = Reading {
                cursor: *seq,
                open: BTreeSet::new(),
                end: *end,
                searched: *seq,
                wanted: *seq,
                stored: *seq,
            };
            self.tracks.insert(*track, reading);
        }
    }

    /// Forgets all: each lane is to begin anew.
    pub fn clear(&mut self) {
        self.lanes.clear();
        self.tracks.clear();
    }

    /// Whether a lane is still held in the term in which it is read.
    pub fn are_current(&self, lane: Lane, leases: &Leases) -> bool {
        self.lanes.get(&lane).is_some_and(|term| leases.lanes.get(&lane) == Some(term))
    }

    /// Whether a lane is read.
    pub fn hold(&self, lane: Lane) -> bool {
        self.lanes.contains_key(&lane)
    }

    /// The lanes that are read.
    pub fn held(&self) -> Vec<Lane> {
        self.lanes.keys().copied().collect()
    }

    /// Where to read on, of the tracks that `wanted` says.
    pub fn cursors(&self, wanted: impl Fn(Track) -> bool) -> Vec<Place> {
        let wanted = self.tracks.iter().filter(|(track, _)| wanted(**track));
        wanted.map(|(track, reading)| (*track, reading.cursor)).collect()
    }

    /// Where to read on, of a priority, to what was found ahead.
    pub fn cursors_to_found(&self, priority: Priority) -> Vec<Place> {
        let of = self.tracks.iter().filter(|(track, _)| track.priority() == priority);
        let ahead = of.filter(|(_, reading)| reading.cursor < reading.wanted);
        ahead.map(|(track, reading)| (*track, reading.cursor)).collect()
    }

    /// Where to search on, of a priority.
    pub fn search_from(&self, priority: Priority) -> Vec<Place> {
        let of = self.tracks.iter().filter(|(track, _)| track.priority() == priority);
        of.map(|(track, reading)| (*track, reading.cursor.max(reading.searched))).collect()
    }

    /// A track was searched up to there; `found` is the last in it that need not wait for room.
    pub fn searched(&mut self, (track, to): Place, found: Option<i64>) {
        if let Some(reading) = self.tracks.get_mut(&track) {
            reading.searched = reading.searched.max(to);
            reading.wanted = reading.wanted.max(found.unwrap_or(reading.wanted));
        }
    }

    /// Whether somebody else may have begun on this notification.
    pub fn maybe_begun(&self, (track, seq): Place) -> bool {
        self.tracks.get(&track).is_some_and(|reading| seq <= reading.end)
    }

    /// Whether what stands before this in the log may not have been taken in yet.
    pub fn are_before(&self, (track, seq): Place) -> bool {
        self.tracks.get(&track).is_none_or(|reading| reading.cursor < seq)
    }

    /// A row was taken in, after all before it; `open` where its outcome is still to be written.
    pub fn read(&mut self, (track, seq): Place, open: bool) {
        if let Some(reading) = self.tracks.get_mut(&track) {
            reading.cursor = reading.cursor.max(seq);
            if open {
                reading.open.insert(seq);
            }
        }
    }

    /// Its outcome is written, or that it waits.
    pub fn settled(&mut self, (track, seq): Place) {
        if let Some(reading) = self.tracks.get_mut(&track) {
            reading.open.remove(&seq);
        }
    }

    /// The checkpoints that have moved since they were last stored.
    pub fn moved(&self) -> Vec<Place> {
        let moved = self.tracks.iter().filter(|(_, reading)| reading.checkpoint() > reading.stored);
        moved.map(|(track, reading)| (*track, reading.checkpoint())).collect()
    }

    /// These checkpoints are stored.
    pub fn stored(&mut self, checkpoints: &[Place]) {
        for (track, seq) in checkpoints {
            if let Some(reading) = self.tracks.get_mut(track) {
                reading.stored = *seq;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACK: Track = Track(3);

    fn readings(seq: i64, end: i64) -> Readings {
        let mut readings = Readings::default();
        readings.begin(&[(TRACK.lane(), Term { number: 1 })], &[Checkpoint { track: TRACK, seq, end }]);
        readings
    }

    #[test]
    fn a_checkpoint_stands_before_the_first_that_is_open() {
        let mut readings = readings(10, 12);
        for (seq, open) in [(11, true), (12, false), (14, true)] {
            readings.read((TRACK, seq), open);
        }
        assert_eq!(readings.cursors(|_| true), [(TRACK, 14)]);
        assert!(readings.moved().is_empty());
        readings.settled((TRACK, 11));
        let moved = readings.moved();
        assert_eq!(moved, [(TRACK, 13)]);
        readings.stored(&moved);
        assert!(readings.moved().is_empty());
        readings.settled((TRACK, 14));
        assert_eq!(readings.moved(), [(TRACK, 14)]);
    }

    #[test]
    fn what_is_found_ahead_is_read_to_and_no_further() {
        let mut readings = readings(10, 12);
        let priority = TRACK.priority();
        assert_eq!(readings.search_from(priority), [(TRACK, 10)]);
        readings.searched((TRACK, 20), None);
        assert!(readings.cursors_to_found(priority).is_empty());
        assert_eq!(readings.search_from(priority), [(TRACK, 20)]);
        readings.searched((TRACK, 30), Some(25));
        assert_eq!(readings.cursors_to_found(priority), [(TRACK, 10)]);
        readings.read((TRACK, 25), true);
        assert!(readings.cursors_to_found(priority).is_empty());
        assert_eq!(readings.search_from(priority), [(TRACK, 30)]);
    }

    #[test]
    fn a_lane_taken_anew_is_read_anew() {
        let mut readings = readings(5, 5);
        let mut leases = Leases::default();
        leases.lanes.insert(TRACK.lane(), Term { number: 1 });
        assert_eq!(readings.compare(&leases), (Vec::new(), false));
        leases.lanes.insert(TRACK.lane(), Term { number: 2 });
        assert_eq!(readings.compare(&leases), (vec![(TRACK.lane(), Term { number: 2 })], true));
        assert!(!readings.hold(TRACK.lane()) && readings.cursors(|_| true).is_empty());
        readings.settled((TRACK, 5));
        assert!(readings.moved().is_empty(), "what an earlier term wrote moves nothing");
    }

    #[test]
    fn only_what_was_there_when_the_lane_was_taken_may_have_been_begun() {
        let readings = readings(10, 12);
        assert!(readings.maybe_begun((TRACK, 12)) && !readings.maybe_begun((TRACK, 13)));
    }
}
