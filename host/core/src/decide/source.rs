//! Words that somebody wrote, and where they stand in which file.

use std::{fmt, sync::Arc};

use crate::bounds::cut;

/// A place in a file, from which positions within the words there are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the rules folder.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Whether the words' lines are the file's lines, each beginning in `column`: a whole file, or a YAML
    /// literal block. Else only the first line's positions can be told.
    pub block: bool,
}

impl Place {
    /// The beginning of a file.
    pub fn start_of(file: impl Into<Arc<str>>) -> Self {
        Place { file: file.into(), line: 1, column: 1, block: true }
    }

    /// The place of a line and a column (both from 1) within the words that begin here.
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

/// Words and their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The words.
    pub text: String,
    /// Where they begin.
    pub place: Place,
}

/// What is wrong with a rule, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}{}", help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default())]
pub struct RuleError {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The longest word for which another is looked for, in bytes, and among how many: to compare words takes time in
/// proportion to the product of their lengths.
const LONGEST: usize = 100;
const COMPARED: usize = 500;

/// The one of `known` that was probably meant.
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
        // Of words that are as close, the first: keys are listed with the common ones first.
        .reduce(|best, other| if other.0 > best.0 { other } else { best })
        .map(|(_, candidate)| candidate)
}

/// How many known words are named.
const NAMED: usize = 40;

/// The help for a word that is none of those known.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match closest(word, known.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            let known: Vec<_> = known.into_iter().take(NAMED + 1).map(|known| cut(known, LONGEST)).collect();
            let more = if known.len() > NAMED { ", …" } else { "" };
            format!("known are {}{more}", known[..known.len().min(NAMED)].join(", "))
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
