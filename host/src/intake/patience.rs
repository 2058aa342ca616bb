//! Waiting for a database that is away for a moment.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::store::StoreError;

/// How long a request waits for the database to come back.
pub const PATIENCE: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Pauses between tries, each twice as long as the one before.
pub struct Pauses(Duration);

impl Pauses {
    pub fn new() -> Pauses {
        Pauses(FIRST_PAUSE)
    }

    /// Waits for the next try.
    pub async fn wait(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

/// Reads from the database, again and again while it cannot be reached and patience lasts.
///
/// # Errors
/// The last error.
pub async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    read: impl Fn() -> F,
) -> Result<T, StoreError> {
    let until = Instant::now() + PATIENCE;
    let mut pauses = Pauses::new();
    loop {
        match read().await {
            Err(StoreError::Unreachable(_)) if Instant::now() < until => pauses.wait().await,
            done => return done,
        }
    }
}
