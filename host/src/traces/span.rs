//! A span, and how OTLP writes it in JSON.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::{Context, Place, SpanId};

/// What kind of work a span is, by OTLP's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Within this program.
    Internal = 1,
    /// Somebody asked for it and waits.
    Server = 2,
    /// We ask somebody and wait.
    Client = 3,
    /// Something was sent to us before.
    Consumer = 5,
}

/// Something that was done.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it stands.
    pub place: Place,
    /// What was done, with few different names.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
    /// Names and values; nothing personal.
    pub attributes: Vec<(&'static str, Value)>,
    /// What else came before, in other traces.
    pub more_links: Vec<Context>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Span {
    /// A span that did not fail.
    pub fn new(place: Place, name: String, kind: Kind, from: Timestamp, to: Timestamp) -> Span {
        Span { place, name, kind, from, to, attributes: Vec::new(), more_links: Vec::new(), error: None }
    }

    /// Adds attributes.
    pub fn with<const N: usize>(mut self, attributes: [(&'static str, Value); N]) -> Span {
        self.attributes.extend(attributes);
        self
    }

    pub(super) fn json(&self) -> Value {
        let Span {
            place: Place { context, parent, link },
            name,
            kind,
            from,
            to,
            attributes,
            more_links,
            error,
        } = self;
        let nanos = |at: &Timestamp| at.as_nanosecond().max(0).to_string();
        let of = |link: &Context| json!({"traceId": link.trace.to_string(), "spanId": link.span.to_string()});
        let links: Vec<Value> = link.iter().chain(more_links).map(of).collect();
        json!({
            "traceId": context.trace.to_string(),
            "spanId": context.span.to_string(),
            "parentSpanId": parent.as_ref().map(SpanId::to_string).unwrap_or_default(),
            "name": name,
            "kind": *kind as i32,
            "startTimeUnixNano": nanos(from),
            "endTimeUnixNano": nanos(to),
            "attributes": attributes.iter().map(|(name, value)| attribute(name, value)).collect::<Vec<_>>(),
            "links": links,
            "status": match error {
                Some(why) => json!({"code": 2, "message": why}),
                None => json!({}),
            },
        })
    }
}

/// An attribute: texts, whole numbers and truth values.
pub(super) fn attribute(name: &str, value: &Value) -> Value {
    let value = match value {
        // OTLP writes numbers of 64 bits as texts.
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::String(text) => json!({"stringValue": text}),
        other => json!({"stringValue": other.to_string()}),
    };
    json!({"key": name, "value": value})
}
