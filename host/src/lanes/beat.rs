//! When a part last turned.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Touched by a part each time it turns, read by whoever asks whether it still does. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Beat(Arc<Mutex<Instant>>);

impl Default for Beat {
    fn default() -> Self {
        Beat(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Beat {
    /// The part turns now.
    pub fn touch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long ago the part turned.
    pub fn age(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}
