//! YAML with the place of each value: what the author wrote, and where.

mod reader;

use serde_json::Value;

use super::findings::{Finding, KEPT};
use crate::decide::{Place, Source, did_you_mean};

pub use reader::parse;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub value: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing, a truth, a number.
    Plain(Value),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in its order.
    Map(Vec<(Source, Node)>),
}

impl Node {
    /// What kind of value this is, in words.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Kind::Plain(value) => crate::decide::kind_of(value),
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// Whether nothing is written there.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Kind::Plain(Value::Null))
    }

    /// The value as JSON.
    pub fn json(&self) -> Value {
        match &self.value {
            Kind::Plain(value) => value.clone(),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Node::json).collect()),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.text.clone(), value.json())).collect())
            }
        }
    }

    /// A text, or a number, a truth as it is written.
    fn word(&self) -> Option<String> {
        match &self.value {
            Kind::Text(text) => Some(text.clone()),
            Kind::Plain(value) if !value.is_null() => Some(value.to_string()),
            _ => None,
        }
    }

    /// A finding that this is not what was wanted.
    pub fn wrong(&self, wanted: &str) -> Finding {
        Finding::at(&self.place, format!("expected {wanted}, got {}", self.kind()))
    }

    /// The text that stands here.
    pub fn text(&self, findings: &mut Vec<Finding>) -> Option<Source> {
        match self.word().filter(|text| !text.trim().is_empty()) {
            Some(text) => Some(Source { text, place: self.place.clone() }),
            None => {
                findings.push(match &self.value {
                    Kind::Text(_) => Finding::at(&self.place, "expected a text, got an empty one"),
                    _ => self.wrong("a text"),
                });
                None
            }
        }
    }

    /// The items of a list; what is no list is told.
    pub fn items(&self, findings: &mut Vec<Finding>) -> &[Node] {
        match &self.value {
            Kind::List(items) => items,
            _ => {
                findings.push(self.wrong("a list"));
                &[]
            }
        }
    }

    /// The texts of a list.
    pub fn texts(&self, findings: &mut Vec<Finding>) -> Vec<Source> {
        self.items(findings).iter().filter_map(|item| item.text(findings)).collect()
    }

    /// The entries of a map of which only these keys are known; others are told, with the closest that is.
    pub fn fields(&self, known: &[&'static str], findings: &mut Vec<Finding>) -> Option<Fields<'_>> {
        let Kind::Map(entries) = &self.value else {
            findings.push(self.wrong("a map"));
            return None;
        };
        let unknown = entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str()));
        // Words are compared for as many findings as are kept.
        for (key, _) in unknown.take(KEPT.saturating_sub(findings.len())) {
            let finding = Finding::at(&key.place, format!("unknown key `{}`", key.text));
            findings.push(finding.help(did_you_mean(&key.text, known.iter().copied())));
        }
        Some(Fields { place: self.place.clone(), entries })
    }
}

/// A map's entries, by their keys.
pub struct Fields<'a> {
    /// Where the map begins.
    pub place: Place,
    entries: &'a [(Source, Node)],
}

impl<'a> Fields<'a> {
    /// The value at a key, where there is one.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries
            .iter()
            .find(|(found, _)| found.text == key)
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    }

    /// The key as it stands there, even without a value.
    pub fn key(&self, key: &str) -> Option<&'a Source> {
        self.entries.iter().map(|(found, _)| found).find(|found| found.text == key)
    }

    /// The text at a key, where there is one.
    pub fn text(&self, key: &str, findings: &mut Vec<Finding>) -> Option<Source> {
        self.get(key)?.text(findings)
    }

    /// The texts at a key; none where there is no such key.
    pub fn texts(&self, key: &str, findings: &mut Vec<Finding>) -> Vec<Source> {
        self.get(key).map(|node| node.texts(findings)).unwrap_or_default()
    }

    /// The text at a key, read as something else.
    pub fn parsed<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        findings: &mut Vec<Finding>,
    ) -> Option<T> {
        let source = self.text(key, findings)?;
        parse(&source.text).map_err(|error| findings.push(Finding::at(&source.place, error))).ok()
    }
}
