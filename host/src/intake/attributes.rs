//! An event's attributes as a producer gave them, checked against CloudEvents 1.0 and our limits.

use std::{borrow::Cow, collections::BTreeMap};

use hookswitch_core::domain::{Event, EventKey, fingerprint};
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

const ID_LIMIT: usize = 256;
const TYPE_LIMIT: usize = 256;
const SOURCE_LIMIT: usize = 1_024;
const SUBJECT_LIMIT: usize = 1_024;
const EXTENSION_LIMIT: usize = 4_096;
/// CloudEvents 1.0: names should not be longer than 20 characters; some well-known ones are.
const EXTENSION_NAME_LIMIT: usize = 40;

/// The attributes that CloudEvents defines, except `specversion`; all are strings.
pub const DEFINED: [&str; 6] = ["id", "source", "type", "subject", "time", "datacontenttype"];

/// What a producer said of an event.
#[derive(Debug, Default)]
pub struct Attributes<'a> {
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    subject: Option<Cow<'a, str>>,
    time: Option<Timestamp>,
    /// The payload.
    pub data: Option<Cow<'a, RawValue>>,
    /// By name; the value as JSON.
    extensions: BTreeMap<String, Box<RawValue>>,
}

/// What an event gets where its producer left it out.
#[derive(Debug)]
pub struct Defaults<'a> {
    /// The source of the caller's events.
    pub source: &'a str,
    /// The time of arrival.
    pub now: Timestamp,
    /// The trace context of the request, as extension attributes.
    pub trace: BTreeMap<String, Box<RawValue>>,
}

/// An event with its fingerprint: the same for the same bytes of JSON, in whichever of the ways they came. Where two
/// differ, the store compares what they say.
#[derive(Debug)]
pub struct Checked {
    /// The event.
    pub event: Event,
    /// See [`fingerprint`].
    pub sha256: [u8; 32],
    /// Whether the producer said when it happened.
    pub has_time: bool,
}

impl<'a> Attributes<'a> {
    /// Sets an attribute, or an extension attribute where the name is none of CloudEvents'. `raw` is its JSON,
    /// where it came as JSON.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn set(&mut self, name: &str, text: Cow<'a, str>, raw: Option<&RawValue>) -> Result<(), String> {
        let limited = |limit: usize| match text.len() {
            length if length > limit => Err(format!("has {length} bytes; at most {limit} are taken")),
            _ if text.chars().any(char::is_control) => {
                Err("holds a control character; leave it out".to_owned())
            }
            _ => Ok(()),
        };
        let there = |limit: usize| match text.is_empty() {
            true => Err("must not be empty; omit it if there is nothing to say".to_owned()),
            false => limited(limit),
        };
        let word = |limit: usize, example: &str| match text.contains(char::is_whitespace) {
            true => Err(format!("holds white space; expected such as {example}")),
            false => there(limit),
        };
        match name {
            "id" => there(ID_LIMIT).map(|()| self.id = Some(text)),
            "source" => word(SOURCE_LIMIT, "/shop").map(|()| self.source = Some(text)),
            "subject" => there(SUBJECT_LIMIT).map(|()| self.subject = Some(text)),
            "type" => word(TYPE_LIMIT, "order.created").map(|()| self.kind = Some(text)),
            "time" => {
                let time = text.parse().ok().filter(|_| is_rfc_3339(&text)).ok_or_else(|| {
                    format!("expected a time such as 2026-11-23T09:00:00Z (RFC 3339), got {text:?}")
                })?;
                self.time = Some(time);
                Ok(())
            }
            "datacontenttype" if is_json(&text) => Ok(()),
            "datacontenttype" => Err(format!("expected application/json, got {text:?}: only JSON is taken")),
            _ => {
                if name.is_empty()
                    || name.len() > EXTENSION_NAME_LIMIT
                    || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                {
                    return Err(
                        "an extension attribute's name has lower-case letters and digits only".to_owned()
                    );
                }
                limited(EXTENSION_LIMIT)?;
                let value = match raw {
                    Some(raw) => raw.to_owned(),
                    None => {
                        serde_json::value::to_raw_value(text.as_ref()).map_err(|error| error.to_string())?
                    }
                };
                self.extensions.insert(name.to_owned(), value);
                Ok(())
            }
        }
    }

    /// The required attributes that are missing, each with what is expected.
    pub fn missing(&self, cloud_event: bool) -> Vec<(&'static str, String)> {
        let mut missing = Vec::new();
        if self.kind.is_none() {
            missing
                .push(("type", "missing; expected the kind of event, for example order.created".to_owned()));
        }
        if cloud_event && self.id.is_none() {
            missing.push(("id", "missing; CloudEvents requires it".to_owned()));
        }
        if cloud_event && self.source.is_none() {
            missing.push(("source", "missing; CloudEvents requires it".to_owned()));
        }
        if !cloud_event && self.data.is_none() {
            missing.push(("data", "missing; send {} if the event has no data".to_owned()));
        }
        missing
    }

    /// The event. Absent attributes get defaults: a new id, and what the request says.
    pub fn into_event(mut self, defaults: &Defaults<'_>) -> Checked {
        let data = self.data.map_or_else(|| RawValue::NULL.to_owned(), Cow::into_owned);
        let kind = self.kind.unwrap_or_default().into_owned();
        // What the producer said, and no more.
        let sha256 = fingerprint(&kind, self.subject.as_deref(), self.time, data.get(), &self.extensions);
        if !Event::TRACE_CONTEXT.iter().any(|name| self.extensions.contains_key(*name)) {
            self.extensions.extend(defaults.trace.clone());
        }
        let extensions = (!self.extensions.is_empty())
            .then(|| serde_json::value::to_raw_value(&self.extensions).ok())
            .flatten();
        let event = Event {
            key: EventKey {
                id: self.id.map_or_else(|| Uuid::now_v7().to_string(), Cow::into_owned),
                source: self.source.map_or_else(|| defaults.source.to_owned(), Cow::into_owned),
            },
            kind,
            subject: self.subject.map(Cow::into_owned),
            time: self.time.unwrap_or(defaults.now),
            data,
            extensions,
        };
        Checked { event, sha256, has_time: self.time.is_some() }
    }
}

/// Whether a time that jiff reads has the form of RFC 3339; jiff reads more.
fn is_rfc_3339(text: &str) -> bool {
    let date_and_time = b"0000-00-00T00:00:00";
    !text.contains('[')
        && text.len() > date_and_time.len()
        && text.bytes().zip(date_and_time).all(|(is, form)| match form {
            b'0' => is.is_ascii_digit(),
            b'T' => is.eq_ignore_ascii_case(form),
            _ => is == *form,
        })
}

/// Whether a media type is JSON: `application/json`, `text/json`, or with the suffix `+json`.
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "text/json") || essence.ends_with("+json")
}
