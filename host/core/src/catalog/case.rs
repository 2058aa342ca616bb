//! Cases as they are written: an event, the people, the time, and the expected results.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, value::RawValue};

use super::{
    case_http::{self, Answer},
    expect::{self, Expected},
    findings::Finding,
    people,
    routes::{Group, required},
    tree::domain_of,
    yaml::{Fields, Kind, Node, parse},
};
use crate::{
    decide::{Place, timestamp},
    domain::{Event, EventKey, People},
};

/// Time of a case without `at`, and of its event without `time`: a Monday morning.
const DEFAULT_TIME: &str = "2026-01-05T09:00:00Z";

/// A case: its input and its expected results.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name, for findings.
    pub name: String,
    /// Place of the case in its file.
    pub place: Place,
    /// Folder whose rules it tests: a domain, or `plugins/ID`.
    pub domain: String,
    /// Time that the rules see.
    pub now: Timestamp,
    /// Values that replace those of the folder's `config.yaml`, key by key.
    pub config: Map<String, Value>,
    /// What stands in for the rows of plugins' tables, by table and key.
    pub lookup: BTreeMap<String, Map<String, Value>>,
    /// What services answer.
    pub http: Vec<Answer>,
    /// Events to decide, in their order.
    pub events: Vec<Event>,
    /// Whether they were given as `events`: what is collected of them is expected as digests.
    pub has_several: bool,
    /// People and groups that exist.
    pub people: People,
    /// Whether they are made up, and with them the users that a verdict names.
    pub made_up: bool,
    /// Expected results, one per verdict.
    pub expected: Vec<Expected>,
}

/// Reads a file of cases: a map (one case) or a list of maps.
pub fn cases(file: &str, text: &str, groups: &[Group], findings: &mut Vec<Finding>) -> Vec<Case> {
    let nodes = match parse(file, text) {
        Ok(Some(Node { value: Kind::List(items), .. })) => items,
        Ok(Some(node)) => vec![node],
        Ok(None) => Vec::new(),
        Err(finding) => {
            findings.push(finding);
            Vec::new()
        }
    };
    nodes.iter().filter_map(|node| case(file, node, groups, findings)).collect()
}

fn case(file: &str, node: &Node, groups: &[Group], findings: &mut Vec<Finding>) -> Option<Case> {
    let before = findings.len();
    let fields = node.fields(&KEYS, findings)?;
    let name = required(&fields, "name", findings);
    // `at` is what `now` was called first.
    let at = fields.parsed("at", timestamp, findings);
    let now = fields.parsed("now", timestamp, findings).or(at).unwrap_or_else(default_time);
    let config = map(&fields, "config", findings);
    let mut lookup = BTreeMap::new();
    for (table, rows) in map(&fields, "lookup", findings) {
        match rows {
            Value::Object(rows) => {
                lookup.insert(table, rows);
            }
            _ => findings.extend(
                fields.get("lookup").map(|node| node.wrong("a map of tables, each a map of keys and rows")),
            ),
        }
    }
    let http = fields.get("http").map(|node| case_http::answers(node, findings)).unwrap_or_default();
    let one = |node: &Node, id: &str, findings: &mut Vec<Finding>| {
        node.fields(&EVENT_KEYS, findings).and_then(|fields| event(&fields, id, now, findings))
    };
    let events = match (fields.get("event"), fields.get("events")) {
        (Some(node), None) => one(node, "case", findings).into_iter().collect(),
        (None, Some(node)) => several(node, findings, one),
        (Some(_), Some(node)) => {
            findings.push(Finding::at(&node.place, "`event` and `events` cannot be used together"));
            Vec::new()
        }
        (None, None) => {
            findings.push(Finding::at(&fields.place, "`event` is missing"));
            Vec::new()
        }
    };
    let people = match fields.get("people") {
        Some(node) => people::read(node, groups, findings),
        None => people::by_default(groups),
    };
    let expected = match fields.get("expect") {
        Some(node) => node.items(findings).iter().filter_map(|item| expect::read(item, findings)).collect(),
        None => Vec::new(),
    };
    if expected.is_empty() && findings.len() == before {
        let finding = Finding::at(&fields.place, "the case has no expectations");
        findings
            .push(finding.help("list the expected results under `expect`, for example `- no_route: true`"));
    }
    let case = Case {
        name: name?.text,
        place: node.place.clone(),
        domain: domain_of(file).to_owned(),
        now,
        config,
        lookup,
        http,
        events,
        has_several: fields.get("events").is_some(),
        people,
        made_up: fields.get("people").is_none(),
        expected,
    };
    (findings.len() == before).then_some(case)
}

pub(super) const KEYS: [&str; 10] =
    ["name", "now", "at", "config", "lookup", "http", "event", "events", "people", "expect"];
/// Maximum number of events of a case.
const EVENTS: usize = 1_100;

/// The time of a case that names none.
pub fn default_time() -> Timestamp {
    DEFAULT_TIME.parse().unwrap_or_default()
}

/// The event of a case that need not have one.
pub fn event_of(fields: &Fields<'_>, now: Timestamp, findings: &mut Vec<Finding>) -> Option<Event> {
    match fields.get("event") {
        Some(node) => event(&node.fields(&EVENT_KEYS, findings)?, "case", now, findings),
        None => Some(Event {
            key: EventKey { id: "case".to_owned(), source: "/cases".to_owned() },
            kind: "case".to_owned(),
            subject: None,
            time: now,
            data: RawValue::from_string("{}".to_owned()).ok()?,
            extensions: None,
        }),
    }
}

/// The map of a key; empty where there is none.
pub fn map(fields: &Fields<'_>, key: &str, findings: &mut Vec<Finding>) -> Map<String, Value> {
    match fields.get(key).map(|node| (node, node.json())) {
        None => Map::new(),
        Some((_, Value::Object(map))) => map,
        Some((node, _)) => {
            findings.push(node.wrong("a map"));
            Map::new()
        }
    }
}

pub(super) const EVENT_KEYS: [&str; 7] = ["type", "source", "id", "subject", "time", "data", "extensions"];

/// The events of a list, each with an id of its own unless it gives one.
fn several(
    node: &Node,
    findings: &mut Vec<Finding>,
    mut one: impl FnMut(&Node, &str, &mut Vec<Finding>) -> Option<Event>,
) -> Vec<Event> {
    let items = node.items(findings);
    if items.is_empty() || items.len() > EVENTS {
        findings.push(node.wrong(&format!("a list of 1 to {EVENTS} events")));
        return Vec::new();
    }
    let numbered = items.iter().enumerate();
    numbered.filter_map(|(n, item)| one(item, &format!("case-{}", n + 1), findings)).collect()
}

fn event(fields: &Fields<'_>, id: &str, now: Timestamp, findings: &mut Vec<Finding>) -> Option<Event> {
    let kind = required(fields, "type", findings)?.text;
    let mut text = |key| fields.text(key, findings).map(|source| source.text);
    let key = EventKey {
        id: text("id").unwrap_or_else(|| id.to_owned()),
        source: text("source").unwrap_or_else(|| "/cases".to_owned()),
    };
    let subject = text("subject");
    let extensions = map(fields, "extensions", findings);
    let extensions = match extensions.is_empty() {
        true => None,
        false => RawValue::from_string(Value::Object(extensions).to_string()).ok(),
    };
    let data = fields.get("data").map_or_else(|| Value::Object(Map::new()), Node::json);
    Some(Event {
        key,
        kind,
        subject,
        time: fields.parsed("time", timestamp, findings).unwrap_or(now),
        data: RawValue::from_string(data.to_string()).ok()?,
        extensions,
    })
}
