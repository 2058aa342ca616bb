//! Events, with a payload of your own type.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// An event, with the attributes of CloudEvents.
///
/// ```
/// use hookswitch_sdk::Event;
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     amount: f64,
/// }
///
/// let event: Event<Order> = Event::from_json(r#"{"type": "order.created", "data": {"amount": 12.5}}"#)?;
/// assert_eq!(event.kind, "order.created");
/// assert_eq!(event.data.amount, 12.5);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct Event<T> {
    /// Id given by the producer.
    pub id: String,
    /// Producer, a URI reference.
    pub source: String,
    /// Type (`type` in JSON), for example `order.created`.
    pub kind: String,
    /// Subject, if any.
    pub subject: Option<String>,
    /// Time of the event.
    pub time: Timestamp,
    /// Payload.
    pub data: T,
    /// CloudEvents extension attributes.
    pub extensions: Map<String, Value>,
}

impl<T: DeserializeOwned> Event<T> {
    /// Reads an event from JSON, as it would be posted, for tests. `id`, `source` and `time` have defaults.
    ///
    /// # Errors
    /// If it is not an event, or its data has another type.
    pub fn from_json(json: &str) -> Result<Event<T>, String> {
        let mut event: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| format!("cannot read the event: {error}"))?;
        let mut text = |key: &str| event.remove(key).and_then(|value| value.as_str().map(str::to_owned));
        let (id, source, kind) = (text("id"), text("source"), text("type"));
        let (subject, time) = (text("subject"), text("time"));
        Ok(Event {
            id: id.unwrap_or_else(|| "test".to_owned()),
            source: source.unwrap_or_else(|| "/test".to_owned()),
            kind: kind.ok_or("cannot read the event: `type` is missing")?,
            subject,
            time: match time {
                Some(time) => {
                    time.parse().map_err(|error| format!("cannot read the event's time: {error}"))?
                }
                None => Timestamp::UNIX_EPOCH,
            },
            data: data(event.remove("data").unwrap_or_default())?,
            extensions: event,
        })
    }
}

pub(crate) fn data<T: DeserializeOwned>(data: Value) -> Result<T, String> {
    serde_json::from_value(data).map_err(|error| format!("cannot read the event's data: {error}"))
}
