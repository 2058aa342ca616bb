//! What the command line prints. Names, texts and events come from strangers: what would steer the terminal, hide or
//! turn words around is written out, whichever command prints it. `println!` and `eprintln!` of this room come here.

use std::{
    fmt::Arguments,
    io::{Write, stderr, stdout},
};

use hookswitch_core::domain::is_visible;

/// As the standard library's, with a text that is safe to show. A reader that has gone away is no error.
macro_rules! println {
    () => { $crate::cli::output::line(format_args!("")) };
    ($($words:tt)*) => { $crate::cli::output::line(format_args!($($words)*)) };
}

/// As [`println!`], to the standard error.
macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::output::error_line(format_args!($($words)*)) };
}

/// Prints a line.
pub fn line(words: Arguments<'_>) {
    let _ = writeln!(stdout().lock(), "{}", shown(&words.to_string(), console::colors_enabled()));
}

/// Prints a line to the standard error.
pub fn error_line(words: Arguments<'_>) {
    let _ = writeln!(stderr().lock(), "{}", shown(&words.to_string(), console::colors_enabled_stderr()));
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

/// The length of the sequence that begins here, where it only sets a colour or a weight.
fn style(text: &str) -> usize {
    let Some(end) = text.strip_prefix("\u{1b}[").and_then(|text| text.find('m')) else { return 0 };
    let codes = &text[2..2 + end];
    let sets = |code: &str| matches!(code.parse::<u8>(), Ok(0..=4 | 9 | 30..=37 | 90..=97));
    if codes.split(';').all(sets) { 2 + end + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::shown;

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
}
