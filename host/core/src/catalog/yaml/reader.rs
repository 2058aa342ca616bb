//! Builds nodes from the parser's events.
//!
//! The parser does not recurse, but the loaders on top of it do, before anything can be counted. So nodes are built here,
//! one event at a time, counting depth, nodes and what aliases repeat. Time and memory are proportional to the length
//! of the file.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Number, Value};

use super::{Kind, Node, help};
use crate::{
    bounds::cut,
    catalog::findings::Finding,
    decide::{Place, Source},
};

/// Maximum nesting of values.
const DEPTH: usize = 64;
/// Maximum number of values of a file, including keys.
const NODES: usize = 100_000;
/// Maximum number of values that all aliases (`*name`) of a file repeat; each 64 bytes of text count as one more.
const REPEATED: usize = 10_000;

/// Reads a file of one YAML document; an empty one is `None`.
///
/// # Errors
/// If it is not valid YAML, has several documents or duplicate keys, or is nested too deeply or too large.
pub fn parse(file: &str, text: &str) -> Result<Option<Node>, Finding> {
    let mut reader = Reader {
        file: Place { block: false, ..Place::start_of(file) },
        open: Vec::new(),
        root: None,
        nodes: 0,
        repeated: 0,
        anchors: HashMap::new(),
    };
    // A byte order mark has no meaning.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| reader.broken(&error, text))?;
        reader.take(event, span)?;
    }
    Ok(reader.root.map(|weighed| weighed.node))
}

/// A list or a map whose end has not been read yet.
struct Open {
    place: Place,
    anchor: usize,
    weight: usize,
    what: Container,
}

enum Container {
    List(Vec<Node>),
    Map { entries: Vec<(Source, Node)>, keys: HashSet<String>, key: Option<Source> },
}

/// A node and the cost of repeating it.
#[derive(Clone)]
struct Weighed {
    node: Node,
    weight: usize,
}

struct Reader {
    file: Place,
    open: Vec<Open>,
    root: Option<Weighed>,
    nodes: usize,
    repeated: usize,
    /// Nodes that aliases refer to; `None` for one that is too large to be repeated.
    anchors: HashMap<usize, Option<Weighed>>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Finding> {
        let place = self.place(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd => Ok(()),
            Event::DocumentStart(_) | Event::DocumentEnd => Ok(()),
            _ if self.open.is_empty() && self.root.is_some() => {
                Err(Finding::at(&place, "the file has more than one YAML document"))
            }
            Event::SequenceStart(anchor, tag) => {
                self.opens(place, anchor, tag.as_deref(), Container::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let map = Container::Map { entries: Vec::new(), keys: HashSet::new(), key: None };
                self.opens(place, anchor, tag.as_deref(), map)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.what {
                    Container::List(items) => Kind::List(items),
                    Container::Map { entries, .. } => Kind::Map(entries),
                };
                let node = Node { place: open.place, value };
                self.put(Weighed { node, weight: open.weight }, open.anchor)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.counts(&place)?;
                let weight = 1 + text.len() / 64;
                let node = scalar(place, text, style, tag.as_ref())?;
                self.put(Weighed { node, weight }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(Some(meant)) = self.anchors.get(&anchor).cloned() else {
                    return Err(too_much_repeated(&place));
                };
                self.repeats(meant.weight, &place)?;
                self.put(meant, 0)
            }
        }
    }

    fn opens(
        &mut self,
        place: Place,
        anchor: usize,
        tag: Option<&Tag>,
        what: Container,
    ) -> Result<(), Finding> {
        self.counts(&place)?;
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            return Err(tagged(&place));
        }
        if self.open.len() == DEPTH {
            return Err(Finding::at(&place, format!("the values are nested more than {DEPTH} levels deep")));
        }
        self.open.push(Open { place, anchor, weight: 1, what });
        Ok(())
    }

    /// Adds a complete node to its parent.
    fn put(&mut self, weighed: Weighed, anchor: usize) -> Result<(), Finding> {
        if anchor > 0 {
            // Copied only if that is cheap: anchors may be nested.
            let kept = self.repeats(weighed.weight, &weighed.node.place).is_ok();
            self.anchors.insert(anchor, kept.then(|| weighed.clone()));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(weighed);
            return Ok(());
        };
        open.weight += weighed.weight;
        match &mut open.what {
            Container::List(items) => items.push(weighed.node),
            Container::Map { entries, keys, key } => match key.take() {
                Some(key) => entries.push((key, weighed.node)),
                None => {
                    let place = weighed.node.place.clone();
                    let Some(text) = weighed.node.word() else {
                        return Err(Finding::at(&place, "a key must be a string"));
                    };
                    if !keys.insert(text.clone()) {
                        return Err(Finding::at(&place, format!("duplicate key `{}`", cut(&text, 100))));
                    }
                    *key = Some(Source { text, place });
                }
            },
        }
        Ok(())
    }

    fn counts(&mut self, place: &Place) -> Result<(), Finding> {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(Finding::at(place, format!("the file has more than {NODES} values"))
                .help("a large table can be a .csv file"));
        }
        Ok(())
    }

    fn repeats(&mut self, weight: usize, place: &Place) -> Result<(), Finding> {
        if self.repeated + weight > REPEATED {
            return Err(too_much_repeated(place));
        }
        self.repeated += weight;
        Ok(())
    }

    fn place(&self, marker: Marker) -> Place {
        Place { line: marker.line().max(1), column: marker.col() + 1, ..self.file.clone() }
    }

    fn broken(&self, error: &ScanError, text: &str) -> Finding {
        // If the file ends too early, the place is after its last line.
        let last = text.lines().enumerate().last();
        let end = last.map_or((1, 1), |(index, line)| (index + 1, line.chars().count() + 1));
        let (line, column) = (error.marker().line(), error.marker().col() + 1).min(end);
        let place = Place { line, column, ..self.file.clone() };
        let finding = Finding::at(&place, format!("invalid YAML: {}", error.info()));
        match help::of_lines(text.lines().skip(line - 1), column) {
            Some(help) => finding.help(help),
            None => finding,
        }
    }
}

fn scalar(
    place: Place,
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Cow<'_, Tag>>,
) -> Result<Node, Finding> {
    if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
        return Err(tagged(&place));
    }
    let value = match Scalar::parse_from_cow_and_metadata(text, style, tag) {
        Some(Scalar::Null) => Kind::Plain(Value::Null),
        Some(Scalar::Boolean(yes)) => Kind::Plain(yes.into()),
        Some(Scalar::Integer(int)) => Kind::Plain(int.into()),
        Some(Scalar::FloatingPoint(float)) => match Number::from_f64(float.into_inner()) {
            Some(number) => Kind::Plain(number.into()),
            None => return Err(Finding::at(&place, "not a JSON number")),
        },
        Some(Scalar::String(text)) => {
            // The place of the first character: after the quote; a literal block is marked as one.
            let place = match style {
                ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                    Place { column: place.column + 1, ..place }
                }
                ScalarStyle::Literal => Place { block: true, ..place },
                ScalarStyle::Plain | ScalarStyle::Folded => place,
            };
            return Ok(Node { place, value: Kind::Text(text.into_owned()) });
        }
        None => return Err(tagged(&place)),
    };
    Ok(Node { place, value })
}

fn tagged(place: &Place) -> Finding {
    Finding::at(place, "YAML tags (`!name`) are not supported")
        .help("put an expression that begins with `!` in quotes: `when: '!event.data.paid'`")
}

fn too_much_repeated(place: &Place) -> Finding {
    Finding::at(place, "the aliases repeat too many values")
        .help("write the values out, or use smaller anchors")
}
