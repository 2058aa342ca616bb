//! An event's attributes as a producer gave them, checked against CloudEvents 1.0 and our limits.

use std::{borrow::Cow, collections::BTreeMap};

use hookswitch_core::domain::{Event, EventKey};
use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const ID_LIMIT: usize = 256;
const TYPE_LIMIT: usize = 256;
const SOURCE_LIMIT: usize = 1_024;
const SUBJECT_LIMIT: usize = 1_024;
const EXTENSION_LIMIT: usize = 4_096;
/// CloudEvents 1.0: names should not be longer than 20 characters; some well-known ones are.
const EXTENSION_NAME_LIMIT: usize = 40;

/// The attributes that CloudEvents defines, but for `specversion`; all are texts.
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
    pub data: Option<&'a RawValue>,
    /// By name; the value as JSON.
    extensions: BTreeMap<String, Box<RawValue>>,
}

/// An event, and the SHA-256 of what its producer said: the same for the same bytes of JSON, in whichever of the three
/// ways they came. Where two differ, the store compares what they say.
#[derive(Debug)]
pub struct Checked {
    /// The event.
    pub event: Event,
    /// Over type, subject, time, data and extensions.
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

    /// The event. Absent attributes get defaults: a new id, the source of the key, the time of arrival.
    pub fn into_event(self, default_source: &str, now: Timestamp) -> Checked {
        let data: Box<RawValue> = self.data.map_or_else(|| RawValue::NULL.to_owned(), ToOwned::to_owned);
        let has_time = self.time.is_some();
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        let kind = self.kind.unwrap_or_default().into_owned();
        part(&kind);
        // None of these is empty where it is there.
        part(self.subject.as_deref().unwrap_or_default());
        part(&self.time.map(|time| time.to_string()).unwrap_or_default());
        part(data.get());
        for (name, value) in &self.extensions {
            part(name);
            part(value.get());
        }
        let extensions = (!self.extensions.is_empty())
            .then(|| serde_json::value::to_raw_value(&self.extensions).ok())
            .flatten();
        let event = Event {
            key: EventKey {
                id: self.id.map_or_else(|| Uuid::now_v7().to_string(), Cow::into_owned),
                source: self.source.map_or_else(|| default_source.to_owned(), Cow::into_owned),
            },
            kind,
            subject: self.subject.map(Cow::into_owned),
            time: self.time.unwrap_or(now),
            data,
            extensions,
        };
        Checked { event, sha256: hash.finalize().into(), has_time }
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
