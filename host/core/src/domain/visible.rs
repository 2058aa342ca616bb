//! Makes text safe to show: without characters that move the cursor, are invisible, or change the direction of text.

use std::borrow::Cow;

/// Whether a character is shown as itself everywhere. Control characters move the cursor of a terminal or begin a forged
/// line; format characters change the direction of text, or are invisible.
pub fn is_visible(c: char) -> bool {
    !(c.is_control() || is_format(c))
}

/// Unicode's general category Cf, line and paragraph separators, and blank characters, except the joiners of emoji and
/// of Persian and Indic scripts.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}'
        | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e001f}')
}

/// Escapes such characters (`\u{1b}`), except line breaks and tabs.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_visible(c) || matches!(c, '\n' | '\t'))
}

/// Escapes such characters, including line breaks and tabs: the result is one line.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_visible)
}

fn escaped(text: &str, shows: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&shows) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if shows(c) {
            escaped.push(c);
        } else {
            escaped.extend(c.escape_default());
        }
    }
    Cow::Owned(escaped)
}

/// Cleans a profile name: one line, without invisible characters and without whitespace at its ends; `None` if nothing is
/// left.
pub fn clean_name(name: &str) -> Option<String> {
    let shown = name.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| is_visible(*c));
    let name = shown.collect::<String>();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{clean_name, visible, visible_line};

    #[test]
    fn what_moves_hides_or_turns_is_written_out() {
        assert_eq!(visible("a\n\tb"), "a\n\tb");
        assert_eq!(visible_line("a\nb\u{1b}[2J\u{9b}m"), "a\\nb\\u{1b}[2J\\u{9b}m");
        assert_eq!(visible("x\u{202e}y\u{200b}z\r"), "x\\u{202e}y\\u{200b}z\\r");
        assert_eq!(visible("Zoë 👩\u{200d}🔧"), "Zoë 👩\u{200d}🔧");
    }

    #[test]
    fn names_are_one_line_of_what_is_seen() {
        let name = clean_name("\u{1b}[2J\u{1b}]0;owned\u{7}Evil\u{202e}abc\r\nFake line ");
        assert_eq!(name.as_deref(), Some("[2J]0;ownedEvilabc  Fake line"));
        assert_eq!(clean_name(" \u{200b}\n"), None);
    }
}
