//! What one call of a rule may use. Whoever reaches an end is stopped, and its message says which.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::memory;

/// The time a call may take.
pub const TIME: Duration = Duration::from_millis(100);
/// The memory a call may hold beyond what was held when it began, in bytes.
pub const MEMORY: isize = 16 * 1024 * 1024;
/// Rhai operations in a call.
pub const OPERATIONS: u64 = 500_000;
/// How deep functions may call each other.
pub const CALL_LEVELS: usize = 32;
/// How deep an expression may nest.
pub const EXPRESSION_DEPTH: usize = 64;
/// The length of a text, in bytes: of an event that is one text, too.
pub const TEXT: usize = 256 * 1024;
/// Items of an array, those of arrays within it included.
pub const ITEMS: usize = 10_000;
/// Entries of a map, those of maps within it included.
pub const ENTRIES: usize = 10_000;
/// Variables in a call.
pub const VARIABLES: usize = 256;
/// Functions in a script.
pub const FUNCTIONS: usize = 128;
/// Decisions of a call.
pub const DECISIONS: usize = 100;
/// All decisions of a call as JSON, in bytes.
pub const OUTPUT: usize = 64 * 1024;
/// Different questions to the world in a call.
pub const QUESTIONS: usize = 100;

/// Between two looks at the clock.
const OPERATIONS_PER_LOOK: u64 = 4;
/// The most that counts between two looks: what is longer is the scheduler's doing on a busy machine, and
/// must not fail a rule that takes microseconds.
const LONGEST_STEP: Duration = Duration::from_millis(20);

/// What a call has used so far.
pub struct Budget {
    held_at_start: isize,
    looked_at: Cell<Instant>,
    used: Cell<Duration>,
    /// Whether a text would have grown beyond its limit, where nothing else can end the call.
    pub text_too_large: Cell<bool>,
    /// How many bytes of JSON the answer may still take.
    pub output: Cell<usize>,
}

impl Budget {
    /// A call begins.
    pub fn start() -> Self {
        Budget {
            held_at_start: memory::held(),
            looked_at: Cell::new(Instant::now()),
            used: Cell::new(Duration::ZERO),
            text_too_large: Cell::new(false),
            output: Cell::new(OUTPUT),
        }
    }

    /// Whether the call must stop, and why; asked at each operation.
    pub fn spent(&self, operations: u64) -> Option<String> {
        if self.text_too_large.get() {
            return Some(format!("a text grew beyond {} KiB", TEXT / 1024));
        }
        if memory::held().wrapping_sub(self.held_at_start) > MEMORY {
            return Some(format!("used more than {} MiB of memory", MEMORY / 1024 / 1024));
        }
        if operations.is_multiple_of(OPERATIONS_PER_LOOK) { self.late() } else { None }
    }

    /// Whether the time is over, and in which words; for work of any length within one operation.
    pub fn late(&self) -> Option<String> {
        let now = Instant::now();
        let step = now.saturating_duration_since(self.looked_at.replace(now)).min(LONGEST_STEP);
        self.used.set(self.used.get() + step);
        (self.used.get() > TIME).then(|| format!("took longer than {} ms", TIME.as_millis()))
    }
}
