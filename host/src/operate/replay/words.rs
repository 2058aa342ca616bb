//! What differs between two texts, word by word.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// A piece of a text beside another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "text")]
pub enum Piece {
    /// In both.
    Same(String),
    /// Only in the text of then.
    Gone(String),
    /// Only in the text of now.
    New(String),
}

/// Compares two texts; neighbouring words of a kind are one piece.
pub fn word_diff(then: &str, now: &str) -> Vec<Piece> {
    let mut pieces: Vec<(ChangeTag, String)> = Vec::new();
    for change in TextDiff::from_words(then, now).iter_all_changes() {
        match pieces.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => pieces.push((change.tag(), change.value().to_owned())),
        }
    }
    let piece = |(tag, text)| match tag {
        ChangeTag::Equal => Piece::Same(text),
        ChangeTag::Delete => Piece::Gone(text),
        ChangeTag::Insert => Piece::New(text),
    };
    pieces.into_iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_and_not_letters() {
        let [same, gone, new] = [Piece::Same, Piece::Gone, Piece::New];
        assert_eq!(
            word_diff("Order: 5 kVA kit\nToday", "Order: 6 kVA kit\nToday"),
            [
                same("Order: ".to_owned()),
                gone("5".to_owned()),
                new("6".to_owned()),
                same(" kVA kit\nToday".to_owned())
            ]
        );
        assert_eq!(word_diff("", "x"), [new("x".to_owned())]);
        assert_eq!(word_diff("x", "x"), [same("x".to_owned())]);
    }
}
