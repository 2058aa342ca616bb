//! How many requests a key may make in a second.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What is left of one key's requests.
struct Bucket {
    left: f64,
    at: Instant,
}

/// The requests that keys with a limit may still make, by the SHA-256 of the key: as many as in one second at once.
#[derive(Default)]
pub struct Buckets(Mutex<HashMap<[u8; 32], Bucket>>);

impl Buckets {
    /// Takes a request of a key that may make `rate` of them per second.
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub fn take(&self, key: &[u8; 32], rate: u32, now: Instant) -> Result<(), Duration> {
        let rate = f64::from(rate.max(1));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(*key).or_insert(Bucket { left: rate, at: now });
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + since * rate).min(rate);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.left) / rate));
        }
        bucket.left -= 1.0;
        Ok(())
    }

    /// Forgets the keys that are not kept.
    pub fn keep(&self, is_kept: impl Fn(&[u8; 32]) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| is_kept(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_requests_of_a_second_and_then_its_rate() {
        let (buckets, start) = (Buckets::default(), Instant::now());
        let taken = |key: u8, ms: u64| buckets.take(&[key; 32], 10, start + Duration::from_millis(ms));
        assert!((0..10).all(|_| taken(1, 0).is_ok()));
        assert_eq!(taken(1, 0), Err(Duration::from_millis(100)));
        assert_eq!(taken(2, 0), Ok(()), "others have their own");
        assert_eq!((taken(1, 110).is_ok(), taken(1, 110).is_ok()), (true, false));
        assert!((0..10).all(|_| taken(1, 5_000).is_ok()));
        assert!(taken(1, 5_000).is_err(), "what is not used does not add up");
        buckets.keep(|key| *key == [2; 32]);
        assert!(taken(1, 5_000).is_ok(), "it is forgotten");
    }
}
