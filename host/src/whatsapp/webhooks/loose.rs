//! Small readers for what Meta writes now one way, now another, and for what the database could not hold.

use std::fmt;

use hookswitch_core::domain::is_user_id;
use jiff::Timestamp;
use serde::{
    Deserializer,
    de::{Error, Visitor},
};

/// Longer texts say nothing more.
const TEXT: usize = 1024;

/// A text, or a number in its place, or nothing.
pub(super) fn loose<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct Loose;

    impl Visitor<'_> for Loose {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a number")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    from.deserialize_any(Loose)
}

/// A text as PostgreSQL takes it: without NUL, and of a sober length.
pub(super) fn text(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(TEXT).collect()
}

/// The digits of a phone number; `None` where it is none.
pub(super) fn phone(id: &str) -> Option<String> {
    let digits: String = id.chars().filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')')).collect();
    let is_number = (5..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(digits)
}

/// A user id; `None` where it is none.
pub(super) fn user(id: &str) -> Option<String> {
    is_user_id(id).then(|| id.to_owned())
}

/// Meta's seconds since 1970, or `now` where they say nothing.
pub(super) fn time(seconds: Option<&str>, now: Timestamp) -> Timestamp {
    seconds
        .and_then(|seconds| seconds.trim().parse().ok())
        // Earlier ones are nonsense, and the earliest are more than PostgreSQL takes.
        .filter(|seconds| *seconds >= 0)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(now)
}
