//! The limits of one call of a rule. A call that exceeds one is stopped, with a message that names it.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::memory;

/// Maximum time of a call.
pub const TIME: Duration = Duration::from_millis(100);
/// Maximum memory that a call may hold in addition to what was held when it began, in bytes.
pub const MEMORY: isize = 16 * 1024 * 1024;
/// Maximum number of Rhai operations in a call.
pub const OPERATIONS: u64 = 500_000;
/// Maximum depth of function calls.
pub const CALL_LEVELS: usize = 32;
/// Maximum nesting of an expression.
pub const EXPRESSION_DEPTH: usize = 64;
/// Maximum length of a string, in bytes; also that of an event that consists of one string.
pub const TEXT: usize = 256 * 1024;
/// Maximum number of items of an array, including those of nested arrays.
pub const ITEMS: usize = 10_000;
/// Maximum number of entries of a map, including those of nested maps.
pub const ENTRIES: usize = 10_000;
/// Maximum number of variables in a call.
pub const VARIABLES: usize = 256;
/// Maximum number of functions in a script.
pub const FUNCTIONS: usize = 128;
/// Maximum number of decisions of a call.
pub const DECISIONS: usize = 100;
/// Maximum size of all decisions of a call as JSON, in bytes.
pub const OUTPUT: usize = 64 * 1024;
/// Maximum number of different questions that a call may ask.
pub const QUESTIONS: usize = 100;

/// Interval between two looks at the clock, in operations.
const OPERATIONS_PER_LOOK: u64 = 4;
/// Maximum time counted between two looks: a longer interval is due to the scheduler of a busy machine, and must not
/// fail a rule that takes microseconds.
const LONGEST_STEP: Duration = Duration::from_millis(20);

/// The usage of a call so far.
pub struct Budget {
    held_at_start: isize,
    looked_at: Cell<Instant>,
    used: Cell<Duration>,
    /// Set when a string would have exceeded its limit in a function that cannot end the call itself.
    pub text_too_large: Cell<bool>,
    /// Remaining size of the answer as JSON, in bytes.
    pub output: Cell<usize>,
}

impl Budget {
    /// Starts to count for a new call.
    pub fn start() -> Self {
        Budget {
            held_at_start: memory::held(),
            looked_at: Cell::new(Instant::now()),
            used: Cell::new(Duration::ZERO),
            text_too_large: Cell::new(false),
            output: Cell::new(OUTPUT),
        }
    }

    /// Returns why the call must stop, if so; called at each operation.
    pub fn spent(&self, operations: u64) -> Option<String> {
        if self.text_too_large.get() {
            return Some(format!("a string grew beyond {} KiB", TEXT / 1024));
        }
        if memory::held().wrapping_sub(self.held_at_start) > MEMORY {
            return Some(format!("used more than {} MiB of memory", MEMORY / 1024 / 1024));
        }
        if operations.is_multiple_of(OPERATIONS_PER_LOOK) { self.late() } else { None }
    }

    /// Returns a message if the time is over; for long work within one operation.
    pub fn late(&self) -> Option<String> {
        let now = Instant::now();
        let step = now.saturating_duration_since(self.looked_at.replace(now)).min(LONGEST_STEP);
        self.used.set(self.used.get() + step);
        (self.used.get() > TIME).then(|| format!("took longer than {} ms", TIME.as_millis()))
    }
}
