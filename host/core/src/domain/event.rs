//! An event: what a producer posted, in CloudEvents' terms.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Lane;

/// Source of the events of what people write and press in WhatsApp.
pub const ANSWERS: &str = "/hookswitch/whatsapp";

/// Version 00: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits. Later versions may add to it.
const LENGTH: usize = 55;
/// Longer ones are ignored.
const TRACEPARENT_LIMIT: usize = 4_096;

/// The identity of an event: in CloudEvents 1.0, `source` and `id` together are unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
pub struct EventKey {
    /// The id that the producer gave the event, or a generated one.
    pub id: String,
    /// A URI-reference that names the producer.
    pub source: String,
}

/// An event with the attributes of CloudEvents 1.0.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// `id` and `source`.
    #[serde(flatten)]
    pub key: EventKey,
    /// The kind of event, for example `order.created`; routes match on it.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the event is about. Events with the same subject are routed in order.
    pub subject: Option<String>,
    /// When it happened, by the producer's clock; by default the time at which it was received.
    pub time: Timestamp,
    /// The payload: any JSON value, stored as it was sent.
    #[schema(value_type = serde_json::Value)]
    pub data: Box<RawValue>,
    /// CloudEvents extension attributes; the trace context of the request among them, if the event had none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub extensions: Option<Box<RawValue>>,
}

impl Event {
    /// The extension attributes that carry the context of a trace (W3C Trace Context).
    pub const TRACE_CONTEXT: [&str; 2] = ["traceparent", "tracestate"];

    /// The context of its trace (`traceparent` of W3C), if it has one of the standard's form.
    pub fn traceparent(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Extensions {
            traceparent: Option<String>,
        }
        let Extensions { traceparent } = serde_json::from_str(self.extensions.as_deref()?.get()).ok()?;
        let mut traceparent = traceparent.filter(|parent| is_traceparent(parent))?;
        traceparent.truncate(LENGTH);
        Some(traceparent)
    }

    /// The lane in which the event waits to be routed: that of its subject, or of its id if it has no subject.
    pub fn lane(&self) -> Lane {
        Lane::of(self.subject.as_deref().unwrap_or(&self.key.id))
    }
}

/// Whether it is a `traceparent` of W3C's Trace Context.
pub fn is_traceparent(text: &str) -> bool {
    let is_hex = |field: &str| field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_id =
        |field: &str, length| field.len() == length && is_hex(field) && field.bytes().any(|b| b != b'0');
    let mut fields = text.split('-');
    let mut next = || fields.next().unwrap_or_default();
    let (version, trace, parent, flags) = (next(), next(), next(), next());
    version.len() == 2
        && is_hex(version)
        && version != "ff"
        && is_id(trace, 32)
        && is_id(parent, 16)
        && flags.len() == 2
        && is_hex(flags)
        && if version == "00" { text.len() == LENGTH } else { text.len() <= TRACEPARENT_LIMIT }
}
