//! Texts with an end.

use std::fmt::{self, Write};

/// How long a reason, a thrown text or a printed line of an author may be, in characters; the rest is cut.
pub const REASON: usize = 1_000;

/// A text that takes up to a limit of bytes; whatever writes more into it is told to stop.
#[derive(Debug)]
pub struct Bounded {
    text: String,
    limit: usize,
    full: bool,
}

impl Bounded {
    /// An empty text of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Bounded { text: String::new(), limit, full: false }
    }

    /// The text; `None` where more was written than fits.
    pub fn whole(self) -> Option<String> {
        (!self.full).then_some(self.text)
    }

    /// The text, with an ellipsis at its end where more was written than fits.
    pub fn beginning(mut self) -> String {
        if self.full {
            self.text.push('…');
        }
        self.text
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing was written.
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

/// What a value shows, cut after about `limit` bytes.
pub fn shown(value: &impl fmt::Display, limit: usize) -> String {
    let mut text = Bounded::new(limit);
    // Fails only where the text is full.
    let _ = write!(text, "{value}");
    text.beginning()
}

/// A text of at most `most` characters, the last an ellipsis where something is cut.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}…", &text[..end])
        }
    }
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
