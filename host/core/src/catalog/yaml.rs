//! YAML with the place of each value.

mod help;
mod reader;

use serde_json::Value;

use super::findings::{Finding, KEPT};
use crate::{
    bounds::cut,
    decide::{Place, Source},
    domain::did_you_mean,
};

pub use reader::parse;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value begins.
    pub place: Place,
    /// The value.
    pub value: Kind,
}

/// A YAML value.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Null, a boolean or a number.
    Plain(Value),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Source, Node)>),
}

impl Node {
    /// Describes the type of the value, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Kind::Plain(value) => crate::decide::kind_of(value),
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// Whether the value is null or left out.
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

    /// A string, or a number or boolean as JSON writes it.
    fn word(&self) -> Option<String> {
        match &self.value {
            Kind::Text(text) => Some(text.clone()),
            Kind::Plain(value) if !value.is_null() => Some(value.to_string()),
            _ => None,
        }
    }

    /// The finding for a value of another type than `wanted`.
    pub fn wrong(&self, wanted: &str) -> Finding {
        Finding::at(&self.place, format!("expected {wanted}, got {}", self.kind()))
    }

    /// The value as text; reports an empty or unsuitable one.
    pub fn text(&self, findings: &mut Vec<Finding>) -> Option<Source> {
        match self.word().filter(|text| !text.trim().is_empty()) {
            Some(text) => Some(Source { text, place: self.place.clone() }),
            None => {
                findings.push(match &self.value {
                    Kind::Text(_) => Finding::at(&self.place, "the value must not be empty"),
                    _ => self.wrong("a string"),
                });
                None
            }
        }
    }

    /// The items of a list; reports anything else.
    pub fn items(&self, findings: &mut Vec<Finding>) -> &[Node] {
        match &self.value {
            Kind::List(items) => items,
            kind => {
                let finding = self.wrong("a list");
                findings.push(match kind {
                    Kind::Text(text) => finding.help(format!("write a list: `[{}]`", cut(text, 100))),
                    _ => finding,
                });
                &[]
            }
        }
    }

    /// The texts of a list.
    pub fn texts(&self, findings: &mut Vec<Finding>) -> Vec<Source> {
        self.items(findings).iter().filter_map(|item| item.text(findings)).collect()
    }

    /// The entries of a map; reports unknown keys, with the closest known one.
    pub fn fields(&self, known: &[&'static str], findings: &mut Vec<Finding>) -> Option<Fields<'_>> {
        let Kind::Map(entries) = &self.value else {
            findings.push(self.wrong("a map"));
            return None;
        };
        let unknown = entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str()));
        // Keys are compared only for the findings that are kept.
        for (key, _) in unknown.take(KEPT.saturating_sub(findings.len())) {
            let finding = Finding::at(&key.place, format!("unknown key `{}`", key.text));
            findings.push(finding.help(did_you_mean(&key.text, known.iter().copied())));
        }
        Some(Fields { place: self.place.clone(), entries })
    }
}

/// A map's entries, by their keys.
pub struct Fields<'a> {
    /// Place of the map.
    pub place: Place,
    entries: &'a [(Source, Node)],
}

impl<'a> Fields<'a> {
    /// The value at a key, unless it is missing or null.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries
            .iter()
            .find(|(found, _)| found.text == key)
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    }

    /// The key itself, even if its value is null.
    pub fn key(&self, key: &str) -> Option<&'a Source> {
        self.entries.iter().map(|(found, _)| found).find(|found| found.text == key)
    }

    /// The text at a key, unless it is missing.
    pub fn text(&self, key: &str, findings: &mut Vec<Finding>) -> Option<Source> {
        self.get(key)?.text(findings)
    }

    /// The texts of the list at a key; empty if the key is missing.
    pub fn texts(&self, key: &str, findings: &mut Vec<Finding>) -> Vec<Source> {
        self.get(key).map(|node| node.texts(findings)).unwrap_or_default()
    }

    /// The text at a key, parsed; reports the error of `parse`.
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
