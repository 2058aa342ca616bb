//! How much is done: little on each change, much by `just faults`.

use std::{env, time::Duration};

/// Whether `HOOKSWITCH_FAULTS=long` asks for thousands of events a case.
pub fn is_long() -> bool {
    env::var("HOOKSWITCH_FAULTS").is_ok_and(|scale| scale == "long")
}

/// The one or the other.
pub fn pick<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// Events of a case, at least.
pub fn events() -> usize {
    pick(300, 3_000)
}

/// Between two posts of one poster, on average.
pub fn pause() -> Duration {
    pick(Duration::from_millis(40), Duration::from_millis(15))
}
