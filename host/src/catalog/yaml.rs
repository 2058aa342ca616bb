//! YAML with the place of each value: what the author wrote, and where.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::{Number, Value};

use super::findings::Finding;
use crate::decide::{Place, Source, did_you_mean};

/// The deepest that values may stand in values.
const DEPTH: usize = 64;

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

/// Reads a file of one YAML document; an empty one is `None`.
///
/// # Errors
/// Where it is no YAML, has several documents, repeats a key, or nests too deep.
pub fn parse(file: &str, text: &str) -> Result<Option<Node>, Finding> {
    let place = |line, column| Place { line, column, ..Place::start_of(file) };
    let deep = |(index, line)| nesting_of(line).filter(|depth| *depth > DEPTH).map(|_| index + 1);
    if let Some(line) = text.lines().enumerate().find_map(deep) {
        return Err(Finding::at(&place(line, 1), format!("the values nest more than {DEPTH} deep")));
    }
    let documents = MarkedYaml::load_from_str(text).map_err(|error| {
        // Where the file ends too early, the place is behind its last line.
        let end = text
            .lines()
            .enumerate()
            .last()
            .map_or((1, 1), |(index, line)| (index + 1, line.chars().count() + 1));
        let (line, column) = (error.marker().line(), error.marker().col() + 1).min(end);
        Finding::at(&place(line, column), format!("no valid YAML: {}", error.info()))
    })?;
    if let [_, second, ..] = documents.as_slice() {
        let start = second.span.start;
        return Err(Finding::at(&place(start.line(), start.col() + 1), "a second YAML document in one file"));
    }
    let reader = Reader { file: place(1, 1), lines: text.lines().collect() };
    documents.first().map(|document| reader.node(document, 0)).transpose()
}

/// How many list items a line opens at once (`- - - x`): the YAML reader recurses without a limit there.
fn nesting_of(line: &str) -> Option<usize> {
    let markers = line.trim_start().chars().take_while(|c| matches!(c, '-' | '?' | ' ' | '\t'));
    Some(markers.filter(|c| matches!(c, '-' | '?')).count()).filter(|_| !line.starts_with("---"))
}

struct Reader<'a> {
    file: Place,
    lines: Vec<&'a str>,
}

impl Reader<'_> {
    fn node(&self, yaml: &MarkedYaml<'_>, depth: usize) -> Result<Node, Finding> {
        let (line, column) = (yaml.span.start.line(), yaml.span.start.col() + 1);
        let place = Place { line, column, block: false, ..self.file.clone() };
        if depth > DEPTH {
            return Err(Finding::at(&place, format!("the values nest more than {DEPTH} deep")));
        }
        let value = match &yaml.data {
            YamlData::Value(Scalar::Null) => Kind::Plain(Value::Null),
            YamlData::Value(Scalar::Boolean(yes)) => Kind::Plain((*yes).into()),
            YamlData::Value(Scalar::Integer(int)) => Kind::Plain((*int).into()),
            YamlData::Value(Scalar::FloatingPoint(float)) => match Number::from_f64(float.into_inner()) {
                Some(number) => Kind::Plain(number.into()),
                None => return Err(Finding::at(&place, "no number that JSON knows")),
            },
            YamlData::Value(Scalar::String(text)) => {
                return Ok(Node { place: self.place_of_text(place), value: Kind::Text(text.to_string()) });
            }
            YamlData::Sequence(items) => {
                Kind::List(items.iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            YamlData::Mapping(entries) => {
                let entry = |(key, value): (&MarkedYaml<'_>, &MarkedYaml<'_>)| {
                    let key = self.node(key, depth + 1)?;
                    let Some(text) = key.word() else {
                        return Err(Finding::at(&key.place, "expected a text as the key"));
                    };
                    Ok((Source { text, place: key.place }, self.node(value, depth + 1)?))
                };
                Kind::Map(entries.iter().map(entry).collect::<Result<_, _>>()?)
            }
            _ => {
                return Err(Finding::at(
                    &place,
                    "expected a text, a number, a list or a map, without a YAML tag",
                ));
            }
        };
        Ok(Node { place, value })
    }

    /// The place of a text's first character: behind the quote, and for a block told as one.
    fn place_of_text(&self, place: Place) -> Place {
        let line = self.lines.get(place.line - 1).copied().unwrap_or_default();
        let before: String = line.chars().take(place.column - 1).collect();
        match line.chars().nth(place.column - 1) {
            Some('"' | '\'') => Place { column: place.column + 1, ..place },
            _ if before.trim().is_empty() => Place { block: self.opens_literal(place.line - 1), ..place },
            _ => place,
        }
    }

    /// Whether the last line before this one that says something opens a literal block (`when: |`).
    fn opens_literal(&self, lines: usize) -> bool {
        let before = self.lines.iter().take(lines).rev().find(|line| !line.trim().is_empty());
        before.is_some_and(|line| {
            line.trim_end()
                .trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))
                .ends_with('|')
        })
    }
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
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
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
