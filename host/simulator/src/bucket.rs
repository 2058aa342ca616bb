//! Token buckets: Meta's limits on sending.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// So many recipients are remembered for the pair limit; beyond that, those at rest are forgotten.
const PAIRS: usize = 100_000;

/// A bucket that starts full.
#[derive(Clone, Debug)]
pub struct Bucket {
    capacity: f64,
    per_second: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// Holds `capacity` and regains `per_second`.
    pub fn new(capacity: f64, per_second: f64, now: Instant) -> Self {
        Bucket { capacity, per_second, tokens: capacity, at: now }
    }

    /// Takes one; `false` where there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * self.per_second).min(self.capacity);
        self.at = now;
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= self.capacity
    }
}

/// Meta's pair limit: 45 messages at once to one recipient, borrowed from one in 6 seconds.
#[derive(Default)]
pub struct Pairs(HashMap<String, Bucket>);

impl Pairs {
    /// Takes one for this recipient; `false` where there is none.
    pub fn take(&mut self, recipient: &str, now: Instant) -> bool {
        if let Some(bucket) = self.0.get_mut(recipient) {
            return bucket.take(now);
        }
        if self.0.len() >= PAIRS {
            self.0.retain(|_, bucket| !bucket.is_full(now));
        }
        let mut bucket = Bucket::new(45.0, 1.0 / Duration::from_secs(6).as_secs_f64(), now);
        let taken = bucket.take(now);
        self.0.insert(recipient.to_owned(), bucket);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_the_rate_at_once_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(80.0, 80.0, start);
        assert_eq!((0..100).filter(|_| bucket.take(start)).count(), 80);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| bucket.take(later)).count(), 40);
    }

    #[test]
    fn forty_five_to_one_recipient_and_then_one_in_six_seconds() {
        let start = Instant::now();
        let mut pairs = Pairs::default();
        assert_eq!((0..50).filter(|_| pairs.take("1", start)).count(), 45);
        assert!(pairs.take("2", start), "another recipient is not held up");
        assert!(!pairs.take("1", start + Duration::from_secs(5)));
        assert!(pairs.take("1", start + Duration::from_millis(6_001)));
    }
}
