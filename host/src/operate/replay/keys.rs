//! The deduplication keys that the rules of now use and those of then did not: which are in force is worked out from the
//! events that were looked at.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Keys that are remembered, at most.
const KEYS: usize = 50_000;

/// The keys in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Keys {
    /// By a hash of template and key: until when, in seconds of Unix time.
    held: HashMap<u64, i64>,
    /// Whether there were more.
    pub forgotten: bool,
}

impl Keys {
    /// Whether a key is in force.
    pub fn hold(&self, template: &str, key: &str, at: Timestamp) -> bool {
        self.held.get(&hash(template, key)).is_some_and(|until| *until > at.as_second())
    }

    /// Puts a key in force.
    pub fn claim(&mut self, template: &str, key: &str, at: Timestamp, time: SignedDuration) {
        if self.held.len() >= KEYS {
            self.held.retain(|_, until| *until > at.as_second());
        }
        if self.held.len() >= KEYS {
            self.forgotten = true;
            return;
        }
        self.held.insert(hash(template, key), at.as_second().saturating_add(time.as_secs()));
    }
}

fn hash(template: &str, key: &str) -> u64 {
    let digest = Sha256::digest(format!("{template}\0{key}"));
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_key_is_in_force_for_its_time_and_memory_is_bounded() {
        let at: Timestamp = "2026-11-27T09:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        let mut keys = Keys::default();
        keys.claim("order", "7", at, hour);
        assert!(keys.hold("order", "7", at) && !keys.hold("other", "7", at));
        assert!(!keys.hold("order", "7", at + hour));
        let kept: Keys = serde_json::from_str(&serde_json::to_string(&keys).unwrap()).unwrap();
        assert!(kept.hold("order", "7", at));
        for n in 0..=KEYS {
            keys.claim("order", &n.to_string(), at, hour);
        }
        assert!(keys.forgotten && keys.held.len() == KEYS);
        keys.claim("order", "late", at + hour, hour);
        assert!(keys.hold("order", "late", at + hour));
    }
}
