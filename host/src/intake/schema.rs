//! The forms of events and answers, for the API's description alone: what is posted is checked by hand, with better
//! messages.
#![expect(dead_code, reason = "it describes")]

use hookswitch_core::domain::EventKey;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// An event in `application/json`: a CloudEvent if it has `specversion`, else the plain form.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum PostedEvent {
    /// The plain form.
    Plain(PlainEvent),
    /// A CloudEvent.
    CloudEvent(CloudEvent),
}

/// An event in the plain form: these members and no others.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"type": "order.created", "subject": "order-1042",
    "data": {"order": {"id": 1042, "number": "SO-1042", "amount": 1250}}})))]
pub struct PlainEvent {
    /// The kind of event, for example `order.created`; rules match on it.
    r#type: String,
    /// Any JSON value; rules read it as `event.data`.
    data: Value,
    /// The event's id; generated if absent. An event with the same `id` and `source` is stored once.
    id: Option<String>,
    /// A URI-reference that names the producer; by default `/keys/NAME`, or the first source the key is bound to.
    source: Option<String>,
    /// What the event is about. Events with the same subject are routed in order.
    subject: Option<String>,
    /// When it happened; by default the time at which it was received.
    time: Option<Timestamp>,
}

/// A CloudEvent (1.0) in JSON. Further members are extension attributes: strings, booleans or integers.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"specversion": "1.0", "id": "4711", "source": "/shop", "type": "order.created",
    "subject": "order-1042", "data": {"order": {"id": 1042, "number": "SO-1042", "amount": 1250}}})))]
pub struct CloudEvent {
    /// The version of CloudEvents: `1.0`.
    #[schema(pattern = "^1\\.0$")]
    specversion: String,
    /// The event's id. An event with the same `id` and `source` is stored once.
    id: String,
    /// A URI-reference that names the producer.
    source: String,
    /// The kind of event, for example `order.created`; rules match on it.
    r#type: String,
    /// What the event is about. Events with the same subject are routed in order.
    subject: Option<String>,
    /// When it happened; by default the time at which it was received.
    time: Option<Timestamp>,
    /// The media type of `data`: a JSON type.
    datacontenttype: Option<String>,
    /// A URI that names the schema of `data`.
    dataschema: Option<String>,
    /// Any JSON value; rules read it as `event.data`. `data_base64` is not supported.
    #[schema(required = false)]
    data: Value,
}

/// The attributes of a CloudEvent in binary mode. Any other `ce-` header is an extension attribute.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct BinaryAttributes {
    /// `1.0` if the event is a CloudEvent in binary mode: attributes in `ce-` headers, and the data as the body.
    #[param(rename = "ce-specversion", required = false)]
    specversion: String,
    /// The event's id; required in binary mode.
    #[param(rename = "ce-id", required = false)]
    id: String,
    /// A URI-reference that names the producer; required in binary mode.
    #[param(rename = "ce-source", required = false)]
    source: String,
    /// The kind of event; required in binary mode.
    #[param(rename = "ce-type", required = false)]
    kind: String,
    /// What the event is about.
    #[param(rename = "ce-subject", required = false)]
    subject: String,
    /// When it happened.
    #[param(rename = "ce-time", required = false)]
    time: String,
}

/// The answer to accepted events.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum Accepted {
    /// The id and source of a single event.
    Event(EventKey),
    /// The ids and sources of a batch.
    Batch(AcceptedBatch),
}

/// The ids and sources of a batch.
#[derive(Serialize, ToSchema)]
pub struct AcceptedBatch {
    /// One for each event, in the order of the batch.
    events: Vec<EventKey>,
}
