//! JSON as Meta writes it into webhooks: ASCII only, with `/`, `<`, `%` and `@` escaped too.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// `value` as escaped JSON.
pub fn to_escaped_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Escaped))?;
    Ok(bytes)
}

struct Escaped;

impl Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let plain = |b: u8| b.is_ascii() && !matches!(b, b'/' | b'<' | b'%' | b'@');
        let mut rest = fragment;
        while let Some(at) = rest.bytes().position(|b| !plain(b)) {
            let (before, special) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut chars = special.chars();
            match chars.next() {
                Some('/') => writer.write_all(b"\\/")?,
                Some(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
                None => {}
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn escapes_as_meta_does_and_means_the_same() {
        let value = json!({"text": "äöå 👍 <b> 5% a@b https://x.y/z \"\n", "ключ": 1});
        let escaped = String::from_utf8(to_escaped_json(&value).unwrap()).unwrap();
        assert!(escaped.is_ascii());
        assert!(
            escaped.contains(r"\u00e4\u00f6\u00e5 \ud83d\udc4d \u003cb> 5\u0025 a\u0040b https:\/\/x.y\/z"),
            "{escaped}"
        );
        assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
    }
}
