//! Values in the form that Meta requires of a template's parameters.

use std::borrow::Cow;

/// What people read in place of an empty value, which Meta rejects.
pub(super) const NOTHING: &str = "N/A";
/// Maximum length of a parameter, in characters.
const LIMIT: usize = 1024;
/// Maximum number of spaces in a row in a parameter (error 132018).
const SPACES: usize = 4;
/// Stands for a line break, which Meta rejects in a parameter.
pub(super) const LINE_BREAK: &str = " · ";

/// A parameter in the form that Meta requires: one line of 1 to 1,024 characters, without tabs and with at most four
/// spaces in a row (error 132018).
pub fn parameter(value: &str) -> Cow<'_, str> {
    let line = one_line(value, LINE_BREAK);
    if line.is_empty() { Cow::Borrowed(NOTHING) } else { cut(line) }
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The text without line breaks, control characters and long runs of spaces.
pub fn one_line<'a>(value: &'a str, separator: &str) -> Cow<'a, str> {
    let value = value.trim();
    let is_clean = !value.chars().any(char::is_control)
        && !value.contains(is_line_break)
        && !value.contains(&" ".repeat(SPACES + 1));
    if is_clean {
        return value.into();
    }
    let mut line = String::with_capacity(value.len() + 16);
    for part in value.split(is_line_break).map(str::trim).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push_str(separator);
        }
        let mut spaces = 0;
        for c in part.chars() {
            if c == ' ' || c.is_control() {
                spaces += 1;
                continue;
            }
            // A longer run is layout, which is lost on one line.
            let kept = if spaces > SPACES { 1 } else { spaces };
            line.extend(std::iter::repeat_n(' ', kept));
            spaces = 0;
            line.push(c);
        }
    }
    line.into()
}

fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.char_indices().nth(LIMIT - 1) {
        // The last character that fits is not the last one of the text.
        Some((end, last)) if end + last.len_utf8() < text.len() => format!("{}…", &text[..end]).into(),
        _ => text,
    }
}
