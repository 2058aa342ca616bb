//! The last lines that a plugin logged in this process.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

/// Maximum number of lines that are kept of a plugin.
const KEPT: usize = 50;

/// A line that a plugin logged or printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the event was decided about.
    pub at: Timestamp,
    /// `debug`, `info`, `warn` or `error`; what it printed is `info`.
    pub level: &'static str,
    /// The id of the event that it was called for.
    pub event: String,
    /// What it said, on one line of at most 1,000 characters.
    pub text: String,
}

/// The last lines of a plugin, the oldest first. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<VecDeque<LogLine>>>);

impl Lines {
    pub fn add(&self, at: Timestamp, level: &'static str, event: &str, text: &str) {
        let line = LogLine { at, level, event: event.to_owned(), text: text.to_owned() };
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub fn read(&self) -> Vec<LogLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fifty_are_kept() {
        let lines = Lines::default();
        (0..KEPT + 2).for_each(|n| lines.add(Timestamp::UNIX_EPOCH, "info", "1", &n.to_string()));
        let texts: Vec<String> = lines.read().into_iter().map(|line| line.text).collect();
        assert_eq!(
            (texts.len(), texts.first(), texts.last()),
            (KEPT, Some(&"2".to_owned()), Some(&"51".to_owned()))
        );
    }
}
