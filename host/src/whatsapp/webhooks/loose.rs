//! Small readers for fields that Meta writes in several forms, and for values that the database cannot hold.

use std::fmt;

use hookswitch_core::domain::is_user_id;
use jiff::Timestamp;
use serde::{
    Deserializer,
    de::{Error, Visitor},
};

/// Maximum length of a text that is kept, in characters; longer ones are cut.
const TEXT: usize = 1024;

/// A string, a number in its place, or nothing.
pub(super) fn loose<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct Loose;

    impl Visitor<'_> for Loose {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a number")
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

/// A text that PostgreSQL accepts: without U+0000, and cut to its maximum length.
pub(super) fn text(text: &str) -> String {
    clean(text, TEXT)
}

/// As [`text`], with another maximum length.
pub(super) fn clean(text: &str, longest: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(longest).collect()
}

/// The digits of a phone number; `None` if it is not one.
pub(super) fn phone(id: &str) -> Option<String> {
    let digits: String = id.chars().filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')')).collect();
    let is_number = (5..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(digits)
}

/// A user id; `None` if it is not one.
pub(super) fn user(id: &str) -> Option<String> {
    is_user_id(id).then(|| id.to_owned())
}

/// Meta's seconds since 1970, or `now` if they are missing or out of range.
pub(super) fn time(seconds: Option<&str>, now: Timestamp) -> Timestamp {
    seconds
        .and_then(|seconds| seconds.trim().parse().ok())
        // Earlier ones are nonsense, and the earliest are more than PostgreSQL takes.
        .filter(|seconds| *seconds >= 0)
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(now)
}
