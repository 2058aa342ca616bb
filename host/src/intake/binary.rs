//! CloudEvents in binary mode: attributes in `ce-` headers, the payload in the body.

use std::borrow::Cow;

use axum::http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::{
    attributes::Attributes,
    body::{parse, wrong},
};
use crate::http::{Errors, Problem, ProblemError};

/// The event in a request.
///
/// # Errors
/// 400 with all errors in its headers, or for a body that is not JSON.
pub fn read<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Result<Attributes<'a>, Problem> {
    let mut event = Attributes::default();
    let mut errors = Errors::default();
    let mut version = None;
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else { continue };
        let mut refuse = |detail: String| errors.push(ProblemError { at: name.to_string(), detail });
        let mut values = headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            refuse("must appear only once".to_owned());
            continue;
        };
        let Some(text) = value.to_str().ok().and_then(decode) else {
            refuse("expected percent-encoded UTF-8".to_owned());
            continue;
        };
        if attribute == "specversion" {
            version = Some(text);
        } else if let Err(detail) = event.set(attribute, text, None) {
            refuse(detail);
        }
    }
    if version.as_deref() != Some("1.0") {
        let detail = format!("expected 1.0, got {}", version.as_deref().unwrap_or("nothing"));
        errors.push(ProblemError { at: "ce-specversion".to_owned(), detail });
    }
    let missing = event.missing(true);
    errors
        .extend(missing.into_iter().map(|(name, detail)| ProblemError { at: format!("ce-{name}"), detail }));
    if !errors.is_empty() {
        return Err(wrong(errors));
    }
    if !body.trim_ascii().is_empty() {
        event.data = Some(Cow::Borrowed(parse(body)?));
    }
    Ok(event)
}

/// An attribute from its header: unquoted, then percent-decoded UTF-8. (CloudEvents' HTTP binding 1.0.2, 3.1.3.2.)
fn decode(value: &str) -> Option<Cow<'_, str>> {
    let Some(quoted) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return percent_decode_str(value).decode_utf8().ok();
    };
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next()? } else { c });
    }
    percent_decode_str(&text).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
}
