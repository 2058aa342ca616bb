//! An event: what a producer posted, in CloudEvents' terms.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Lane;

/// Source of the events of what people write and press in WhatsApp.
pub const ANSWERS: &str = "/hookswitch/whatsapp";

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

    /// The lane in which the event waits to be routed: that of its subject, or of its id if it has no subject.
    pub fn lane(&self) -> Lane {
        Lane::of(self.subject.as_deref().unwrap_or(&self.key.id))
    }
}
