//! Collecting decisions into one message.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Decision;

/// How long decisions are collected, and which of them together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collect {
    /// Time from the first decision, more than zero and at most 365 days.
    pub time: SignedDuration,
    /// Which decisions with the same template are collected together.
    pub by: CollectBy,
}

/// Which decisions are collected together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectBy {
    /// Those for the same groups, users and contacts.
    Group,
    /// Those for one person, through whatever groups.
    Person,
    /// Those for the same groups, users and contacts that have this key, for example the name of a site; at most
    /// [`super::MOST_KEY`] characters.
    Key(String),
}

impl fmt::Display for Collect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match &self.by {
            CollectBy::Group => "group",
            CollectBy::Person => "person",
            CollectBy::Key(key) => key,
        };
        write!(f, "{} by {by}", short(self.time))
    }
}

/// Formats a duration as in rules: `90s`, `10m`, `2h`, `1d`.
pub fn short(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds % unit == 0);
    whole.map_or_else(|| format!("{seconds}s"), |(unit, letter)| format!("{}{letter}", seconds / unit))
}

/// Type of a digest event.
pub const DIGEST_TYPE: &str = "hookswitch.digest";

/// Data of a digest event whose digest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Human-readable reason.
    pub why: String,
}

/// Data of a digest event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// First collected decision.
    pub decision: Decision,
    /// Contexts in the order of the log, at most the first 1,000.
    pub items: Vec<Value>,
    /// Number of collected decisions.
    pub count: u64,
    /// Ids and sources of their events, one for each item.
    pub events: Vec<(String, String)>,
    /// The spans in which the first of their events were routed, as `traceparent`; empty where nothing is traced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<String>,
}

/// Maximum number of events named in a digest's reason.
const NAMED: usize = 10;

impl Digest {
    /// A digest of one decision, as a preview.
    pub fn of_one(decision: &Decision) -> Digest {
        let items = vec![json!(decision.context)];
        Digest { decision: decision.clone(), items, count: 1, events: Vec::new(), traces: Vec::new() }
    }

    /// The decision of the digest: its template sees `items` and `count`.
    pub fn into_decision(self) -> Decision {
        let ids: Vec<&str> = self.events.iter().take(NAMED).map(|(id, _)| id.as_str()).collect();
        let more = if self.count > ids.len() as u64 { ", …" } else { "" };
        let events = if self.count == 1 { "event" } else { "events" };
        let reason = format!("a digest of {} {events}: {}{more}", self.count, ids.join(", "));
        let context = [("items".to_owned(), self.items.into()), ("count".to_owned(), self.count.into())];
        Decision {
            context: context.into(),
            dedupe_key: None,
            dedupe_for: None,
            collect: None,
            // What was collected has withdrawn it already, and later messages are not its concern.
            cancel: Vec::new(),
            reason: Some(reason),
            ..self.decision
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_short() {
        for (seconds, text) in [(90, "90s"), (600, "10m"), (7_200, "2h"), (86_400, "1d"), (0, "0s")] {
            assert_eq!(short(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_digest_tells_all_at_once() {
        let collect = Collect { time: SignedDuration::from_mins(10), by: CollectBy::Group };
        let decision = Decision {
            template: "t".to_owned(),
            groups: vec!["Ops".to_owned()],
            dedupe_key: Some("k".to_owned()),
            collect: Some(collect.clone()),
            ..Decision::default()
        };
        assert_eq!(collect.to_string(), "10m by group");
        let events = vec![("a".to_owned(), "/x".to_owned()), ("b".to_owned(), "/x".to_owned())];
        let digest = Digest {
            decision,
            items: vec![json!({"n": 1}), json!({"n": 2})],
            count: 3,
            events,
            traces: Vec::new(),
        };
        let told = digest.into_decision();
        assert_eq!(told.context["items"], json!([{"n": 1}, {"n": 2}]));
        assert_eq!((&told.context["count"], &told.groups), (&json!(3), &vec!["Ops".to_owned()]));
        assert_eq!(told.reason.as_deref(), Some("a digest of 3 events: a, b, …"));
        assert_eq!((told.dedupe_key, told.collect), (None, None));
    }
}
