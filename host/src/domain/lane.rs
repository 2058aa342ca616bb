//! Lanes: each log is cut into a fixed number of them, and a host leases lanes.

use serde::{Deserialize, Serialize};

/// How many lanes each log has. Fixed: a lane is stored with each row.
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
