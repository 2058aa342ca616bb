//! What may be posted, for the API's description alone: what is read is checked by hand, with better words.

use jiff::Timestamp;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// An event: a CloudEvent (1.0) in JSON, or the plain form with these members and no others. In a CloudEvent,
/// extension attributes may stand beside them.
#[derive(ToSchema)]
#[schema(as = Event)]
#[expect(dead_code, reason = "it describes")]
pub struct EventSchema {
    /// `1.0`; a CloudEvent must have it.
    specversion: Option<String>,
    /// Made if it is missing. With `source` it names the event: posted again, it is taken once.
    id: Option<String>,
    /// A URI-reference that names the producer; by default it is made of the key's name.
    source: Option<String>,
    /// Such as `order.created`; what routes match on.
    r#type: String,
    /// What the event is about; events of one subject are routed in order.
    subject: Option<String>,
    /// When it happened; now, if it is missing.
    time: Option<Timestamp>,
    /// What rules see as `event.data`.
    data: Option<Map<String, Value>>,
}
