//! What a case expects of one verdict, and whether it came out.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    findings::Finding,
    yaml::{Kind, Node},
};
use crate::{
    decide::{Place, duration, keys_between},
    domain::{Decision, DecisionOutcome, Event, Outcome, SendTime, Verdict, short},
    plan::Planned,
};

/// What a case expects of one verdict.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Where it stands.
    pub place: Place,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// A skip; the reason contains this.
    Skip(String),
    /// No route.
    NoRoute,
    /// A failure; the error contains this.
    Failed(String),
    /// A decision; each key given matches.
    Decision(Vec<Key>),
}

#[derive(Clone, Debug)]
struct Key {
    name: &'static str,
    place: Place,
    value: Value,
}

/// One thing that did not come out as expected.
pub struct Difference {
    /// Where the expectation stands.
    pub place: Place,
    /// What it is about.
    pub about: String,
    /// What was expected.
    pub expected: String,
    /// What came out.
    pub actual: String,
}

/// A verdict and what came of it.
pub struct Actual<'a> {
    /// The event.
    pub event: &'a Event,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// Its people and words.
    pub planned: &'a Planned,
}

/// Keys whose lists are sets.
const SETS: [&str; 5] = ["groups", "users", "contacts", "to", "skipped"];
/// The keys of a decision, and what else a case may expect.
const KEYS: [&str; 22] =
    keys_between([], ["to", "skipped", "body", "body_contains", "skip", "no_route", "failed"]);

/// Reads an expectation.
pub fn read(node: &Node, findings: &mut Vec<Finding>) -> Option<Expected> {
    let fields = node.fields(&KEYS, findings)?;
    let alone =
        |key| fields.key(key).is_some() && matches!(&node.value, Kind::Map(entries) if entries.len() > 1);
    if let Some(key) = ["skip", "no_route", "failed"].into_iter().find(|key| alone(key)) {
        findings.push(Finding::at(&fields.place, format!("`{key}` stands alone in its entry of `expect`")));
        return None;
    }
    let what = if fields.key("skip").is_some() {
        What::Skip(fields.text("skip", findings)?.text)
    } else if fields.key("failed").is_some() {
        What::Failed(fields.text("failed", findings)?.text)
    } else if fields.get("no_route").is_some() {
        What::NoRoute
    } else {
        let key = |name| {
            let value = fields.get(name)?;
            Some(Key { name, place: fields.key(name)?.place.clone(), value: value.json() })
        };
        let keys: Vec<_> = KEYS.into_iter().filter_map(key).collect();
        for key in &keys {
            let list = key.value.is_array();
            let text = matches!(key.value, Value::String(_) | Value::Number(_));
            let (fits, wanted) = match key.name {
                name if SETS.contains(&name) || name == "body_contains" => (list, "a list of texts"),
                "context" => (key.value.is_object(), "a map"),
                _ => (text, "a text"),
            };
            if !fits {
                findings.push(Finding::at(&key.place, format!("expected {wanted} at `{}`", key.name)));
            }
        }
        What::Decision(keys)
    };
    Some(Expected { place: fields.place, what })
}

impl Expected {
    /// Compares with what came out.
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

/// What came out, in one line.
pub fn said(result: &Actual<'_>) -> String {
    match (&result.verdict.outcome, failure_of(result)) {
        (_, Some(why)) => format!("failed: {why}"),
        (Outcome::Skip(why), _) => format!("skip: {why}"),
        (Outcome::NoRoute, _) => "no route".to_owned(),
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
    fn differences(&self, decision: &Decision, result: &Actual<'_>) -> Vec<Difference> {
        let difference = |about: String, expected: String, actual: String| {
            vec![Difference { place: self.place.clone(), about, expected, actual }]
        };
        let about = format!("`{}`", self.name);
        match self.name {
            "context" => self.differences_of_context(decision),
            "body" => {
                let (expected, actual) = (line(&self.value), body_of(result));
                if expected.trim() == actual.trim() {
                    Vec::new()
                } else {
                    difference(about, expected, actual)
                }
            }
            "body_contains" => {
                let actual = body_of(result);
                let parts = self.value.as_array().into_iter().flatten().map(line);
                let missing: Vec<_> = parts.filter(|part| !actual.contains(part.as_str())).collect();
                if missing.is_empty() { Vec::new() } else { difference(about, missing.join("\n"), actual) }
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
        some.map(|planned| {
            let notification = &planned.notification;
            notification
                .username
                .as_deref()
                .or(notification.recipient.as_deref())
                // A contact that is no number has no other.
                .or(notification.name.as_deref())
                .unwrap_or("nobody")
                .to_owned()
        })
        .collect::<Vec<_>>()
        .into()
    };
    match name {
        "template" => decision.template.clone().into(),
        "groups" => decision.groups.clone().into(),
        "users" => decision.users.clone().into(),
        "contacts" => decision.contacts.clone().into(),
        "dedupe_key" => decision.dedupe_key.clone().into(),
        "dedupe_for" => decision.dedupe_for.map(short).into(),
        "collect" => decision.collect.map(|collect| collect.to_string()).into(),
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
        "from" => decision.from.clone().into(),
        "reason" => decision.reason.clone().into(),
        "to" => recipients(true),
        _ => recipients(false),
    }
}

fn body_of(result: &Actual<'_>) -> String {
    let first = result.planned.notifications.first();
    first.map(|planned| planned.notification.message.body.clone()).unwrap_or_default()
}

fn set(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(line).collect()
}

/// A text or a number as text: `dedupe_key: 7` means the text, too.
fn line(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Times are the same however they are written.
fn instant_or_text(value: &Value) -> String {
    let text = line(value);
    text.parse::<jiff::Timestamp>().map_or(text, |at| at.to_string())
}

/// Whether two values are the same; 3 and 3.0 are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
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
