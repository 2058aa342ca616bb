//! The database's clock, which all hosts share: what one host stores as a time, another compares with its own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};

/// PostgreSQL's clock, as it was last read. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Clock(Arc<Mutex<Option<Reading>>>);

struct Reading {
    at: Instant,
    time: Timestamp,
    /// How far this machine's clock was ahead.
    ahead: SignedDuration,
}

impl Clock {
    /// Takes note of an answer: PostgreSQL's time, to a question that took `took`.
    pub(super) fn read(&self, time: Timestamp, took: Duration) {
        let half = SignedDuration::try_from(took / 2).unwrap_or_default();
        let Ok(time) = time.checked_add(half) else { return };
        let reading = Reading { at: Instant::now(), time, ahead: Timestamp::now().duration_since(time) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
    }

    /// PostgreSQL's time now; this machine's before it was read.
    pub(super) fn now(&self) -> Timestamp {
        let reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = reading.as_ref().and_then(|reading| {
            let since = SignedDuration::try_from(reading.at.elapsed()).ok()?;
            reading.time.checked_add(since).ok()
        });
        now.unwrap_or_else(Timestamp::now)
    }

    /// How far this machine's clock is ahead of PostgreSQL's, as it was last read.
    pub(super) fn ahead(&self) -> SignedDuration {
        let reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.as_ref().map_or(SignedDuration::ZERO, |reading| reading.ahead)
    }
}
