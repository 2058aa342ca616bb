//! An event: what a producer posted, in CloudEvents' terms.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Lane;

/// What makes an event the same event: CloudEvents 1.0 says that `source` and `id` together are unique.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
pub struct EventKey {
    /// The producer's id, or one that intake made.
    pub id: String,
    /// A URI-reference that names the producer.
    pub source: String,
}

/// An event, with CloudEvents 1.0's attributes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// `id` and `source`.
    #[serde(flatten)]
    pub key: EventKey,
    /// Such as `order.created`; what routes match on.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the event is about; events of one subject are routed in order.
    pub subject: Option<String>,
    /// When it happened, by the producer's clock; when it arrived, where the producer did not say.
    pub time: Timestamp,
    /// The payload: valid JSON, kept as it came.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
    /// CloudEvents extension attributes, as a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub extensions: Option<Box<RawValue>>,
}

impl Event {
    /// The lane in which the event waits to be routed: of its subject, or of its id where it has none.
    pub fn lane(&self) -> Lane {
        Lane::of(self.subject.as_deref().unwrap_or(&self.key.id))
    }
}
