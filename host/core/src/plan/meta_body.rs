//! A template's body in Meta's form: text with numbered parameters.
//!
//! Meta has no conditions, loops or filters, so a body is split by one rule. The definition sent to Meta and the
//! parameters of each message both follow it:
//!
//! - Each `{{ … }}` becomes a parameter, with its filters; a variable that is used twice becomes two.
//! - Lines such as `Map: {{ pin }}` between `{% if pin %}` and `{% endif %}` keep their label; the parameter is empty if
//!   `pin` is missing.
//! - Any other block with output becomes one parameter. If its output can be empty, the parameter also takes in a word
//!   beside the block, because Meta rejects empty values ([`joined`]).

mod joined;
mod pieces;

use minijinja::{machinery::parse, syntax::SyntaxConfig};

use super::{parameter::parameter, render::tidy};
use joined::Token;

/// Separates the values that `values` renders to; never part of a value (see `Templates::default`).
pub(super) const SEPARATOR: char = '\u{1f}';

/// A body in Meta's form.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MetaBody {
    /// Text with the parameters `{{1}}`, `{{2}}`, ….
    pub text: String,
    /// Parameters, in order.
    pub parameters: Vec<MetaParameter>,
    /// A template that renders to the values of the parameters, each followed by a separator.
    pub values: String,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MetaParameter {
    /// Line in the body, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Source of the parameter, for example `name | truncate(20)`.
    pub source: String,
    /// Whether its value may be empty by the way it is written, and stands within a sentence, so that people would read
    /// `N/A` there.
    pub leaves_a_gap: bool,
}

impl MetaBody {
    /// Splits a body that has been compiled with this syntax.
    ///
    /// # Errors
    /// Returns the error of the parser.
    pub(super) fn new(body: &str, syntax: SyntaxConfig) -> Result<MetaBody, minijinja::Error> {
        let tree = parse(body, "body", syntax)?;
        let mut meta = MetaBody::default();
        let mut text = String::new();
        for token in joined::joined(pieces::pieces(body, &tree)) {
            match token {
                Token::Word(part) | Token::Space(part) | Token::Break(part) => text.push_str(&part),
                Token::Silent(source) => meta.values.push_str(&source),
                Token::Value(value) => {
                    meta.values.push_str(&value.template);
                    meta.values.push(SEPARATOR);
                    meta.parameters.push(value.parameter);
                    text.push_str(&placeholder(meta.parameters.len()));
                }
            }
        }
        meta.text = tidy(&text);
        Ok(meta)
    }

    /// The texts around the parameters: one more than there are parameters.
    pub(super) fn words(&self) -> Vec<&str> {
        let mut words = Vec::with_capacity(self.parameters.len() + 1);
        let mut rest = self.text.as_str();
        for number in 1..=self.parameters.len() {
            if let Some((before, after)) = rest.split_once(&placeholder(number)) {
                words.push(before);
                rest = after;
            }
        }
        words.push(rest);
        words
    }

    /// The text with these values, as people read it.
    pub(super) fn filled(&self, values: &[String]) -> String {
        let mut words = self.words().into_iter();
        let mut text = words.next().unwrap_or_default().to_owned();
        for (value, words) in values.iter().zip(words) {
            text.push_str(&parameter(value));
            text.push_str(words);
        }
        text
    }

    /// Whether `N/A` in place of this parameter would stand in the middle of a sentence, and neither after a label
    /// (`Map: N/A`) nor on a line of its own.
    pub(super) fn is_within_a_sentence(&self, index: usize) -> bool {
        let words = self.words();
        let (Some(before), Some(after)) = (words.get(index), words.get(index + 1)) else { return false };
        // Another value on the line counts as a word.
        let begins_line = index == 0 || before.contains('\n');
        let ends_line = index + 1 == self.parameters.len() || after.contains('\n');
        let before = before.rsplit('\n').next().unwrap_or_default();
        let after = after.split('\n').next().unwrap_or_default();
        let is_bare = |text: &str| !text.contains(char::is_alphanumeric);
        let is_alone = begins_line && ends_line && is_bare(before) && is_bare(after);
        let has_a_label = is_label(before) && ends_line && is_bare(after);
        !is_alone && !has_a_label
    }
}

/// Whether a text that stands before a value on its line is a label: `Map: `, `*Map:* `.
fn is_label(before: &str) -> bool {
    before.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '~' | '`')).ends_with(':')
}

/// `{{1}}`.
pub(super) fn placeholder(number: usize) -> String {
    format!("{{{{{number}}}}}")
}

#[cfg(test)]
mod tests;
