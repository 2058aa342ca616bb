//! From a body to events: CloudEvents 1.0 in JSON, and the plain form.

use std::{borrow::Cow, fmt};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    attributes::{Attributes, DEFINED},
    body::DEPTH,
    scan::{scan, step},
};
use crate::http::{Errors, ProblemError};

/// The members of a JSON object in order, with their values unparsed.
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Members<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(member, _)| member == name)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader).map(Members)
    }
}

/// The name of a member, borrowed unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(name))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(name.to_owned()))
            }
        }
        deserializer.deserialize_str(Reader).map(Name)
    }
}

/// The form of an event, which decides about members that are no attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A CloudEvent: further members are extension attributes.
    CloudEvent,
    /// `{type, data, id?, source?, subject?, time?}`: further members are errors.
    Plain,
}

const PLAIN: [&str; 6] = ["type", "data", "id", "source", "subject", "time"];

/// Reads the members of one event; one with `specversion` is a CloudEvent in either form.
///
/// # Errors
/// All errors in it, each with a JSON pointer that begins with `at`.
pub fn read<'a>(members: &Members<'a>, form: Form, at: &str) -> Result<Attributes<'a>, Errors> {
    let mut event = Attributes::default();
    let mut errors = Errors::default();
    let mut version = None;
    let mut binary = None;
    let form = if members.has("specversion") { Form::CloudEvent } else { form };
    for (name, value) in &members.0 {
        let mut refuse =
            |detail: String| errors.push(ProblemError { at: format!("{at}{}", step(name)), detail });
        if form == Form::Plain && !PLAIN.contains(&name.as_ref()) {
            let near = closest(name).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            refuse(format!("unknown member{near}; the payload belongs in `data`"));
            continue;
        }
        if name == "data" {
            event.data = Some(Cow::Borrowed(*value));
            continue;
        }
        let text = match attribute(name, value) {
            Ok(Some(text)) => text,
            Ok(None) => continue,
            Err(detail) => {
                refuse(detail);
                continue;
            }
        };
        if name == "specversion" {
            version = Some(text);
            continue;
        }
        if name == "data_base64" {
            binary = Some(text);
            continue;
        }
        if let Err(detail) = event.set(name, text, Some(value)) {
            refuse(detail);
        }
    }
    if let Some(base64) = binary {
        match decoded(&base64) {
            _ if event.data.is_some() => Err("must not be used together with `data`".to_owned()),
            decoded => decoded.map(|data| event.data = data.map(Cow::Owned)),
        }
        .unwrap_or_else(|detail| errors.push(ProblemError { at: format!("{at}/data_base64"), detail }));
    }
    if form == Form::CloudEvent && version.as_deref() != Some("1.0") {
        let detail = match &version {
            Some(version) => format!("expected \"1.0\", got {version:?}"),
            None => "missing: expected \"1.0\"".to_owned(),
        };
        errors.push(ProblemError { at: format!("{at}/specversion"), detail });
    }
    errors.extend(
        event
            .missing(form == Form::CloudEvent)
            .into_iter()
            .map(|(name, detail)| ProblemError { at: format!("{at}/{name}"), detail }),
    );
    if errors.is_empty() { Ok(event) } else { Err(errors) }
}

/// The JSON in `data_base64`; nothing if it is empty, like an empty body in binary mode. (CloudEvents' JSON format 1.0.2,
/// section 3.1.1.)
fn decoded(base64: &str) -> Result<Option<Box<RawValue>>, String> {
    let bytes = BASE64.decode(base64).map_err(|error| format!("expected base64 (RFC 4648): {error}"))?;
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let not_json = |error: String| format!("expected JSON in base64, as only JSON is accepted: {error}");
    let text = String::from_utf8(bytes).map_err(|error| not_json(error.to_string()))?;
    scan(text.as_bytes(), DEPTH).map_err(|refused| format!("the JSON in it {refused}"))?;
    let json: &RawValue = serde_json::from_str(&text).map_err(|error| not_json(error.to_string()))?;
    Ok(Some(json.to_owned()))
}

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An attribute's text; null is as good as absent. Extension attributes may be booleans and whole numbers of 32
/// bits too. (CloudEvents' JSON format 1.0.2, section 2.2.)
fn attribute<'a>(name: &str, value: &'a RawValue) -> Result<Option<Cow<'a, str>>, String> {
    let raw = value.get();
    match raw.as_bytes().first() {
        Some(b'"') => {
            let text: Result<Name<'_>, _> = serde_json::from_str(raw);
            text.map(|Name(text)| Some(text)).map_err(|error| format!("expected a string: {error}"))
        }
        Some(b'n') => Ok(None),
        Some(b'{' | b'[') => Err("expected a string, got an object or an array".to_owned()),
        _ if ["specversion", "data_base64"].contains(&name) || DEFINED.contains(&name) => {
            Err(format!("expected a string, got {raw}; put it in quotes"))
        }
        Some(b't' | b'f') => Ok(Some(Cow::Borrowed(raw))),
        _ if raw.parse::<i32>().is_ok() => Ok(Some(Cow::Borrowed(raw))),
        _ => Err(format!("expected a string or a whole number of 32 bits, got {raw}; put it in quotes")),
    }
}

fn closest(name: &str) -> Option<&'static str> {
    // A name that is much longer is near to none of them.
    if name.len() > 40 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    PLAIN.into_iter().find(|known| name.contains(known) || strsim::jaro_winkler(&name, known) > 0.8)
}
