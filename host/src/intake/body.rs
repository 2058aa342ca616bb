//! The ways in which events come in: CloudEvents structured, in a batch or binary, or the plain form.

use std::borrow::Cow;

use axum::http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use super::{
    attributes::{Attributes, Checked, is_json},
    envelope::{Form, Members, read},
    scan::scan,
};
use crate::http::{Errors, Problem, ProblemError};

/// The maximum size of one event, in bytes.
pub const EVENT_LIMIT: usize = 256 * 1024;
/// The maximum size of a batch, in bytes.
pub const BATCH_LIMIT: usize = 16 * 1024 * 1024;
/// The maximum number of events in a batch.
pub const BATCH_EVENTS: usize = 1_000;
/// The maximum nesting depth of arrays and objects in the data.
const DEPTH: usize = 64;

const BATCH: &str = "application/cloudevents-batch+json";
const STRUCTURED: &str = "application/cloudevents+json";

/// The way a request carries events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One JSON object: a CloudEvent or the plain form.
    One(Form),
    /// An array of CloudEvents.
    Batch,
    /// Attributes in `ce-` headers, the payload in the body.
    Binary,
}

impl Way {
    /// The way that the headers declare.
    ///
    /// # Errors
    /// 415 for another content type or charset.
    pub fn of(headers: &HeaderMap) -> Result<Way, Problem> {
        let media_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let unsupported =
            |detail| Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        let binary = headers.keys().any(|name| name.as_str().starts_with("ce-"));
        if binary && media_type.is_none() {
            return Ok(Way::Binary);
        }
        if let Some(charset) = media_type.and_then(other_charset) {
            return unsupported(format!("The charset must be UTF-8, not {charset}."));
        }
        let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case(BATCH) {
            return Ok(Way::Batch);
        }
        if essence.eq_ignore_ascii_case(STRUCTURED) {
            return Ok(Way::One(Form::CloudEvent));
        }
        if !is_json(essence) {
            return unsupported(format!(
                "The content type must be application/json, {STRUCTURED} or {BATCH}, not {}.",
                media_type.unwrap_or("absent")
            ));
        }
        Ok(if binary { Way::Binary } else { Way::One(Form::Plain) })
    }

    /// The maximum size of a body, in bytes.
    pub fn limit(self) -> usize {
        if self == Way::Batch { BATCH_LIMIT } else { EVENT_LIMIT }
    }
}

/// The charset that a media type names, unless it is UTF-8.
fn other_charset(media_type: &str) -> Option<&str> {
    let mut parameters = media_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, charset) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    let charset = charset.trim().trim_matches('"');
    let is_utf_8 = ["utf-8", "utf8", "us-ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name));
    (!is_utf_8).then_some(charset)
}

/// The events in a body.
pub fn events(
    way: Way,
    headers: &HeaderMap,
    body: &[u8],
    default_source: &str,
    now: Timestamp,
) -> Result<Vec<Checked>, Problem> {
    let around = match way {
        Way::Batch => 2,
        Way::One(_) => 1,
        Way::Binary => 0,
    };
    scan(body, DEPTH + around)
        .map_err(|refused| invalid(format!("The JSON {}.", refused.why)).at(refused.line, refused.column))?;
    match way {
        Way::One(form) => {
            let members = parse::<Members<'_>>(body).map_err(|problem| hint(problem, body))?;
            let cloud_event = members.0.iter().any(|(name, _)| name == "specversion");
            let form = if cloud_event { Form::CloudEvent } else { form };
            let event = read(&members, form, "").map_err(wrong)?;
            Ok(vec![event.into_event(default_source, now)])
        }
        Way::Batch => batch(body, default_source, now),
        Way::Binary => binary(headers, body).map(|event| vec![event.into_event(default_source, now)]),
    }
}

fn batch(body: &[u8], default_source: &str, now: Timestamp) -> Result<Vec<Checked>, Problem> {
    let members = parse::<Vec<&RawValue>>(body)?;
    if members.is_empty() || members.len() > BATCH_EVENTS {
        let detail = format!("A batch must have 1 to {BATCH_EVENTS} events, not {}.", members.len());
        let status = if members.is_empty() { StatusCode::BAD_REQUEST } else { StatusCode::PAYLOAD_TOO_LARGE };
        return Err(Problem::new(status, "batch_size", detail));
    }
    let texts = || members.iter().map(|member| member.get()).enumerate();
    let too_large: Vec<ProblemError> = texts()
        .filter(|(_, text)| text.len() > EVENT_LIMIT)
        .map(|(n, text)| ProblemError {
            at: format!("/{n}"),
            detail: format!("has {} bytes; the maximum is {EVENT_LIMIT}", text.len()),
        })
        .collect();
    if !too_large.is_empty() {
        let detail = "Events of the batch are too large, so none of it is accepted; send references to large data instead.";
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "event_too_large", detail);
        return Err(problem.with_errors(too_large));
    }
    let mut events = Vec::with_capacity(members.len());
    let mut errors = Errors::default();
    for (n, text) in texts() {
        let at = format!("/{n}");
        match serde_json::from_str::<Members<'_>>(text) {
            Ok(members) => match read(&members, Form::CloudEvent, &at) {
                Ok(event) => events.push(event.into_event(default_source, now)),
                Err(more) => errors.append(more),
            },
            Err(_) => errors.push(ProblemError { at, detail: "expected an object, a CloudEvent".to_owned() }),
        }
    }
    if errors.is_empty() { Ok(events) } else { Err(wrong(errors)) }
}

fn binary<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Result<Attributes<'a>, Problem> {
    let mut event = Attributes::default();
    let mut errors = Errors::default();
    let mut version = None;
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else { continue };
        let mut refuse = |detail: String| errors.push(ProblemError { at: name.to_string(), detail });
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
        event.data = Some(parse(body)?);
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

fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        // serde_json puts the place at the end; it stands in `line` and `column`.
        let text = text.split(" at line ").next().unwrap_or(&text);
        invalid(format!("The body is not valid JSON: {text}.")).at(error.line(), error.column())
    })
}

/// The problem with a hint: a batch with the wrong media type is a common mistake.
fn hint(problem: Problem, body: &[u8]) -> Problem {
    if body.trim_ascii_start().starts_with(b"[") {
        return invalid(format!(
            "The body must be one event (an object), not an array; send a batch of CloudEvents as {BATCH}."
        ));
    }
    problem
}

fn invalid(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_json", detail)
}

fn wrong(errors: Errors) -> Problem {
    let detail = match errors.listed() {
        [one] => format!("The event is invalid: {}: {}.", one.at, one.detail),
        _ => format!("There are {} errors; see `errors`.", errors.len()),
    };
    Problem::new(StatusCode::BAD_REQUEST, "invalid_event", detail).with_errors(errors)
}

#[cfg(test)]
mod tests;
