//! Misspelt paths into an event's data, found by the events of the cases. A path that no event has gives nothing, and
//! nothing fails.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    case::Case,
    findings::{Finding, Severity},
};
use crate::decide::{
    LetSource, Marked, PlainSource, RouteSource, RuleSource, SendSource, Source, ValueSource,
};

/// Maximum number of events of cases that a rule is compared with.
const EVENTS: usize = 200;
/// Maximum number of names that a step is compared with.
const NAMES: usize = 2_000;
const ROOT: &str = "event.data";

/// Warns about steps of `event.data.…` that no case's event has, where it has one of a similar name.
pub fn misspelt(routes: &[RouteSource], scripts: &BTreeMap<String, Source>, cases: &[Case]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for route in routes {
        let events: Vec<Value> = cases
            .iter()
            .flat_map(|case| &case.events)
            .filter(|event| route.on.iter().any(|on| is_for(&on.text, &event.kind)))
            .take(EVENTS)
            .filter_map(|event| serde_json::from_str(event.data.get()).ok())
            .collect();
        if events.is_empty() {
            continue;
        }
        let script = match &route.rule {
            RuleSource::Script(path) => scripts.get(&path.text),
            RuleSource::Plain(_) | RuleSource::Cancel(_) | RuleSource::Plugin(_) => None,
        };
        let plain = match &route.rule {
            RuleSource::Plain(plain) => expressions(plain),
            RuleSource::Cancel(cancel) => of_lets(&cancel.lets).chain(&cancel.cancel).collect(),
            RuleSource::Script(_) | RuleSource::Plugin(_) => Vec::new(),
        };
        for source in route.when.iter().chain(script).chain(plain) {
            for finding in of_source(source, &events) {
                // A script may stand in several routes.
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
    }
    findings
}

fn is_for(on: &str, kind: &str) -> bool {
    match on.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => on == kind,
    }
}

fn expression(value: &ValueSource) -> Option<&Source> {
    match value {
        ValueSource::Expression(source) => Some(source),
        ValueSource::Literal(_) => None,
    }
}

fn of_lets(lets: &LetSource) -> impl Iterator<Item = &Source> {
    lets.values.iter().filter_map(|(_, value)| expression(value))
}

fn expressions(plain: &PlainSource) -> Vec<&Source> {
    let lets = of_lets(&plain.lets);
    let values = plain.context.iter().filter_map(|(_, value)| expression(value));
    let marked = plain.groups.iter().chain([&plain.template]).chain(&plain.priority).chain(&plain.language);
    let send = match &plain.send {
        Some(SendSource::At(source)) => Some(source),
        Some(SendSource::After(_)) | None => None,
    };
    let others = plain.otherwise.iter().flat_map(|others| others.users.iter().chain(&others.contacts));
    let of_people = plain.users.iter().chain(&plain.contacts).chain(others);
    let keys = plain.dedupe_key.iter().chain(&plain.key).chain(&plain.cancel);
    let marked = marked.filter_map(Marked::expression);
    lets.chain(of_people)
        .chain(keys)
        .chain(marked)
        .chain(send)
        .chain(&plain.expires_at)
        .chain(values)
        .collect()
}

fn of_source(source: &Source, events: &[Value]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        for (at, _) in code.match_indices(ROOT) {
            let begins = code[..at].chars().next_back().is_none_or(|c| !is_of_a_name(c) && c != '.');
            if !begins {
                continue;
            }
            let Some((before, name, meant)) = unknown_step(&code[at + ROOT.len()..], events) else {
                continue;
            };
            let start = at + ROOT.len() + before;
            let column = code[..start].chars().count() + 1;
            let what = format!("no case's event has `{}`", &code[at..start + name.len()]);
            let finding = Finding::at(&source.place.within(index + 1, column), what)
                .help(format!("did you mean `{meant}`?"));
            findings.push(Finding { severity: Severity::Warning, ..finding });
        }
    }
    findings
}

/// The first step of a path that no event has: its offset, its name, and the name that was probably meant.
fn unknown_step<'a>(path: &'a str, events: &[Value]) -> Option<(usize, &'a str, String)> {
    let mut values: Vec<&Value> = events.iter().collect();
    let mut rest = path;
    loop {
        let after = rest.strip_prefix("?.").or_else(|| rest.strip_prefix('.'))?;
        let end = after.find(|c: char| !is_of_a_name(c)).unwrap_or(after.len());
        let (name, beyond) = after.split_at(end);
        // A method.
        if name.is_empty() || beyond.trim_start().starts_with('(') {
            return None;
        }
        let maps: Vec<_> = values.iter().filter_map(|value| value.as_object()).collect();
        let next: Vec<&Value> = maps.iter().filter_map(|map| map.get(name)).collect();
        if next.is_empty() {
            let known = maps.iter().flat_map(|map| map.keys());
            let meant = known.take(NAMES).find(|known| is_misspelt(name, known))?.clone();
            return Some((path.len() - after.len(), name, meant));
        }
        values = next;
        rest = beyond;
    }
}

/// Whether a name is another one with a letter or two wrong: other names of a similar kind may come in other events.
fn is_misspelt(name: &str, known: &str) -> bool {
    let wrong = if name.len().min(known.len()) > 4 { 2 } else { 1 };
    name.len().abs_diff(known.len()) <= wrong
        && strsim::osa_distance(&name.to_lowercase(), &known.to_lowercase()) <= wrong
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
