//! The ways in which a request carries events: CloudEvents structured, in a batch or binary, or the plain form.

use axum::http::{HeaderMap, StatusCode, header};

use super::{attributes::is_json, envelope::Form};
use crate::http::Problem;

/// The maximum size of one event, in bytes.
pub const EVENT_LIMIT: usize = 256 * 1024;
/// The maximum size of a batch, in bytes.
pub const BATCH_LIMIT: usize = 16 * 1024 * 1024;

/// The media type of a batch of CloudEvents.
pub const BATCH: &str = "application/cloudevents-batch+json";
const STRUCTURED: &str = "application/cloudevents+json";

/// The way a request carries events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One JSON object: a CloudEvent or the plain form.
    One(Form),
    /// An array of such objects.
    Batch(Form),
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
            return Ok(Way::Batch(Form::CloudEvent));
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

    /// The way that the body shows: an array in `application/json` is a batch.
    pub fn shown_by(self, body: &[u8]) -> Way {
        if self.may_be_batch() && body.trim_ascii_start().starts_with(b"[") {
            Way::Batch(Form::Plain)
        } else {
            self
        }
    }

    /// Whether only the body shows whether it is a batch.
    pub fn may_be_batch(self) -> bool {
        self == Way::One(Form::Plain)
    }

    /// Whether it is an array of events.
    pub fn is_batch(self) -> bool {
        matches!(self, Way::Batch(_))
    }

    /// The maximum size of a body, in bytes.
    pub fn limit(self) -> usize {
        if self.is_batch() { BATCH_LIMIT } else { EVENT_LIMIT }
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
