//! How many messages of a template somebody gets.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::short;

/// At most so many messages with the template to one recipient within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// How many, 1 to 100.
    pub count: u16,
    /// The time before each, more than zero and at most 30 days.
    pub time: SignedDuration,
}

impl fmt::Display for AtMost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.count, short(self.time))
    }
}

impl AtMost {
    /// Why a message is not sent, in words.
    pub fn refusal(self) -> String {
        format!("at_most: {self} of this template to one recipient")
    }
}
