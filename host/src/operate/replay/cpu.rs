//! CPU time of this thread.

use std::time::Duration;

/// Does something, and returns the CPU time that it took on this thread: what else the machine does meanwhile does not count.
pub(super) fn taken<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = used();
    let done = work();
    (done, used().saturating_sub(began))
}

fn used() -> Duration {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, thread::sleep};

    use super::*;

    #[test]
    fn work_takes_time_and_sleep_does_not() {
        let ((), slept) = taken(|| sleep(Duration::from_millis(50)));
        let (_, worked) = taken(|| (0..10_000_000_u64).fold(0_u64, |sum, n| sum ^ black_box(n)));
        assert!(slept < Duration::from_millis(40) && worked > slept, "{slept:?} {worked:?}");
    }
}
