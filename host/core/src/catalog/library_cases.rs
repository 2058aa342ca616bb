//! Cases of the library: calls of its functions, and what they give.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    case,
    expect::same,
    findings::Finding,
    routes::{items, required},
    yaml::Node,
};
use crate::{
    bounds::shown,
    decide::{Ports, Routes, Source, timestamp},
    domain::Event,
};

pub(super) const KEYS: [&str; 7] = ["name", "call", "now", "config", "event", "expect", "failed"];
/// Maximum length of a value that is shown, in bytes.
const SHOWN: usize = 500;

/// A case of the library.
#[derive(Clone, Debug)]
pub struct LibraryCase {
    name: String,
    /// An expression, which calls a function.
    call: Source,
    now: Timestamp,
    config: Map<String, Value>,
    event: Event,
    expected: Expected,
}

#[derive(Clone, Debug)]
enum Expected {
    Value(Value),
    /// A part of the reason why the call fails.
    Failed(String),
}

impl Ports for LibraryCase {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn config(&self, _folder: &str, key: &str) -> Option<Value> {
        self.config.get(key).cloned()
    }
}

/// Reads a file of cases of the library.
pub fn cases(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<LibraryCase> {
    items(file, text, findings).iter().filter_map(|node| read(node, findings)).collect()
}

fn read(node: &Node, findings: &mut Vec<Finding>) -> Option<LibraryCase> {
    let fields = node.fields(&KEYS, findings)?;
    let (name, call) = (required(&fields, "name", findings)?, required(&fields, "call", findings)?);
    let now = fields.parsed("now", timestamp, findings).unwrap_or_else(case::default_time);
    let expected = match (fields.key("expect"), fields.text("failed", findings)) {
        (Some(_), None) => Expected::Value(fields.get("expect").map(Node::json).unwrap_or_default()),
        (None, Some(failed)) => Expected::Failed(failed.text),
        _ => {
            let finding = Finding::at(&fields.place, "the case needs either `expect` or `failed`");
            findings.push(finding.help("write what the call gives, `expect: 5`, or a part of why it fails"));
            return None;
        }
    };
    Some(LibraryCase {
        name: name.text,
        call,
        now,
        config: case::map(&fields, "config", findings),
        event: case::event_of(&fields, now, findings)?,
        expected,
    })
}

/// Runs the cases; returns those that fail.
pub fn run(cases: &[LibraryCase], routes: &Routes) -> Vec<Finding> {
    cases.iter().filter_map(|case| case.run(routes)).collect()
}

impl LibraryCase {
    fn run(&self, routes: &Routes) -> Option<Finding> {
        let what = format!("case `{}` failed", self.name);
        let said = |value: &Value| shown(value, SHOWN);
        let (place, expected, actual) = match (routes.evaluate(&self.call, &self.event, self), &self.expected)
        {
            (Ok(value), Expected::Value(expected)) if same(expected, &value) => return None,
            (Err(error), Expected::Failed(part)) if error.message.contains(part.as_str()) => return None,
            (Ok(value), Expected::Value(expected)) => (self.call.place.clone(), said(expected), said(&value)),
            (Ok(value), Expected::Failed(part)) => {
                (self.call.place.clone(), format!("failed: {part}"), said(&value))
            }
            (Err(error), expected) => {
                let expected = match expected {
                    Expected::Value(expected) => said(expected),
                    Expected::Failed(part) => format!("failed: {part}"),
                };
                (self.call.place.clone(), expected, format!("failed: {error}"))
            }
        };
        Some(Finding::at(&place, what).note("expected", expected).note("actual", actual))
    }
}
