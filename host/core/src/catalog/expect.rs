//! What a case expects of one verdict, and how the verdict differs from it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    findings::Finding,
    yaml::{Fields, Kind, Node},
};
use crate::{
    decide::{PEOPLE, Place, duration, keys_between},
    domain::{
        Button, Cancel, Decision, DecisionOutcome, Event, Header, Message, Mode, Outcome, SendTime, Verdict,
        short,
    },
    plan::{Planned, PlannedNotification, parameter},
};

/// An entry of `expect`: what a case expects of one verdict.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Place of the entry in its file.
    pub place: Place,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// A skip whose reason contains this text.
    Skip(String),
    /// No route matched.
    NoRoute,
    /// A failure whose error contains this text.
    Failed(String),
    /// That messages are withdrawn and none is sent, which matches each of these keys.
    Cancel(Vec<Key>),
    /// A decision that matches each of these keys.
    Decision(Vec<Key>),
}

#[derive(Clone, Debug)]
struct Key {
    name: &'static str,
    place: Place,
    value: Value,
}

/// A difference between the expected and the actual result.
pub struct Difference {
    /// Place of the expectation.
    pub place: Place,
    /// Key, or "outcome".
    pub about: String,
    /// Expected value.
    pub expected: String,
    /// Actual value.
    pub actual: String,
}

/// A verdict and the messages planned from it.
pub struct Actual<'a> {
    /// Event of the case.
    pub event: &'a Event,
    /// Verdict of the rules.
    pub verdict: &'a Verdict,
    /// Recipients and rendered messages.
    pub planned: &'a Planned,
}

/// Keys whose lists are sets.
const SETS: [&str; 6] = ["groups", "users", "contacts", "cancel", "to", "skipped"];
/// Keys of a decision without a template.
const CANCELS: [&str; 2] = ["cancel", "reason"];
/// Keys of an entry of `expect`: those of a decision, and those of its result.
pub(super) const KEYS: [&str; 34] = keys_between(
    [],
    [
        "to",
        "skipped",
        "header",
        "body",
        "bodies",
        "body_contains",
        "buttons",
        "meta_body",
        "parameters",
        "skip",
        "no_route",
        "failed",
    ],
);

/// Reads an expectation.
pub fn read(node: &Node, findings: &mut Vec<Finding>) -> Option<Expected> {
    let fields = node.fields(&KEYS, findings)?;
    let alone =
        |key| fields.key(key).is_some() && matches!(&node.value, Kind::Map(entries) if entries.len() > 1);
    if let Some(key) = ["skip", "no_route", "failed"].into_iter().find(|key| alone(key)) {
        findings.push(Finding::at(&fields.place, format!("`{key}` must be the only key of its entry")));
        return None;
    }
    let what = if fields.key("skip").is_some() {
        What::Skip(fields.text("skip", findings)?.text)
    } else if fields.key("failed").is_some() {
        What::Failed(fields.text("failed", findings)?.text)
    } else if fields.key("no_route").is_some() {
        if fields.get("no_route").map(Node::json) != Some(Value::Bool(true)) {
            findings.push(Finding::at(&fields.place, "`no_route` must be `true`"));
        }
        What::NoRoute
    } else {
        let keys: Vec<Key> = KEYS.into_iter().filter_map(|name| key(&fields, name, findings)).collect();
        let only_cancels =
            fields.key("cancel").is_some() && keys.iter().all(|key| CANCELS.contains(&key.name));
        if only_cancels { What::Cancel(keys) } else { What::Decision(keys) }
    };
    Some(Expected { place: fields.place, what })
}

/// Reads the expectation at a key, and reports a value of the wrong type.
fn key(fields: &Fields<'_>, name: &'static str, findings: &mut Vec<Finding>) -> Option<Key> {
    let (node, place) = (fields.get(name)?, fields.key(name)?.place.clone());
    let value = node.json();
    let (fits, wanted) = match name {
        name if SETS.contains(&name) || matches!(name, "body_contains" | "buttons" | "parameters") => {
            (value.is_array(), "a list of strings")
        }
        "context" | "else" | "bodies" => (value.is_object(), "a map"),
        "reply" => (value.is_boolean(), "true or false"),
        _ => (matches!(value, Value::String(_) | Value::Number(_)), "a string"),
    };
    if !fits {
        findings.push(Finding::at(&place, format!("`{name}`: expected {wanted}, got {}", node.kind())));
    }
    Some(Key { name, place, value })
}

impl Expected {
    /// Compares with the actual result.
    pub fn differences(&self, result: &Actual<'_>) -> Vec<Difference> {
        let outcome = &result.verdict.outcome;
        let failure = failure_of(result);
        let (fits, expected) = match &self.what {
            What::Skip(words) => {
                (matches!(outcome, Outcome::Skip(why) if why.contains(words)), format!("skip: {words}"))
            }
            What::NoRoute => (*outcome == Outcome::NoRoute, "no route".to_owned()),
            What::Failed(words) => {
                (failure.is_some_and(|why| why.contains(words)), format!("failed: {words}"))
            }
            What::Cancel(keys) => match outcome {
                Outcome::Cancel(cancel) => {
                    return keys.iter().flat_map(|key| key.difference_of_cancel(cancel)).collect();
                }
                // A message that also cancels.
                Outcome::Notify(decision) if failure.is_none() => {
                    return keys.iter().flat_map(|key| key.differences(decision, result)).collect();
                }
                _ => (false, "cancelled messages".to_owned()),
            },
            What::Decision(keys) => match (outcome, failure) {
                (Outcome::Notify(decision), None) => {
                    return keys.iter().flat_map(|key| key.differences(decision, result)).collect();
                }
                _ => (false, "a decision".to_owned()),
            },
        };
        if fits {
            return Vec::new();
        }
        vec![Difference {
            place: self.place.clone(),
            about: "outcome".to_owned(),
            expected,
            actual: said(result),
        }]
    }
}

/// Describes the actual result in one line.
pub fn said(result: &Actual<'_>) -> String {
    match (&result.verdict.outcome, failure_of(result)) {
        (_, Some(why)) => format!("failed: {why}"),
        (Outcome::Skip(why), _) => format!("skip: {why}"),
        (Outcome::NoRoute, _) => "no route".to_owned(),
        (Outcome::Cancel(cancel), _) => format!("cancel: {}", cancel.cancel.join(", ")),
        (Outcome::Notify(decision), _) => format!("a decision for template {}", decision.template),
        (Outcome::Failed(why) | Outcome::Parked { why, .. }, _) => format!("failed: {why}"),
    }
}

fn failure_of<'a>(result: &'a Actual<'_>) -> Option<&'a str> {
    match &result.verdict.outcome {
        Outcome::Failed(why) | Outcome::Parked { why, .. } => Some(why),
        _ if result.planned.outcome == DecisionOutcome::Failed => {
            Some(result.planned.reason.as_deref().unwrap_or(""))
        }
        _ => None,
    }
}

impl Key {
    fn difference_of_cancel(&self, cancel: &Cancel) -> Option<Difference> {
        let actual = match self.name {
            "cancel" => Value::from(cancel.cancel.clone()),
            _ => Value::from(cancel.reason.clone()),
        };
        let same = if self.name == "cancel" {
            set(&self.value) == set(&actual)
        } else {
            line(&self.value) == line(&actual)
        };
        let (expected, actual) = (shown(&self.value), shown(&actual));
        (!same).then(|| Difference {
            place: self.place.clone(),
            about: format!("`{}`", self.name),
            expected,
            actual,
        })
    }

    fn differences(&self, decision: &Decision, result: &Actual<'_>) -> Vec<Difference> {
        let difference = |about: String, expected: String, actual: String| {
            vec![Difference { place: self.place.clone(), about, expected, actual }]
        };
        let about = format!("`{}`", self.name);
        match self.name {
            "context" => self.differences_of_context(decision),
            "bodies" => self.differences_of_bodies(result),
            "else" => {
                let actual = serde_json::to_value(&decision.otherwise).unwrap_or_default();
                let of = |value: &Value, key| value.get(key).map(set).unwrap_or_default();
                if PEOPLE.into_iter().all(|key| of(&self.value, key) == of(&actual, key)) {
                    return Vec::new();
                }
                difference(about, shown(&self.value), shown(&actual))
            }
            "header" | "body" | "meta_body" => {
                let actual = match self.name {
                    "header" => header_of(result),
                    "body" => body_of(result),
                    _ => meta_body_of(result),
                };
                let expected = line(&self.value);
                if typed(expected.trim()) == typed(actual.trim()) {
                    Vec::new()
                } else {
                    difference(about, expected, actual)
                }
            }
            "body_contains" => {
                let actual = body_of(result);
                let parts = self.value.as_array().into_iter().flatten().map(line);
                let missing: Vec<_> = parts.filter(|part| !typed(&actual).contains(&typed(part))).collect();
                if missing.is_empty() { Vec::new() } else { difference(about, missing.join("\n"), actual) }
            }
            "buttons" | "parameters" => {
                let expected: Vec<_> = self.value.as_array().into_iter().flatten().map(line).collect();
                let actual = if self.name == "buttons" { buttons_of(result) } else { parameters_of(result) };
                let (expected, actual) = (expected.join("\n"), actual.join("\n"));
                if typed(&expected) == typed(&actual) {
                    return Vec::new();
                }
                difference(about, expected, actual)
            }
            name => {
                let actual = actual(name, decision, result);
                let same = if SETS.contains(&name) {
                    set(&self.value) == set(&actual)
                } else if let ("after" | "dedupe_for", Ok(expected)) = (name, duration(&line(&self.value))) {
                    // `60m` is `1h`.
                    actual == short(expected)
                } else {
                    instant_or_text(&self.value) == instant_or_text(&actual)
                };
                if same { Vec::new() } else { difference(about, shown(&self.value), shown(&actual)) }
            }
        }
    }

    /// Compares the texts of several people, by username or number.
    fn differences_of_bodies(&self, result: &Actual<'_>) -> Vec<Difference> {
        let nothing = Map::new();
        let expected = self.value.as_object().unwrap_or(&nothing);
        let differing = expected.iter().filter_map(|(name, text)| {
            let mut notifications = result.planned.notifications.iter();
            let found = notifications.find(|planned| who(planned) == name);
            let actual = found.map(|planned| planned.notification.message.body.as_str());
            let expected = line(text);
            (actual.map(|actual| typed(actual.trim())) != Some(typed(expected.trim()))).then(|| Difference {
                place: self.place.clone(),
                about: format!("`bodies.{name}`"),
                expected,
                actual: actual.unwrap_or("no message").to_owned(),
            })
        });
        differing.collect()
    }

    fn differences_of_context(&self, decision: &Decision) -> Vec<Difference> {
        let nothing = Map::new();
        let expected = self.value.as_object().unwrap_or(&nothing);
        let differing = expected.iter().filter_map(|(name, value)| {
            let actual = decision.context.get(name).unwrap_or(&Value::Null);
            (!same(value, actual)).then(|| Difference {
                place: self.place.clone(),
                about: format!("`context.{name}`"),
                expected: shown(value),
                actual: shown(actual),
            })
        });
        differing.collect()
    }
}

fn actual(name: &str, decision: &Decision, result: &Actual<'_>) -> Value {
    let recipients = |sendable: bool| -> Value {
        let notifications = result.planned.notifications.iter();
        let some = notifications.filter(|planned| planned.skipped.is_none() == sendable);
        some.map(|planned| who(planned).to_owned()).collect::<Vec<_>>().into()
    };
    match name {
        "template" => decision.template.clone().into(),
        "groups" => decision.groups.clone().into(),
        "users" => decision.users.clone().into(),
        "contacts" => decision.contacts.clone().into(),
        "dedupe_key" => decision.dedupe_key.clone().into(),
        "key" => decision.key.clone().into(),
        "cancel" => decision.cancel.clone().into(),
        "hours" => decision.hours.clone().into(),
        "at_most" => decision.at_most.as_ref().map(ToString::to_string).into(),
        "dedupe_for" => decision.dedupe_for.map(short).into(),
        "collect" => decision.collect.as_ref().map(ToString::to_string).into(),
        "send_at" => match &decision.send {
            None => Value::Null,
            Some(SendTime::SendAt(at)) => at.to_string().into(),
            Some(SendTime::After(after)) => {
                result.event.time.checked_add(*after).map_or(Value::Null, |at| at.to_string().into())
            }
        },
        "after" => match decision.send {
            Some(SendTime::After(after)) => short(after).into(),
            None | Some(SendTime::SendAt(_)) => Value::Null,
        },
        "expires_at" => decision.expires_at.map(|at| at.to_string()).into(),
        "priority" => serde_json::to_value(decision.priority).unwrap_or_default(),
        "mode" => serde_json::to_value(decision.mode).unwrap_or_default(),
        "language" => decision.language.clone().into(),
        "reply" => decision.reply.into(),
        "from" => decision.from.clone().into(),
        "reason" => decision.reason.clone().into(),
        "to" => recipients(true),
        _ => recipients(false),
    }
}

/// The recipient of a message as cases name them.
fn who(planned: &PlannedNotification) -> &str {
    let notification = &planned.notification;
    notification
        .username
        .as_deref()
        .or(notification.recipient.as_deref())
        // A contact that is not a valid number has only a name.
        .or(notification.name.as_deref())
        .unwrap_or("nobody")
}

fn first<'a>(result: &'a Actual<'_>) -> Option<&'a Message> {
    result.planned.notifications.first().map(|planned| &planned.notification.message)
}

/// The header of the first message: its text, or a mark and what it is.
fn header_of(result: &Actual<'_>) -> String {
    first(result).and_then(|message| message.header.as_ref()).map(Header::shown).unwrap_or_default()
}

/// The buttons of the first message, each as a line: `OK`, `Track it: https://example.com/7`.
fn buttons_of(result: &Actual<'_>) -> Vec<String> {
    first(result).map(|message| message.buttons.iter().map(Button::line).collect()).unwrap_or_default()
}

fn body_of(result: &Actual<'_>) -> String {
    let first = result.planned.notifications.first();
    first.map(|planned| planned.notification.message.body.clone()).unwrap_or_default()
}

/// The text of the first message as the Meta template; that of one that is never sent as one is empty.
fn meta_body_of(result: &Actual<'_>) -> String {
    let message = result.planned.notifications.first().map(|planned| &planned.notification.message);
    let message = message.filter(|message| message.mode != Mode::Text);
    message.map(|message| message.meta_body.as_ref().unwrap_or(&message.body).clone()).unwrap_or_default()
}

/// The parameters of the first message, as Meta gets them.
fn parameters_of(result: &Actual<'_>) -> Vec<String> {
    let first = result.planned.notifications.first();
    let parameters = first.map(|planned| planned.notification.message.parameters.as_slice());
    parameters.unwrap_or_default().iter().map(|value| parameter(value).into_owned()).collect()
}

fn set(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(line).collect()
}

/// A string as it is, anything else as JSON: `dedupe_key: 7` means "7".
fn line(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A time in its canonical form, so that different notations of one instant are equal.
fn instant_or_text(value: &Value) -> String {
    let text = line(value);
    text.parse::<jiff::Timestamp>().map_or(text, |at| at.to_string())
}

/// A text with ordinary spaces, as people type them: amounts of some languages have spaces that do not break.
fn typed(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

/// Whether two values are equal; 3 equals 3.0.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => typed(a) == typed(b),
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "nobody".to_owned(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().map(line).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
