//! Removes secrets from the answers of services, in all forms in which services write text.
//!
//! A plugin names its secrets but never sees them, and neither do records of decisions, reasons and logs. A service may
//! repeat what it was sent, so its answers are redacted before anything else.

use std::collections::BTreeMap;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::Secret;

/// Minimum length of a redacted text, in bytes: shorter ones occur by chance too often.
const SHORTEST: usize = 4;

/// Characters that `encodeURIComponent`, RFC 3986, forms and paths do not encode.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');
const WHOLE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'%')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
const ENCODINGS: [&AsciiSet; 5] = [NON_ALPHANUMERIC, COMPONENT, UNRESERVED, FORM, WHOLE];

/// All forms of the secrets, the longest first, each with its replacement.
pub(super) struct Redactor(Vec<(String, String)>);

impl Redactor {
    /// Redacts these secrets, by name.
    pub fn new(secrets: &BTreeMap<String, Secret>) -> Redactor {
        let mut forms: Vec<(String, String)> = Vec::new();
        for (name, secret) in secrets {
            let instead = format!("[secret {name}]");
            let found = forms_of(secret.expose()).into_iter().filter(|form| form.len() >= SHORTEST);
            forms.extend(found.map(|form| (form, instead.clone())));
        }
        forms.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Redactor(forms)
    }

    /// Removes secrets from a text.
    pub fn redact(&self, mut text: String) -> String {
        for (form, instead) in &self.0 {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), instead);
            }
        }
        text
    }

    /// Bytes without secrets, be they text or not.
    pub fn redact_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        match String::from_utf8(bytes) {
            Ok(text) => self.redact(text).into_bytes(),
            Err(other) => self.0.iter().fold(other.into_bytes(), |bytes, (form, instead)| {
                replaced(bytes, form.as_bytes(), instead.as_bytes())
            }),
        }
    }
}

fn replaced(bytes: Vec<u8>, form: &[u8], instead: &[u8]) -> Vec<u8> {
    let find = |rest: &[u8]| rest.windows(form.len()).position(|window| window == form);
    let Some(mut at) = find(&bytes) else { return bytes };
    let (mut out, mut rest) = (Vec::with_capacity(bytes.len()), bytes.as_slice());
    loop {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(instead);
        rest = &rest[at + form.len()..];
        match find(rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.extend_from_slice(rest);
    out
}

/// A secret as plain text, in JSON, in a URL, in HTML, in hexadecimal, and in base64 at any offset of the encoded text.
fn forms_of(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let json = json.trim_start_matches('"').strip_suffix('"').unwrap_or(&json).to_owned();
    let ascii: String = json
        .chars()
        .map(|c| match c {
            c if c.is_ascii() => c.to_string(),
            c => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        })
        .collect();
    let html_in_json = ascii.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let entities = |quote: &str| {
        let text = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        text.replace('"', "&quot;").replace('\'', quote)
    };
    let mut forms = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        ascii.replace('/', "\\/"),
        ascii,
        html_in_json.replace('/', "\\/"),
        html_in_json,
        entities("'"),
        entities("&#39;"),
        entities("&#x27;"),
        hex::encode(secret),
        hex::encode_upper(secret),
    ];
    for set in ENCODINGS {
        let upper = utf8_percent_encode(secret, set).to_string();
        forms.push(upper.replace(' ', "+"));
        forms.push(lower_hex(&upper).replace(' ', "+"));
        forms.push(upper);
    }
    forms.extend((0..3).flat_map(|before| in_base64(secret.as_bytes(), before)));
    forms
}

fn lower_hex(encoded: &str) -> String {
    let mut left = 0;
    let lower = |c: char| {
        left = if c == '%' { 2 } else { i32::max(left - 1, -1) };
        if left >= 0 { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

/// The characters of base64 that a secret alone decides, where so many bytes stand before it, modulo 3; whatever
/// stands after it.
fn in_base64(secret: &[u8], before: usize) -> [String; 2] {
    let padded = [&vec![0; before][..], secret].concat();
    // Each character holds 6 bits; those that share a byte with a neighbour differ with it.
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    [STANDARD.encode(&padded), URL_SAFE.encode(&padded)]
        .map(|encoded| encoded.get(first..last).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "open sesame/42+\"ü\"&<~>";

    fn redacted(text: &str) -> String {
        let secrets = BTreeMap::from([
            ("DOOR".to_owned(), Secret::from(SECRET)),
            ("TINY".to_owned(), Secret::from("x")),
        ]);
        Redactor::new(&secrets).redact(text.to_owned())
    }

    #[test]
    fn bytes_that_are_no_text_stay_but_for_secrets() {
        let secrets = BTreeMap::from([("DOOR".to_owned(), Secret::from("sesame"))]);
        let redactor = Redactor::new(&secrets);
        let image = b"\x89PNG\xff\x00\xfe".to_vec();
        assert_eq!(redactor.redact_bytes(image.clone()), image);
        let with = [&image[..], b"sesame", &image, b"sesame"].concat();
        let without = [&image[..], b"[secret DOOR]", &image, b"[secret DOOR]"].concat();
        assert_eq!(redactor.redact_bytes(with), without);
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let lower = lower_hex(&utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string());
        let forms = [
            SECRET.to_owned(),
            serde_json::json!({"key": format!("Bearer {SECRET}")}).to_string(),
            "\"open sesame\\/42+\\\"\\u00fc\\\"&<~>\"".to_owned(),
            "\"open sesame/42+\\\"\\u00fc\\\"\\u0026\\u003c~\\u003e\"".to_owned(),
            "key=open+sesame%2F42%2B%22%C3%BC%22%26%3C%7E%3E".to_owned(),
            "open%20sesame/42+%22%C3%BC%22&%3C~%3E".to_owned(),
            lower,
            "open sesame/42+&quot;ü&quot;&amp;&lt;~&gt;".to_owned(),
            hex::encode(SECRET),
            STANDARD.encode(SECRET),
            STANDARD.encode(format!("user:{SECRET}")),
            STANDARD.encode(format!("use:{SECRET} and more")),
            URL_SAFE.encode(format!("us:{SECRET}???")),
        ];
        for form in forms {
            let text = redacted(&format!("{{\"a\": \"{form}\"}}"));
            assert!(text.contains("[secret DOOR]"), "{form}: {text}");
            assert!(!text.contains("sesame"), "{form}: {text}");
        }
        assert_eq!(redacted("nothing to hide: xxxx"), "nothing to hide: xxxx");
    }
}
