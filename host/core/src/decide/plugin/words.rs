//! Makes texts of guests safe for a log.

/// A text as one line of at most `most` characters. Characters that would end the line, move the cursor or change the
/// direction of the text are escaped, so that no guest can forge a line.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for c in text.chars().take(most) {
        if is_unseen(c) { line.extend(c.escape_unicode()) } else { line.push(c) }
    }
    line
}

/// The first `most` characters of a text.
pub(super) fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Whether this is a control character, a line or paragraph separator, a direction mark, or has no width.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(
            line("a\n2026 ERROR forged\r\u{1b}[2J\u{202e}", 100),
            "a\\u{a}2026 ERROR forged\\u{d}\\u{1b}[2J\\u{202e}"
        );
        assert_eq!(line("größer ✓", 6), "größer");
    }
}
