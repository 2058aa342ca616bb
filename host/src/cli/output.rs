//! What the command line prints. Names, texts and events come from strangers: characters that would steer the terminal,
//! hide or reorder text are escaped, whichever command prints them. `println!` and its siblings of this room come here.

use std::{
    fmt::{Arguments, Write as _},
    io::{Write, stderr, stdout},
};

use hookswitch_core::domain::is_visible;
use serde::Serialize;

/// As the standard library's, with text that is safe to show. A closed pipe is not an error.
macro_rules! println {
    () => { $crate::cli::output::line(format_args!("")) };
    ($($words:tt)*) => { $crate::cli::output::line(format_args!($($words)*)) };
}

/// As [`println!`], without the end of the line.
macro_rules! print {
    ($($words:tt)*) => { $crate::cli::output::text(format_args!($($words)*)) };
}

/// As [`println!`], to standard error.
macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::output::error_line(format_args!($($words)*)) };
}

/// As [`eprintln!`], without the end of the line.
macro_rules! eprint {
    ($($words:tt)*) => { $crate::cli::output::error_text(format_args!($($words)*)) };
}

/// Prints a line.
pub fn line(words: Arguments<'_>) {
    text(format_args!("{words}\n"));
}

/// Prints text.
pub fn text(words: Arguments<'_>) {
    let _ = stdout().lock().write_all(shown(&words.to_string(), console::colors_enabled()).as_bytes());
}

/// Prints a line to standard error.
pub fn error_line(words: Arguments<'_>) {
    error_text(format_args!("{words}\n"));
}

/// Prints text to standard error.
pub fn error_text(words: Arguments<'_>) {
    let _ = stderr().lock().write_all(shown(&words.to_string(), console::colors_enabled_stderr()).as_bytes());
}

/// Prints a JSON document, indented.
///
/// # Errors
/// If the value is not serialisable.
pub fn json(value: &impl Serialize) -> serde_json::Result<()> {
    line(format_args!("{}", escaped(&serde_json::to_string_pretty(value)?)));
    Ok(())
}

/// Prints each value as a JSON object on a line of its own.
///
/// # Errors
/// If a value is not serialisable.
pub fn json_lines<T: Serialize>(values: impl IntoIterator<Item = T>) -> serde_json::Result<()> {
    for value in values {
        line(format_args!("{}", escaped(&serde_json::to_string(&value)?)));
    }
    Ok(())
}

/// JSON whose strings hold only visible characters; it means the same.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_visible(c) || c == '\n' {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// The text as it may be shown; with colours, those that `console` sets stay.
fn shown(text: &str, colours: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let style = if colours && c == '\u{1b}' { style(rest) } else { 0 };
        let (piece, after) = rest.split_at(style.max(c.len_utf8()));
        if style > 0 || is_visible(c) || matches!(c, '\n' | '\t') {
            shown.push_str(piece);
        } else {
            shown.extend(c.escape_default());
        }
        rest = after;
    }
    shown
}

/// The length of the escape sequence that begins here, if it only sets a colour or a weight; otherwise 0.
fn style(text: &str) -> usize {
    let Some(end) = text.strip_prefix("\u{1b}[").and_then(|text| text.find('m')) else { return 0 };
    let codes = &text[2..2 + end];
    let sets = |code: &str| matches!(code.parse::<u8>(), Ok(0..=4 | 9 | 30..=37 | 90..=97));
    if codes.split(';').all(sets) { 2 + end + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{escaped, shown};

    #[test]
    fn only_colours_that_are_ours_steer_the_terminal() {
        let styled = "\u{1b}[1mAnn\u{1b}[0m";
        assert_eq!(shown(styled, true), styled);
        assert_eq!(shown(styled, false), "\\u{1b}[1mAnn\\u{1b}[0m");
        for steers in ["\u{1b}[2J", "\u{1b}]0;owned\u{7}", "\u{1b}[8mhidden", "\u{9b}31m", "\u{202e}txt"] {
            assert!(!shown(steers, true).contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']));
        }
        assert_eq!(shown("a\tb\nc é 漢", true), "a\tb\nc é 漢");
    }

    #[test]
    fn json_stays_json_whatever_a_name_holds() {
        for name in ["Ann é 漢", "\u{202e}txt", "\u{9b}31m", "\u{e0041}", "\"\\\n"] {
            let printed = shown(&escaped(&serde_json::to_string(name).unwrap()), true);
            assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), name, "{printed}");
        }
    }
}
