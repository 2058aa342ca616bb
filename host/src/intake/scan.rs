//! One pass over a JSON text for what the parser does not look at when it keeps the payload as it came: its depth,
//! members with the same name, characters that cannot be stored, numbers that cannot be read.

use std::{borrow::Cow, fmt};

/// Why a text is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, as the rest of a sentence about the JSON.
    pub why: Cow<'static, str>,
    /// A JSON pointer.
    pub pointer: String,
    /// The place in the text, in bytes.
    pub offset: usize,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        if self.pointer.is_empty() { Ok(()) } else { write!(f, ", at {}", self.pointer) }
    }
}

pub const TOO_DEEP: &str = "nests deeper than 64 levels; flatten it";
pub const NUL: &str = r"holds \u0000, which PostgreSQL cannot store; leave it out";
pub const NUMBER: &str = "holds a number that is out of range; send it as a string";
pub const SURROGATE: &str = "holds half of a surrogate pair; send the whole character";

/// Looks at the whole text. What is not JSON at all is the parser's to say.
pub fn scan(text: &[u8], levels: usize) -> Result<(), Refused> {
    Scanner { text, levels, open: Vec::new(), names: Vec::new(), is_name: false }.run()
}

/// The line and the column of a place in a text, both from 1, the column in bytes.
pub fn place(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = before.len() - before.iter().rposition(|b| *b == b'\n').map_or(0, |nl| nl + 1) + 1;
    (line, column)
}

/// A step of a JSON pointer.
pub fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// An object or an array that is not closed yet.
enum Open {
    /// Its names begin here in [`Scanner::names`].
    Object { first: usize },
    /// The element that is read.
    Array { index: usize },
}

/// A member's name, without escapes, and its place.
type Name<'a> = (Cow<'a, [u8]>, usize);

struct Scanner<'a> {
    text: &'a [u8],
    levels: usize,
    open: Vec<Open>,
    /// The names of the open objects, those of the outer ones first.
    names: Vec<Name<'a>>,
    /// Whether the next string is the name of a member.
    is_name: bool,
}

impl<'a> Scanner<'a> {
    fn run(mut self) -> Result<(), Refused> {
        let text = self.text;
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match byte {
                b'[' | b'{' => {
                    if self.open.len() == self.levels {
                        return self.refuse(TOO_DEEP, at);
                    }
                    self.is_name = *byte == b'{';
                    self.open.push(match self.is_name {
                        true => Open::Object { first: self.names.len() },
                        false => Open::Array { index: 0 },
                    });
                }
                b']' | b'}' => self.close()?,
                b',' => match self.open.last_mut() {
                    Some(Open::Array { index }) => *index += 1,
                    Some(Open::Object { .. }) => self.is_name = true,
                    None => {}
                },
                b'"' => {
                    let end = self.string(at)?;
                    if std::mem::take(&mut self.is_name) {
                        self.names.push((unescaped(text, at, end), at));
                    }
                    at = end;
                }
                b'0'..=b'9' => {
                    let number = &text[at..];
                    let length = number.iter().position(|b| !is_numeric(*b)).unwrap_or(number.len());
                    if !is_finite(&number[..length]) {
                        return self.refuse(NUMBER, at);
                    }
                    at += length - 1;
                }
                _ => {}
            }
            at += 1;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refused> {
        self.is_name = false;
        let Some(Open::Object { first }) = self.open.pop() else { return Ok(()) };
        if let Some((name, offset)) = repeated(&mut self.names[first..]) {
            let name = String::from_utf8_lossy(&name).into_owned();
            self.names.truncate(first);
            let why = format!("has the member {name:?} more than once").into();
            return Err(Refused { why, pointer: format!("{}{}", self.pointer(), step(&name)), offset });
        }
        self.names.truncate(first);
        Ok(())
    }

    /// The place of the quote that ends the string which begins here.
    fn string(&self, start: usize) -> Result<usize, Refused> {
        let mut at = start + 1;
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'"' => break,
                b'\\' => match escape(&self.text[at + 1..]) {
                    Escape::Nul => return self.refuse(NUL, at),
                    Escape::Half => return self.refuse(SURROGATE, at),
                    Escape::Bytes(bytes) => at += bytes,
                },
                _ => {}
            }
            at += 1;
        }
        Ok(at)
    }

    fn refuse<T>(&self, why: &'static str, offset: usize) -> Result<T, Refused> {
        Err(Refused { why: why.into(), pointer: self.pointer(), offset })
    }

    /// Where the value that is read stands; that of its object, while a name is read.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for (level, open) in self.open.iter().enumerate() {
            match open {
                Open::Array { index } => pointer.push_str(&format!("/{index}")),
                Open::Object { .. } if self.is_name && level + 1 == self.open.len() => {}
                Open::Object { .. } => {
                    let inner = self.open[level + 1..].iter().find_map(|open| match open {
                        Open::Object { first } => Some(*first),
                        Open::Array { .. } => None,
                    });
                    let last = inner.unwrap_or(self.names.len()).checked_sub(1);
                    let name = last.and_then(|last| self.names.get(last));
                    pointer.extend(name.map(|(name, _)| step(&String::from_utf8_lossy(name))));
                }
            }
        }
        pointer
    }
}

/// The first name that was there before. Afterwards the names are in another order.
fn repeated<'a>(names: &mut [Name<'a>]) -> Option<Name<'a>> {
    if names.len() < 2 {
        return None;
    }
    names.sort_unstable();
    let again = names.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| &pair[1]);
    again.min_by_key(|(_, offset)| *offset).cloned()
}

/// What a string says, as far as it is one: without its quotes, and its escapes resolved.
fn unescaped(text: &[u8], start: usize, end: usize) -> Cow<'_, [u8]> {
    let raw = text.get(start + 1..end).unwrap_or_default();
    if raw.contains(&b'\\')
        && let Some(quoted) = text.get(start..=end)
        && let Ok(name) = serde_json::from_slice::<String>(quoted)
    {
        return name.into_bytes().into();
    }
    raw.into()
}

fn is_numeric(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
}

/// Whether a number fits into 64 bits, as those who read it demand.
fn is_finite(number: &[u8]) -> bool {
    // The greatest has 309 digits.
    let small = number.len() < 300 && !number.iter().any(|b| matches!(b, b'e' | b'E'));
    small || std::str::from_utf8(number).ok().and_then(|n| n.parse().ok()).is_none_or(f64::is_finite)
}

enum Escape {
    /// So many bytes after the backslash.
    Bytes(usize),
    Nul,
    Half,
}

fn escape(rest: &[u8]) -> Escape {
    let unit = |rest: &[u8]| {
        let digits = rest.strip_prefix(b"u")?.get(..4)?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match unit(rest) {
        None => Escape::Bytes(1),
        Some(0) => Escape::Nul,
        Some(0xd800..=0xdbff) => match rest[5..].strip_prefix(b"\\").and_then(unit) {
            Some(0xdc00..=0xdfff) => Escape::Bytes(11),
            _ => Escape::Half,
        },
        Some(0xdc00..=0xdfff) => Escape::Half,
        Some(_) => Escape::Bytes(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Option<String> {
        scan(text.as_bytes(), 64).err().map(|refused| refused.why.into_owned())
    }

    fn pointer(text: &str) -> String {
        scan(text.as_bytes(), 64)
            .err()
            .map_or_else(|| panic!("{text} is not refused"), |refused| refused.pointer)
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(why(&nested(64)), None);
        assert_eq!(why(&nested(65)), Some(TOO_DEEP.to_owned()));
        assert_eq!(why(&format!("\"{}\"", "[".repeat(100))), None);
        assert_eq!(why(&format!(r#""\"{}""#, "[".repeat(100))), None);
    }

    #[test]
    fn numbers_must_fit() {
        assert_eq!(why(r#"{"a": [1, -2.5, 1e10, 123456789012345678901234567890]}"#), None);
        assert_eq!(why("[1e308, -1E308]"), None);
        assert_eq!(why("[1e309]"), Some(NUMBER.to_owned()));
        assert_eq!(why("-1e999"), Some(NUMBER.to_owned()));
        assert_eq!(why(&"9".repeat(400)), Some(NUMBER.to_owned()));
        assert_eq!(why(r#""1e999""#), None);
        assert_eq!(why("1e"), None, "the parser says what is wrong with it");
    }

    #[test]
    fn the_place_is_told() {
        let text = b"{\n  \"a\": \"\\u0000\"}";
        let refused =
            scan(text, 64).err().map(|refused| (refused.why, refused.pointer, place(text, refused.offset)));
        assert_eq!(refused, Some((NUL.into(), "/a".to_owned(), (2, 9))));
        assert_eq!(pointer(r#"{"a": [1, {"b/c": [0, 1e999]}]}"#), "/a/1/b~1c/1");
        assert_eq!(pointer(r#"{"a": {"b": {}, "c": {"\u0000": 1}}}"#), "/a/c");
        assert_eq!(pointer(r#"{"a": [{"x": 1}, [{}, "\ud800"]], "b": 1}"#), "/a/1/1");
        assert_eq!(pointer("1e999"), "");
    }

    #[test]
    fn members_are_there_once() {
        for once in [
            r#"{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]}"#,
            r#"{"a": "a", "A": ["a", "a"], "á": ",\"a\":"}"#,
            r#"[{}, {"": 1}]"#,
        ] {
            assert_eq!(why(once), None, "{once}");
        }
        for (twice, at) in [
            (r#"{"a": 1, "a": 1}"#, "/a"),
            (r#"{"a": 1, "b": [0, {"x": {"y/z": 1, "q": {}, "y/z": 2}}]}"#, "/b/1/x/y~1z"),
            (r#"{"a": 1, "\u0061": 1}"#, "/a"),
            (r#"[[{"": 1, "": {}}]]"#, "/0/0/"),
            (r#"{"a": [], "b": {}, "c": 1, "b": 1, "a": 1}"#, "/b"),
        ] {
            assert_eq!(pointer(twice), at, "{twice}");
        }
        assert_eq!(why(r#"{"a": 1, "a": 1}"#).as_deref(), Some(r#"has the member "a" more than once"#));
        let text = "{\"a\": 1,\n \"a\": 1}";
        let offset = scan(text.as_bytes(), 64).err().map(|refused| refused.offset);
        assert_eq!(offset.map(|offset| place(text.as_bytes(), offset)), Some((2, 2)));
        let many: Vec<String> = (0..50_000).map(|n| format!("\"{n}\":0")).collect();
        assert_eq!(why(&format!("{{{}}}", many.join(","))), None);
        assert_eq!(pointer(&format!("{{{},\"777\":1}}", many.join(","))), "/777");
    }

    #[test]
    fn escapes_are_read_as_json_reads_them() {
        assert_eq!(why(r#""\u0000""#), Some(NUL.to_owned()));
        assert_eq!(why(r#""\\u0000""#), None);
        assert_eq!(why(r#""\ud83d\ude00""#), None);
        assert_eq!(why(r#""\ud83d""#), Some(SURROGATE.to_owned()));
        assert_eq!(why(r#""\ude00""#), Some(SURROGATE.to_owned()));
        assert_eq!(why(r#""\ud83d\n""#), Some(SURROGATE.to_owned()));
        assert_eq!(why(r#""\u12"#), None, "the parser says what is wrong with it");
    }
}
