//! The forms of events and answers, for the API's description alone: what is posted is checked by hand, with better
//! messages.
#![expect(dead_code, reason = "it describes")]

use std::collections::BTreeMap;

use hookswitch_core::domain::EventKey;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        OpenApi as Document, RefOr, Schema,
        schema::{ObjectBuilder, OneOfBuilder, Type},
    },
};

/// What `application/json` may hold: an event, or an array of events, which is a batch.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum PostedEvents {
    /// The plain form.
    Plain(PlainEvent),
    /// A CloudEvent.
    CloudEvent(CloudEvent),
    /// A batch of at most 1,000 events; it may be empty.
    Batch(Vec<PostedEvent>),
}

/// An event: a CloudEvent if it has `specversion`, else the plain form.
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
    /// The kind of event, for example `order.created`; rules match on it. At most 256 bytes.
    #[schema(max_length = 256, pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]+$")]
    r#type: String,
    /// Any JSON value, at most 64 levels deep; rules read it as `event.data`.
    data: Value,
    /// The event's id; generated if absent. An event with the same `id` and `source` is stored once. At most 256 bytes.
    #[schema(max_length = 256, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    id: Option<String>,
    /// A URI-reference that names the producer; by default `/keys/NAME`, or the first source the key is bound to. At most
    /// 1,024 bytes.
    #[schema(max_length = 1024, pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]+$")]
    source: Option<String>,
    /// What the event is about. Events with the same subject are routed in order. At most 1,024 bytes.
    #[schema(max_length = 1024, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    subject: Option<String>,
    /// When it happened; by default the time at which it was received.
    time: Option<Timestamp>,
}

/// A CloudEvent (1.0) in JSON. Further members are extension attributes; their names have lower-case letters and digits.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"specversion": "1.0", "id": "4711", "source": "/shop", "type": "order.created",
    "subject": "order-1042", "data": {"order": {"id": 1042, "number": "SO-1042", "amount": 1250}}})))]
pub struct CloudEvent {
    /// The version of CloudEvents: `1.0`.
    #[schema(pattern = "^1\\.0$")]
    specversion: String,
    /// The event's id. An event with the same `id` and `source` is stored once. At most 256 bytes.
    #[schema(max_length = 256, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    id: String,
    /// A URI-reference that names the producer. At most 1,024 bytes.
    #[schema(max_length = 1024, pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]+$")]
    source: String,
    /// The kind of event, for example `order.created`; rules match on it. At most 256 bytes.
    #[schema(max_length = 256, pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f]+$")]
    r#type: String,
    /// What the event is about. Events with the same subject are routed in order. At most 1,024 bytes.
    #[schema(max_length = 1024, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$")]
    subject: Option<String>,
    /// When it happened; by default the time at which it was received.
    time: Option<Timestamp>,
    /// The media type of the data: a JSON type.
    #[schema(pattern = "^(application/json|text/json|[^;\\s]+\\+json)(;.*)?$")]
    datacontenttype: Option<String>,
    /// A URI that names the schema of the data.
    #[schema(max_length = 4096, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    dataschema: Option<String>,
    /// Any JSON value, at most 64 levels deep; rules read it as `event.data`.
    #[schema(required = false)]
    data: Value,
    /// The data as JSON in base64; not together with `data`.
    #[schema(content_encoding = "base64", content_media_type = "application/json")]
    data_base64: Option<String>,
    #[serde(flatten)]
    extensions: BTreeMap<String, Extension>,
}

/// The value of an extension attribute.
#[derive(Serialize)]
pub struct Extension(Value);

impl PartialSchema for Extension {
    fn schema() -> RefOr<Schema> {
        let kind = |kind| ObjectBuilder::new().schema_type(kind);
        let text =
            kind(Type::String).max_length(Some(4096)).pattern(Some("^[^\\u0000-\\u001f\\u007f-\\u009f]*$"));
        let description = "The value of an extension attribute: a string of at most 4,096 bytes, an integer of 32 bits or a \
                           boolean. An integer or a boolean is the same as its text, and null is the same as absent.";
        OneOfBuilder::new()
            .item(text)
            .item(kind(Type::Integer).minimum(Some(i32::MIN)).maximum(Some(i32::MAX)))
            .item(kind(Type::Boolean))
            .item(kind(Type::Null))
            .description(Some(description))
            .into()
    }
}

impl ToSchema for Extension {}

/// Describes the names of a CloudEvent's members: those of the extension attributes have a form.
pub fn name_members(document: &mut Document) {
    let schemas = document.components.as_mut().map(|components| &mut components.schemas);
    if let Some(RefOr::T(Schema::Object(event))) = schemas.and_then(|all| all.get_mut("CloudEvent")) {
        let name =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some("^([a-z0-9]{1,40}|data_base64)$"));
        event.property_names = Some(Box::new(name.into()));
    }
}

/// The attributes of a CloudEvent in binary mode. Any other `ce-` header is an extension attribute.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct BinaryAttributes {
    /// `1.0` if the event is a CloudEvent in binary mode: attributes in `ce-` headers, and the data as the body.
    #[param(rename = "ce-specversion", required = false, pattern = "^1\\.0$")]
    specversion: String,
    /// The event's id; required in binary mode.
    #[param(rename = "ce-id", required = false, min_length = 1)]
    id: String,
    /// A URI-reference that names the producer; required in binary mode.
    #[param(rename = "ce-source", required = false, pattern = "^\\S+$")]
    source: String,
    /// The kind of event; required in binary mode.
    #[param(rename = "ce-type", required = false, pattern = "^\\S+$")]
    kind: String,
    /// What the event is about.
    #[param(rename = "ce-subject", required = false, min_length = 1)]
    subject: String,
    // Not a date-time: generators of clients know none in headers.
    /// When it happened, in RFC 3339.
    #[param(rename = "ce-time", required = false, example = "2026-11-23T09:00:00Z")]
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
