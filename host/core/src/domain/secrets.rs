//! Values that must not stay, such as one-time codes: they are in a message until it is settled, and elsewhere hidden.

use std::fmt;

use serde_json::Value;

use super::{Asked, Message, Outcome, Verdict};

/// What stands in place of a hidden value.
pub const HIDDEN: &str = "••••••";
/// From this length on, in characters, a value is found within a longer word too; a shorter one only as a word of its own,
/// so that the code 1234 hides nothing of the number 712345.
const WITHIN: usize = 6;
/// Minimum length of a part of a value that is hidden, in characters: the token of a link, for example.
const PART: usize = 4;

/// The values that must not stay of what was decided about an event.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// The texts and numbers in these values, at any depth.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a Value>) -> Secrets {
        let mut secrets = Secrets::default();
        values.into_iter().for_each(|value| secrets.add(value));
        secrets
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds those of others.
    pub fn extend(&mut self, others: Secrets) {
        others.0.into_iter().for_each(|text| self.add_text(&text));
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add_text(text),
            Value::Number(number) => self.add_text(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(members) => members.values().for_each(|member| self.add(member)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn add_text(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() && !self.0.iter().any(|known| known == text) {
            self.0.push(text.to_owned());
            // What contains another is looked for first.
            self.0.sort_by_key(|text| std::cmp::Reverse(text.len()));
        }
    }

    /// Whether a text has one of the values, also with other spaces and signs in it: `482 913` for `482913`.
    pub fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| next(text, secret, 0).is_some() || is_in_other_signs(text, secret))
    }

    /// Whether a text is a part of one of the values, of which it may have been made.
    fn have_part(&self, text: &str) -> bool {
        let part = bare(text);
        part.chars().count() >= PART && self.0.iter().any(|secret| bare(secret).contains(&part))
    }

    /// The text without the values.
    pub fn hide(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.0 {
            let mut from = 0;
            while let Some(at) = next(&shown, secret, from) {
                shown.replace_range(at..at + secret.len(), HIDDEN);
                from = at + HIDDEN.len();
            }
        }
        if self.are_in(&shown) { HIDDEN.to_owned() } else { shown }
    }

    /// Hides the values in all texts and numbers of a value, and what they may have been made of.
    pub fn hide_in(&self, value: &mut Value) {
        self.hide_leaves(value, true);
    }

    fn hide_leaves(&self, value: &mut Value, parts: bool) {
        match value {
            Value::String(text) if parts && self.have_part(text) => HIDDEN.clone_into(text),
            Value::String(text) => *text = self.hide(text),
            Value::Number(number) => {
                let text = number.to_string();
                if self.are_in(&text) || (parts && self.have_part(&text)) {
                    *value = HIDDEN.into();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_leaves(item, parts)),
            Value::Object(members) => {
                for (name, mut member) in std::mem::take(members) {
                    self.hide_leaves(&mut member, parts);
                    members.insert(self.hide(&name), member);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The strings and numbers of a JSON text that have one of the values, or are a part of one: each with its first
    /// character, from 0, and its length in characters.
    pub fn places(&self, json: &str) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        let (mut rest, mut place) = (json, 0);
        while let Some(first) = rest.chars().next() {
            let (literal, after) = rest.split_at(match first {
                '"' => string(rest),
                '-' | '0'..='9' => number(rest),
                other => other.len_utf8(),
            });
            let length = literal.chars().count();
            if literal.len() > 1 || first.is_ascii_digit() {
                let text = serde_json::from_str(literal).unwrap_or_else(|_| literal.to_owned());
                let is_name = after.trim_start().starts_with(':');
                if self.are_in(&text) || (!is_name && self.have_part(&text)) {
                    places.push((place, length));
                }
            }
            place += length;
            rest = after;
        }
        places
    }

    /// The message without the values.
    pub fn hide_in_message(&self, message: &Message) -> Message {
        let hidden = || Message { body: HIDDEN.to_owned(), ..Message::default() };
        let mut kept = serde_json::to_value(message).unwrap_or_default();
        self.hide_leaves(&mut kept, false);
        Message { is_kept: true, ..serde_json::from_value(kept).unwrap_or_else(|_| hidden()) }
    }

    /// Whether a message has one of the values.
    pub fn are_in_message(&self, message: &Message) -> bool {
        !self.is_empty()
            && serde_json::to_string(message).is_ok_and(|message| !self.places(&message).is_empty())
    }

    /// The verdict as it is kept and shown.
    pub fn hide_in_verdict(&self, verdict: &Verdict) -> Verdict {
        if self.is_empty() {
            return verdict.clone();
        }
        let mut kept = verdict.clone();
        match &mut kept.outcome {
            Outcome::Notify(decision) => {
                decision.context.values_mut().for_each(|value| self.hide_in(value));
                // A decision with a value in a key has failed, and is kept all the same.
                for text in
                    [&mut decision.reason, &mut decision.key, &mut decision.dedupe_key].into_iter().flatten()
                {
                    *text = self.hide(text);
                }
                decision.cancel.iter_mut().for_each(|key| *key = self.hide(key));
            }
            Outcome::Cancel(cancel) => {
                cancel.reason.iter_mut().chain(&mut cancel.cancel).for_each(|text| *text = self.hide(text));
            }
            Outcome::Skip(why) | Outcome::Failed(why) | Outcome::Parked { why, .. } => *why = self.hide(why),
            Outcome::NoRoute => {}
        }
        let hide = |asked: &Asked| {
            let mut asked = asked.clone();
            self.hide_in(&mut asked.question);
            self.hide_in(&mut asked.answer);
            asked
        };
        kept.asked = verdict.asked.iter().map(hide).collect();
        kept
    }
}

/// Letters and digits only.
fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where a value is found in a text, from a place on.
fn next(text: &str, secret: &str, from: usize) -> Option<usize> {
    let is_long = secret.chars().count() >= WITHIN;
    let rest = text.get(from..)?;
    let found = rest.match_indices(secret).map(|(at, _)| from + at);
    found.into_iter().find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + secret.len()..].chars().next();
        is_long || ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

/// Whether a value stands in a text with other spaces and signs in it.
fn is_in_other_signs(text: &str, secret: &str) -> bool {
    let (text, secret) = (bare(text), bare(secret));
    !secret.is_empty() && (text == secret || (secret.chars().count() >= WITHIN && text.contains(&secret)))
}

/// The length of the string literal at the beginning of a JSON text, in bytes.
fn string(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

/// The length of the number at the beginning of a JSON text, in bytes.
fn number(json: &str) -> usize {
    json.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(json.len())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(values: &[Value]) -> Secrets {
        Secrets::new(values)
    }

    #[test]
    fn a_value_is_found_however_it_is_written() {
        let secrets = secrets(&[json!("482913")]);
        for text in ["482913", "Code: 482913.", "482-913", "482 913", "token482913x"] {
            assert!(secrets.are_in(text), "{text}");
        }
        for text in ["48291", "order 7", ""] {
            assert!(!secrets.are_in(text), "{text}");
        }
        assert_eq!(secrets.hide("Code 482913, again 482913"), "Code ••••••, again ••••••");
        assert_eq!(secrets.hide("482-913"), HIDDEN);
        assert_eq!(secrets.hide("order 7"), "order 7");
    }

    #[test]
    fn a_short_value_is_a_word_of_its_own() {
        let secrets = secrets(&[json!(1234)]);
        assert_eq!(secrets.hide("1234 is the code of order 712345"), "•••••• is the code of order 712345");
        assert!(!secrets.are_in("+263771234567"));
    }

    #[test]
    fn what_a_value_was_made_of_is_hidden_in_the_events_copy() {
        let secrets = secrets(&[json!("https://shop.example/reset?t=Zx81kk")]);
        let mut data = json!({"token": "Zx81kk", "user": "ann", "n": 3});
        secrets.hide_in(&mut data);
        assert_eq!(data, json!({"token": HIDDEN, "user": "ann", "n": 3}));
    }

    #[test]
    fn the_places_are_those_of_whole_literals() {
        let secrets = secrets(&[json!("482913")]);
        let json = r#"{"é": "x", "code":482913, "text": "is \"482913\"", "482913": true, "n": 7}"#;
        let mut hidden: Vec<char> = json.chars().collect();
        for (start, length) in secrets.places(json).into_iter().rev() {
            hidden.splice(start..start + length, format!("{HIDDEN:?}").chars());
        }
        let hidden: Value = serde_json::from_str(&hidden.into_iter().collect::<String>()).unwrap();
        assert_eq!(hidden, json!({"é": "x", "code": HIDDEN, "text": HIDDEN, HIDDEN: true, "n": 7}));
    }
}
