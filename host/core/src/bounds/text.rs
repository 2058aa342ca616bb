//! Texts of limited length.

use std::fmt::{self, Write};

/// Maximum length of a reason, a thrown text or a printed line of an author, in characters; the rest is cut.
pub const REASON: usize = 1_000;

/// A text of at most a number of bytes; writing more into it fails.
#[derive(Debug)]
pub struct Bounded {
    text: String,
    limit: usize,
    full: bool,
}

impl Bounded {
    /// Creates an empty text of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Bounded { text: String::new(), limit, full: false }
    }

    /// Returns the text; `None` if more was written than fits.
    pub fn whole(self) -> Option<String> {
        (!self.full).then_some(self.text)
    }

    /// Returns the text, ending in an ellipsis if more was written than fits.
    pub fn beginning(mut self) -> String {
        if self.full {
            self.text.push('…');
        }
        self.text
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.full {
            return Err(fmt::Error);
        }
        let room = self.limit - self.text.len();
        if more.len() <= room {
            self.text.push_str(more);
            return Ok(());
        }
        self.full = true;
        self.text.push_str(&more[..more.floor_char_boundary(room)]);
        Err(fmt::Error)
    }
}

/// Formats a value, cut after about `limit` bytes.
pub fn shown(value: &impl fmt::Display, limit: usize) -> String {
    let mut text = Bounded::new(limit);
    // Fails only if the text is full.
    let _ = write!(text, "{value}");
    text.beginning()
}

/// Cuts a text to at most `most` characters; the last one is an ellipsis if something is cut.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}…", &text[..end])
        }
    }
}

/// A number with a regular noun: `1 word`, `2 words`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::{Bounded, cut, shown};

    #[test]
    fn a_text_ends_at_its_limit() {
        let mut text = Bounded::new(5);
        assert!(text.write_str("abc").is_ok());
        assert!(text.write_str("dé").is_err());
        assert!(text.write_str("x").is_err());
        assert_eq!(text.len(), 4);
        assert_eq!(text.beginning(), "abcd…");
        assert_eq!(shown(&12_345, 3), "123…");
        assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
    }
}
