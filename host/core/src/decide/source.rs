//! Source texts and their places in files.

use std::{fmt, sync::Arc};

use crate::bounds::cut;

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

/// Maximum length of a compared word, in bytes, and maximum number of candidates: comparing takes time proportional to
/// the product of the lengths.
const LONGEST: usize = 100;
const COMPARED: usize = 500;

/// Returns the known word that was probably meant.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    known
        .into_iter()
        .filter(|known| known.len() <= LONGEST)
        .take(COMPARED)
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        // The first of equally close words: lists begin with the common ones.
        .reduce(|best, other| if other.0 > best.0 { other } else { best })
        .map(|(_, candidate)| candidate)
}

/// Maximum number of known words that are listed.
const NAMED: usize = 40;

/// The help for an unknown word: the closest known word, or all known ones.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match closest(word, known.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            let known: Vec<_> = known.into_iter().take(NAMED + 1).map(|known| cut(known, LONGEST)).collect();
            let more = if known.len() > NAMED { ", …" } else { "" };
            format!("known: {}{more}", known[..known.len().min(NAMED)].join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, closest};

    #[test]
    fn places_within_words() {
        let inline = Place { file: "a.yaml".into(), line: 7, column: 11, block: false };
        assert_eq!(inline.within(1, 5).to_string(), "a.yaml:7:15");
        assert_eq!(inline.within(2, 5).to_string(), "a.yaml:7:11");
        let block = Place { block: true, ..inline };
        assert_eq!(block.within(3, 5).to_string(), "a.yaml:9:15");
        assert_eq!(Place::start_of("b.rhai").within(2, 9).to_string(), "b.rhai:2:9");
    }

    #[test]
    fn the_closest_word_is_named_and_a_strange_one_is_not() {
        let known = ["template", "groups", "users"];
        assert_eq!(closest("tempalte", known), Some("template"));
        assert_eq!(closest("Group", known), Some("groups"));
        assert_eq!(closest("xyz", known), None);
    }
}
