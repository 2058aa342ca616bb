//! Whether two texts say the same, however each is written.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

use super::Event;

/// The maximum depth that is compared: more than any event has.
const DEPTH: usize = 128;

/// Whether two JSON texts have the same value. White space, the order of members, escapes in texts and the spelling of
/// numbers (`1`, `1.0`, `10e-1`) do not matter; every digit does, and texts are not normalized.
pub fn is_same_json(one: &str, other: &str) -> bool {
    let read = |text| Reader { text, at: 0 }.whole();
    one == other || read(one).is_some_and(|one| read(other).is_some_and(|other| one == other))
}

/// Whether two sets of extension attributes, each a JSON object, say the same. An integer or a boolean is the same as its
/// text, which is how it comes in a header. The trace context does not count: each attempt to send has another.
pub fn are_same_extensions(one: Option<&str>, other: Option<&str>) -> bool {
    one == other || extensions(one).is_some_and(|one| extensions(other) == Some(one))
}

fn extensions(json: Option<&str>) -> Option<BTreeMap<String, String>> {
    let all: BTreeMap<String, &RawValue> =
        json.map_or_else(|| Ok(BTreeMap::new()), serde_json::from_str).ok()?;
    let counted = all.into_iter().filter(|(name, _)| !Event::TRACE_CONTEXT.contains(&name.as_str()));
    let text = |value: &RawValue| match (value.get(), value.get().parse::<i32>()) {
        (_, Ok(integer)) => Some(integer.to_string()),
        (text, Err(_)) if text.starts_with('"') => serde_json::from_str(text).ok(),
        (other, Err(_)) => Some(other.to_owned()),
    };
    counted.map(|(name, value)| Some((name, text(value)?))).collect()
}

/// A JSON value without its spelling.
#[derive(PartialEq)]
enum Node<'a> {
    Literal(&'a str),
    Number(Decimal<'a>),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(BTreeMap<Cow<'a, str>, Node<'a>>),
}

/// A number with all of its digits.
#[derive(PartialEq)]
enum Decimal<'a> {
    /// `digits` times ten to the power of `exponent`; no digits for zero.
    Value { negative: bool, digits: String, exponent: i64 },
    /// A number whose exponent does not fit: it is the same only if it is spelled alike.
    Spelled(&'a str),
}

impl Decimal<'_> {
    fn of(text: &str) -> Decimal<'_> {
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        if digits.is_empty() {
            return Decimal::Value { negative: false, digits: String::new(), exponent: 0 };
        }
        let significant = digits.trim_end_matches('0');
        let shift = i64::try_from(digits.len() - significant.len())
            .and_then(|zeros| i64::try_from(fraction.len()).map(|fraction| zeros - fraction));
        let exponent =
            power.parse().ok().zip(shift.ok()).and_then(|(power, shift)| i64::checked_add(power, shift));
        match exponent {
            Some(exponent) => Decimal::Value { negative, digits: significant.to_owned(), exponent },
            None => Decimal::Spelled(text),
        }
    }
}

/// Reads valid JSON; what is not valid is nothing.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn whole(mut self) -> Option<Node<'a>> {
        let node = self.value(DEPTH)?;
        self.peek().is_none().then_some(node)
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..)?.as_bytes();
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, levels: usize) -> Option<Node<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Node::Text),
            b'[' => self.list(levels.checked_sub(1)?).map(Node::List),
            b'{' => self.object(levels.checked_sub(1)?).map(Node::Object),
            b'-' | b'0'..=b'9' => {
                let number =
                    self.run(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))?;
                Some(Node::Number(Decimal::of(number)))
            }
            _ => {
                let word = self.run(|byte| byte.is_ascii_lowercase())?;
                matches!(word, "null" | "true" | "false").then_some(Node::Literal(word))
            }
        }
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let length = rest.bytes().take_while(|byte| belongs(*byte)).count();
        self.at += length;
        rest.get(..length)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let rest = self.text.get(self.at..)?;
        let (mut end, mut escaped) = (1, false);
        loop {
            match rest.as_bytes().get(end)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    end += 2;
                }
                _ => end += 1,
            }
        }
        self.at += end + 1;
        match escaped {
            true => serde_json::from_str(rest.get(..=end)?).ok().map(Cow::Owned),
            false => rest.get(1..end).map(Cow::Borrowed),
        }
    }

    fn list(&mut self, levels: usize) -> Option<Vec<Node<'a>>> {
        let mut list = Vec::new();
        self.at += 1;
        if self.takes(b']') {
            return Some(list);
        }
        loop {
            list.push(self.value(levels)?);
            if !self.takes(b',') {
                return self.takes(b']').then_some(list);
            }
        }
    }

    fn object(&mut self, levels: usize) -> Option<BTreeMap<Cow<'a, str>, Node<'a>>> {
        let mut members = BTreeMap::new();
        self.at += 1;
        if self.takes(b'}') {
            return Some(members);
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let name = self.string()?;
            if !self.takes(b':') {
                return None;
            }
            members.insert(name, self.value(levels)?);
            if !self.takes(b',') {
                return self.takes(b'}').then_some(members);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_same(texts: &[&str]) {
        for one in texts {
            for other in texts {
                assert!(is_same_json(one, other), "{one} is {other}");
            }
        }
    }

    fn all_different(texts: &[&str]) {
        for (n, one) in texts.iter().enumerate() {
            for (m, other) in texts.iter().enumerate() {
                assert_eq!(is_same_json(one, other), n == m, "{one}, {other}");
            }
        }
    }

    #[test]
    fn the_spelling_does_not_matter() {
        all_same(&[
            r#"{"a":[1,{"b":null}],"ü":"é/"}"#,
            " { \"\\u00fc\" : \"\\u00e9\\/\",\n\"a\":[ 1, {\"b\": null} ] }\t",
        ]);
        all_same(&["1", "1.0", "1.000", "1e0", "10e-1", "0.1E+1", "100E-2"]);
        all_same(&["0", "-0", "0.00", "0e99999999999999999999", "-0.0e-7"]);
        all_same(&["12345678901234567890", "1234567890123456789e1", "12345678901234567890.0"]);
        all_same(&[r#""😀""#, r#""\ud83d\ude00""#]);
        all_same(&["[]", "[ ]"]);
        all_same(&["{}", "{\n}"]);
    }

    #[test]
    fn the_value_does() {
        all_different(&[
            "1", "-1", "\"1\"", "true", "\"true\"", "null", "[]", "{}", "\"\"", "[1]", "10", "0.1", "0",
        ]);
        all_different(&[
            "12345678901234567890",
            "12345678901234567891",
            "1234567890123456789",
            "12345678901234567890.1",
        ]);
        all_different(&[
            "0.1",
            "0.10000000000000000001",
            "1e-99999999999999999999",
            "1e-99999999999999999998",
        ]);
        // Composed and decomposed, upper and lower case, with and without a space.
        all_different(&[r#""é""#, r#""e\u0301""#, r#""É""#, r#""é ""#]);
        all_different(&[
            "[1,2]",
            "[2,1]",
            "[1,2,null]",
            "[[1,2]]",
            r#"{"a":1}"#,
            r#"{"a":1,"b":null}"#,
            r#"{"A":1}"#,
        ]);
    }

    #[test]
    fn what_is_not_json_is_the_same_as_nothing_else() {
        for broken in
            ["", "{", "[1,", "[1 2]", "{\"a\" 1}", "{1:2}", "\"a", "\"\\", "nul", "1 2", "\"\\ud800\""]
        {
            assert!(!is_same_json(broken, "1") && !is_same_json("1", broken), "{broken}");
            assert!(is_same_json(broken, broken));
        }
        let deep = |space: &str| format!("{}{space}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(!is_same_json(&deep(""), &deep(" ")), "a depth that no event has");
    }

    #[test]
    fn extensions_are_the_same_in_headers_and_in_json() {
        let same = |one: &str, other: &str| are_same_extensions(Some(one), Some(other));
        assert!(same(r#"{"rate":30,"on":true,"x":"é"}"#, r#"{"x":"\u00e9","on":"true","rate":"30"}"#));
        assert!(same(r#"{"rate":-0}"#, r#"{"rate":0}"#));
        assert!(!same(r#"{"rate":30}"#, r#"{"rate":"030"}"#));
        assert!(!same(r#"{"rate":30}"#, r#"{"rate":31}"#));
        assert!(!same(r#"{"rate":30}"#, r#"{"rate":30,"on":true}"#));
        assert!(same(r#"{"traceparent":"a","x":"1"}"#, r#"{"tracestate":"b","x":"1"}"#));
        assert!(are_same_extensions(Some(r#"{"traceparent":"a"}"#), None));
        assert!(!are_same_extensions(Some(r#"{"x":"a"}"#), None));
    }
}
