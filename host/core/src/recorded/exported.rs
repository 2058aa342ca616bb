//! Events in a file: what happened, what the rules were answered, and the people, all of it invented where it is personal. With
//! such a file, rules can be tried where there is no database.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::{Recorded, answer_of_service, invented::Invented};
use crate::{
    decide::plugin::{HttpAnswer, HttpError},
    domain::{Asked, Event, Person},
};

/// The version of the file's form.
pub const EXPORT_VERSION: u32 = 1;

/// A line of the file, as JSON. The first one says what the file is; people come before events.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportedLine {
    /// What the file is.
    Exported(ExportHead),
    /// Somebody who may be told.
    Person(ExportedPerson),
    /// An event that was decided.
    Event(Box<ExportedEvent>),
}

/// What the file is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHead {
    /// The version of its form.
    pub version: u32,
    /// When it was made.
    pub at: Timestamp,
    /// Received since then.
    pub since: Timestamp,
}

/// A person, with an invented name and number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedPerson {
    /// The username: invented, unless rules name it.
    pub username: String,
    /// The name.
    pub name: String,
    /// The number's digits or the user id; absent for who cannot be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<String>,
    /// Language in which they read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Names of their groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether they get nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deactivated: bool,
}

/// An event with the answers that the rules got.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedEvent {
    /// The event, as it could be posted.
    pub event: Box<RawValue>,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The time that the rules were told, and the answers of services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
}

/// A CloudEvent in JSON.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: Timestamp,
    #[serde(flatten)]
    extensions: Map<String, Value>,
    data: Value,
}

/// Invents people for a file: the same for the same value in all of it.
#[derive(Debug, Default)]
pub struct Exporter {
    invented: Invented,
}

impl Exporter {
    /// Has whoever rules name by themselves stand for themselves: they would be somebody else there. To be told of all events
    /// before the first line is made.
    pub fn learn(&mut self, recorded: &Recorded) {
        recorded.named_by_rules().into_iter().for_each(|value| self.invented.keep(value));
    }

    /// The line of a person.
    pub fn person(&mut self, person: &Person, groups: Vec<String>) -> ExportedPerson {
        let username = self.invented.username(&person.username);
        let name = match person.name.trim() {
            "" => username.clone(),
            name if name == person.username => username.clone(),
            _ => self.invented.name(&person.name),
        };
        let address = person.contact.as_ref().and_then(|contact| contact.recipient());
        ExportedPerson {
            name,
            whatsapp: address.map(|address| self.invented.address(address)),
            language: person.language.clone(),
            groups,
            deactivated: !person.active,
            username,
        }
    }

    /// The line of an event.
    ///
    /// # Errors
    /// In words, if it cannot be written as JSON.
    pub fn event(
        &mut self,
        event: &Event,
        asked: &[Asked],
        received_at: Timestamp,
        decided_at: Timestamp,
    ) -> Result<ExportedEvent, String> {
        let value = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).unwrap_or(Value::Null);
        // First the data: what stands in it alone is invented there.
        let data = self.invented.value(&value(&event.data));
        let extensions = match event.extensions.as_deref().map(value) {
            Some(Value::Object(mut extensions)) => {
                extensions.retain(|name, _| !Event::TRACE_CONTEXT.contains(&name.as_str()));
                match self.invented.value(&Value::Object(extensions)) {
                    Value::Object(extensions) => extensions,
                    _ => Map::new(),
                }
            }
            _ => Map::new(),
        };
        let event = CloudEvent {
            specversion: "1.0",
            id: self.invented.text(&event.key.id),
            source: &event.key.source,
            kind: &event.kind,
            subject: event.subject.as_deref().map(|subject| self.invented.text(subject)),
            time: event.time,
            extensions,
            data,
        };
        let event = serde_json::value::to_raw_value(&event).map_err(|error| error.to_string())?;
        let asked = asked.iter().map(|asked| self.asked(asked)).collect();
        Ok(ExportedEvent { event, received_at, decided_at, asked })
    }

    fn asked(&mut self, asked: &Asked) -> Asked {
        let Asked { port, question, answer } = asked;
        if port != "http" {
            return asked.clone();
        }
        let answer = match serde_json::from_value::<Result<HttpAnswer, HttpError>>(answer.clone()) {
            Ok(Ok(HttpAnswer { status, headers, body })) => {
                let (headers, body) = answer_of_service(headers, &body, &mut self.invented);
                let body = match body {
                    Value::String(text) => text,
                    body => body.to_string(),
                };
                let headers = headers.into_iter().collect();
                let answer = HttpAnswer { status, headers, body: body.into_bytes() };
                serde_json::to_value(Ok::<_, HttpError>(answer)).unwrap_or_default()
            }
            _ => answer.clone(),
        };
        Asked { port: port.clone(), question: self.question(question), answer }
    }

    /// A request, with the stand-ins that the rules find in the event, also inside of a body that is JSON.
    fn question(&mut self, question: &Value) -> Value {
        let Value::Object(members) = question else { return self.invented.value(question) };
        let members = members.iter().map(|(name, value)| {
            let body = value.as_str().filter(|_| name == "body").and_then(json);
            let value = match body {
                Some(body) => self.invented.value(&body).to_string().into(),
                None => self.invented.value(value),
            };
            (name.clone(), value)
        });
        Value::Object(members.collect())
    }
}

/// The JSON that a text is, if it is that as a plugin would write it again.
fn json(text: &str) -> Option<Value> {
    let value: Value =
        serde_json::from_str(text).ok().filter(|value: &Value| value.is_object() || value.is_array())?;
    serde_json::to_string(&value).is_ok_and(|written| written == text).then_some(value)
}
