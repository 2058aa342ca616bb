//! Texts made of values and of lists, and nouns with their number.

use std::fmt::Write;

use super::{Given, Word, language::Language, money};
use crate::bounds::Bounded;

/// Maximum nesting of lists in a text.
const DEPTH: usize = 64;

/// A value for people: a missing one as an empty string, a list with commas.
///
/// # Errors
/// If it is longer than `limit` bytes, or has items that are no strings, numbers or lists.
pub fn text(word: &Word, limit: usize) -> Result<String, String> {
    let mut out = Bounded::new(limit);
    write(&mut out, word, 0)?;
    out.whole().ok_or_else(|| too_long(limit))
}

fn too_long(limit: usize) -> String {
    format!("a string grew beyond {} KiB", limit / 1024)
}

fn write(out: &mut Bounded, word: &Word, depth: usize) -> Result<(), String> {
    // What does not fit is noticed at the end.
    let _ = match word {
        Word::Nothing => Ok(()),
        Word::Bool(yes) => write!(out, "{yes}"),
        Word::Int(int) => write!(out, "{int}"),
        Word::Float(float) => write!(out, "{float}"),
        Word::Text(text) => out.write_str(text),
        Word::Time(time) => write!(out, "{time}"),
        Word::Duration(duration) => out.write_str(&super::short(*duration)),
        Word::List(items) if depth < DEPTH => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    let _ = out.write_str(", ");
                }
                write(out, item, depth + 1)?;
            }
            Ok(())
        }
        Word::List(_) => return Err(format!("the lists are nested more than {DEPTH} levels deep")),
        Word::Other(what) => return Err(format!("expected strings or numbers, got {what}")),
    };
    Ok(())
}

/// The items of a list; a missing value is an empty one.
fn items(list: &Word) -> Result<&[Word], String> {
    match list {
        Word::List(items) => Ok(items),
        Word::Nothing => Ok(&[]),
        other => Err(format!("expected a list, got {}", other.described())),
    }
}

fn string<'a>(word: &'a Word, what: &str) -> Result<&'a str, String> {
    match word {
        Word::Text(text) => Ok(text),
        other => Err(format!("expected {what}, got {}", other.described())),
    }
}

/// The items of a list with a text between them.
pub(super) fn join(list: &Word, between: &Word, given: &Given<'_>) -> Result<Word, String> {
    let between = string(between, "a separator, for example \", \"")?;
    let mut out = Bounded::new(given.limit);
    for (index, item) in items(list)?.iter().enumerate() {
        if index > 0 {
            let _ = out.write_str(between);
        }
        write(&mut out, item, 0)?;
    }
    out.whole().map(Word::Text).ok_or_else(|| too_long(given.limit))
}

/// The items of a list, each on a line of its own after a text such as `- `; missing and blank ones are left out.
pub(super) fn lines(list: &Word, before: Option<&Word>, given: &Given<'_>) -> Result<Word, String> {
    let before =
        before.map_or(Ok(""), |before| string(before, "a beginning of each line, for example \"- \""))?;
    let mut out = Bounded::new(given.limit);
    for item in items(list)?.iter().filter(|item| !item.is_blank()) {
        if !out.is_empty() {
            let _ = out.write_char('\n');
        }
        let _ = out.write_str(before);
        write(&mut out, item, 0)?;
    }
    out.whole().map(Word::Text).ok_or_else(|| too_long(given.limit))
}

/// A text of at most `length` characters, the last one an ellipsis if it is cut.
pub(super) fn truncate(value: &Word, length: &Word, given: &Given<'_>) -> Result<Word, String> {
    let length = count(length)?;
    let text = text(value, given.limit)?;
    if text.chars().nth(length).is_none() {
        return Ok(Word::Text(text));
    }
    let kept: String = text.chars().take(length - 1).collect();
    Ok(Word::Text(format!("{}…", kept.trim_end())))
}

/// A number of characters.
pub(super) fn count(word: &Word) -> Result<usize, String> {
    match word {
        Word::Int(length) if *length > 0 => Ok(usize::try_from(*length).unwrap_or(usize::MAX)),
        Word::Int(length) => Err(format!("expected at least 1 character, got {length}")),
        other => Err(format!("expected a number of characters, got {}", other.described())),
    }
}

/// A number with the noun that belongs to it: `1 line`, `2 lines`.
pub(super) fn plural(count: &Word, one: &Word, many: &Word, language: &Language) -> Result<Word, String> {
    let (one, many) = (string(one, "a noun")?, string(many, "a noun")?);
    let number = match money::number(count)? {
        Word::Nothing => return Err("expected a number, got a missing value".to_owned()),
        number => number,
    };
    let noun = if language.is_one(&number) { one } else { many };
    Ok(Word::Text(format!("{} {noun}", money::written(&number, language)?)))
}
