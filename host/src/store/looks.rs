//! Reading on through a log until a page is full, with a bound on the time.

use std::time::{Duration, Instant};

/// Rows of the first look: most pages are full with it.
const FIRST: i64 = 1_000;
/// Rows of a look at most. The time is only looked at between two of them.
const MOST: i64 = 8_000;

/// The looks for one page, each at twice as many rows as the one before.
pub(super) struct Looks {
    began: Instant,
    time: Duration,
    rows: i64,
}

impl Looks {
    /// No further look is begun when `time` has passed.
    pub fn new(time: Duration) -> Looks {
        Looks { began: Instant::now(), time, rows: FIRST }
    }

    /// How many rows to look at now.
    pub fn rows(&self) -> i64 {
        self.rows
    }

    /// Ends a look: whether the time has passed.
    pub fn are_over(&mut self) -> bool {
        self.rows = (self.rows * 2).min(MOST);
        self.began.elapsed() >= self.time
    }
}
