//! Lanes: each log is divided into a fixed number of lanes, which hosts lease. In the notification log each lane has a
//! track per priority.

use serde::{Deserialize, Serialize};

use super::Priority;

/// Number of lanes of each log. Fixed: a lane is stored with each row.
pub const LANES: i16 = 64;

/// A lane of a log, in `0..LANES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lane(pub i16);

impl Lane {
    /// The lane of a key: the same on every host and in every release.
    pub fn of(key: &str) -> Lane {
        // Below 64, so it always fits.
        Lane((crc32fast::hash(key.as_bytes()) % LANES as u32) as i16)
    }
}

/// The messages of one priority in a lane of the notification log, with their own cursor, so that none waits behind the
/// backlog of a lower priority. Stored as `lane + 64 × rank`, in `0..192`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Track(pub i16);

impl Track {
    /// The track of a lane and a priority.
    pub fn new(lane: Lane, priority: Priority) -> Track {
        Track(lane.0 + LANES * priority.rank())
    }

    /// The lane of the track.
    pub fn lane(self) -> Lane {
        Lane(self.0.rem_euclid(LANES))
    }

    /// The priority of its messages.
    pub fn priority(self) -> Priority {
        Priority::from_rank(self.0.div_euclid(LANES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_a_lane_and_a_priority() {
        for lane in [Lane(0), Lane(17), Lane(LANES - 1)] {
            for priority in Priority::ALL {
                let track = Track::new(lane, priority);
                assert_eq!((track.lane(), track.priority()), (lane, priority));
            }
        }
        assert_eq!(Track::new(Lane(63), Priority::Bulk), Track(191));
    }
}
