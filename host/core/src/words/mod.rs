//! The words that rules and templates share: times, durations, opening hours, numbers, money, plurals and lists. One
//! meaning of each; `decide` gives them to expressions and scripts, `plan` to templates.
//!
//! Pure: the time is passed in, and what an author writes cannot make them use much time or memory. Texts are as long as
//! their arguments or a limit.

mod call;
mod hours;
mod language;
mod lists;
mod money;
mod time;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use call::{FUNCTIONS, Function, function};
pub use hours::{Hours, next_opening, opening_hours};
pub use lists::text;
pub use money::number_in;
pub use time::{Sign, compared, duration, moved, timestamp};

use crate::{bounds::cut, domain::short};

/// Maximum length of a string that is repeated in a message, in characters.
const SHOWN: usize = 40;

/// A value, as the words see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// A missing value.
    Nothing,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A string.
    Text(String),
    /// A point in time.
    Time(Timestamp),
    /// A length of time.
    Duration(SignedDuration),
    /// A list.
    List(Vec<Word>),
    /// A value of another type, described for messages.
    Other(&'static str),
}

/// What the words are given in addition to their arguments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// Language of the reader, for example `pt_BR` (default English).
    pub language: Option<&'a str>,
    /// Maximum length of a text, in bytes.
    pub limit: usize,
}

impl Word {
    /// Describes the value, for messages.
    pub fn described(&self) -> String {
        match self {
            Word::Nothing => "a missing value".to_owned(),
            Word::Bool(_) => "true or false".to_owned(),
            Word::Int(_) | Word::Float(_) => "a number".to_owned(),
            Word::Text(text) => format!("the string {:?}", cut(text, SHOWN)),
            Word::Time(_) => "a time".to_owned(),
            Word::Duration(_) => "a duration".to_owned(),
            Word::List(_) => "a list".to_owned(),
            Word::Other(what) => (*what).to_owned(),
        }
    }

    /// Whether it is missing or a blank string.
    fn is_blank(&self) -> bool {
        match self {
            Word::Nothing => true,
            Word::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }
}
