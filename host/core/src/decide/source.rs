//! Source texts and their places in files.

use std::{fmt, sync::Arc};

/// A place in a file, from which positions within the text there are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File, relative to the rules folder.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Whether the lines of the text are lines of the file, each beginning in `column`: a whole file, or a YAML literal
    /// block. If not, only positions in the first line are known.
    pub block: bool,
}

impl Place {
    /// The beginning of a file.
    pub fn start_of(file: impl Into<Arc<str>>) -> Self {
        Place { file: file.into(), line: 1, column: 1, block: true }
    }

    /// The place of a line and a column (both from 1) within the text that begins here.
    pub fn within(&self, line: usize, column: usize) -> Place {
        let (line, column) = match (self.block, line) {
            (true, _) | (false, 0 | 1) => {
                (self.line + line.saturating_sub(1), self.column + column.saturating_sub(1))
            }
            (false, _) => (self.line, self.column),
        };
        Place { file: self.file.clone(), line, column, block: self.block }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A text and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The text, as written.
    pub text: String,
    /// Where the text begins.
    pub place: Place,
}

/// A problem of a rule, and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}{}", help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default())]
pub struct RuleError {
    /// Place of the problem.
    pub place: Place,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, if that is known.
    pub help: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_within_words() {
        let inline = Place { file: "a.yaml".into(), line: 7, column: 11, block: false };
        assert_eq!(inline.within(1, 5).to_string(), "a.yaml:7:15");
        assert_eq!(inline.within(2, 5).to_string(), "a.yaml:7:11");
        let block = Place { block: true, ..inline };
        assert_eq!(block.within(3, 5).to_string(), "a.yaml:9:15");
        assert_eq!(Place::start_of("b.rhai").within(2, 9).to_string(), "b.rhai:2:9");
    }
}
