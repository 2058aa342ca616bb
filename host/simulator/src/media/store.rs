//! The media that the simulator holds, in memory and bounded.

use std::collections::VecDeque;

use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::kinds::{Kind, LARGEST};

/// Bytes of all media together; beyond that the oldest go first.
const KEPT: usize = LARGEST + LARGEST / 4;
/// How many are kept.
const COUNT: usize = 10_000;
/// How long Meta keeps an upload.
const KEPT_HOURS: i64 = 30 * 24;

/// An upload.
#[derive(Clone, Debug)]
pub struct Media {
    /// Meta's id: digits.
    pub id: String,
    /// The number that it was uploaded for, by its id.
    pub phone_number_id: String,
    /// Its type.
    pub kind: Kind,
    /// Hex digits.
    pub sha256: String,
    /// The file.
    pub content: Bytes,
    /// When Meta would forget it.
    pub expires_at: Timestamp,
}

/// All media, oldest first.
#[derive(Default)]
pub struct MediaStore {
    all: VecDeque<Media>,
    bytes: usize,
}

impl MediaStore {
    /// When something that is uploaded now will be forgotten.
    pub fn expiry(now: Timestamp) -> Timestamp {
        now.checked_add(SignedDuration::from_hours(KEPT_HOURS)).unwrap_or(Timestamp::MAX)
    }

    /// Keeps an upload; the oldest make room.
    pub fn add(&mut self, media: Media) {
        self.bytes += media.content.len();
        self.all.push_back(media);
        while self.all.len() > 1 && (self.bytes > KEPT || self.all.len() > COUNT) {
            self.remove_at(0);
        }
    }

    /// The media of an id that has not expired; only that of one number, where it is named.
    pub fn find(&self, id: &str, phone_number_id: Option<&str>, now: Timestamp) -> Option<&Media> {
        self.all.iter().find(|media| {
            media.id == id
                && media.expires_at > now
                && phone_number_id.is_none_or(|number| media.phone_number_id == number)
        })
    }

    /// Forgets what [`MediaStore::find`] finds; whether there was any.
    pub fn delete(&mut self, id: &str, phone_number_id: Option<&str>, now: Timestamp) -> bool {
        let found = self.find(id, phone_number_id, now).is_some();
        if found && let Some(index) = self.all.iter().position(|media| media.id == id) {
            self.remove_at(index);
        }
        found
    }

    fn remove_at(&mut self, index: usize) {
        if let Some(media) = self.all.remove(index) {
            self.bytes -= media.content.len();
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{super::kinds::kind, *};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn media(id: &str, size: usize) -> Media {
        Media {
            id: id.into(),
            phone_number_id: "1".into(),
            kind: kind("text/plain").unwrap(),
            sha256: String::new(),
            content: vec![0; size].into(),
            expires_at: MediaStore::expiry(NOW),
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let mut store = MediaStore::default();
        store.add(media("old", KEPT / 2));
        store.add(media("new", KEPT / 2 + 2));
        assert!(store.find("old", None, NOW).is_none() && store.find("new", None, NOW).is_some());
        for n in 0..COUNT {
            store.add(media(&n.to_string(), 0));
        }
        assert!(store.find("new", None, NOW).is_none() && store.find("0", None, NOW).is_some());
        assert_eq!((store.all.len(), store.bytes), (COUNT, 0));
    }

    #[test]
    fn media_expires_and_belongs_to_a_number() {
        let mut store = MediaStore::default();
        store.add(media("a", 3));
        assert!(store.find("a", Some("1"), NOW).is_some());
        assert!(store.find("a", Some("2"), NOW).is_none() && !store.delete("a", Some("2"), NOW));
        assert!(store.find("a", None, MediaStore::expiry(NOW)).is_none());
        assert!(store.delete("a", None, NOW) && store.bytes == 0 && !store.delete("a", None, NOW));
    }
}
