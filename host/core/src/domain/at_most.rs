//! How many messages of a template, or of several with a tag, somebody gets.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::short;

/// At most so many messages with the template to one recipient within a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// How many, 1 to 100.
    pub count: u16,
    /// The time before each, more than zero and at most 30 days.
    pub time: SignedDuration,
    /// The tag whose templates are counted together; without one, the decision's template is counted alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl fmt::Display for AtMost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.count, short(self.time))?;
        match &self.tag {
            Some(tag) => write!(f, " of {tag}"),
            None => Ok(()),
        }
    }
}

impl AtMost {
    /// Why a message is not sent, in words.
    pub fn refusal(&self) -> String {
        match &self.tag {
            Some(_) => format!("at_most: {self} to one recipient"),
            None => format!("at_most: {self} of this template to one recipient"),
        }
    }
}

/// Whether a word can be the tag of a template.
pub fn is_tag(word: &str) -> bool {
    (1..=50).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}
