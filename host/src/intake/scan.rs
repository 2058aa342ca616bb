//! One pass over a JSON text for what the parser does not look at when it keeps the payload as it came: its
//! depth, characters that cannot be stored, numbers that cannot be read.

/// Why a text is refused, and where: line and column from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub why: &'static str,
    /// The line.
    pub line: usize,
    /// The column, in bytes.
    pub column: usize,
}

pub const TOO_DEEP: &str = "nests deeper than 64 levels; flatten it";
pub const NUL: &str = r"holds \u0000, which PostgreSQL cannot store; leave it out";
pub const NUMBER: &str = "holds a number that is out of range; send it as a text";
pub const SURROGATE: &str = "holds half of a surrogate pair; send the whole character";

/// Looks at the whole text. What is not JSON at all is the parser's to say.
pub fn scan(text: &[u8], levels: usize) -> Result<(), Refused> {
    let refuse = |why, at: usize| {
        let before = &text[..at];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = at - before.iter().rposition(|b| *b == b'\n').map_or(0, |nl| nl + 1) + 1;
        Err(Refused { why, line, column })
    };
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        match text[at] {
            b'[' | b'{' => {
                depth += 1;
                if depth > levels {
                    return refuse(TOO_DEEP, at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                at += 1;
                while at < text.len() && text[at] != b'"' {
                    if text[at] == b'\\' {
                        match escape(&text[at + 1..]) {
                            Escape::Nul => return refuse(NUL, at),
                            Escape::Half => return refuse(SURROGATE, at),
                            Escape::Bytes(bytes) => at += bytes,
                        }
                    }
                    at += 1;
                }
            }
            b'0'..=b'9' => {
                let number = &text[at..];
                let length = number.iter().position(|b| !is_numeric(*b)).unwrap_or(number.len());
                if !is_finite(&number[..length]) {
                    return refuse(NUMBER, at);
                }
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
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

    fn why(text: &str) -> Option<&'static str> {
        scan(text.as_bytes(), 64).err().map(|refused| refused.why)
    }

    #[test]
    fn depth_is_counted_outside_of_texts() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(why(&nested(64)), None);
        assert_eq!(why(&nested(65)), Some(TOO_DEEP));
        assert_eq!(why(&format!("\"{}\"", "[".repeat(100))), None);
        assert_eq!(why(&format!(r#""\"{}""#, "[".repeat(100))), None);
    }

    #[test]
    fn numbers_must_fit() {
        assert_eq!(why(r#"{"a": [1, -2.5, 1e10, 123456789012345678901234567890]}"#), None);
        assert_eq!(why("[1e308, -1E308]"), None);
        assert_eq!(why("[1e309]"), Some(NUMBER));
        assert_eq!(why("-1e999"), Some(NUMBER));
        assert_eq!(why(&"9".repeat(400)), Some(NUMBER));
        assert_eq!(why(r#""1e999""#), None);
        assert_eq!(why("1e"), None, "the parser says what is wrong with it");
    }

    #[test]
    fn the_place_is_told() {
        let refused = scan(b"{\n  \"a\": \"\\u0000\"}", 64);
        assert_eq!(refused, Err(Refused { why: NUL, line: 2, column: 9 }));
    }

    #[test]
    fn escapes_are_read_as_json_reads_them() {
        assert_eq!(why(r#""\u0000""#), Some(NUL));
        assert_eq!(why(r#""\\u0000""#), None);
        assert_eq!(why(r#""\ud83d\ude00""#), None);
        assert_eq!(why(r#""\ud83d""#), Some(SURROGATE));
        assert_eq!(why(r#""\ude00""#), Some(SURROGATE));
        assert_eq!(why(r#""\ud83d\n""#), Some(SURROGATE));
        assert_eq!(why(r#""\u12"#), None, "the parser says what is wrong with it");
    }
}
