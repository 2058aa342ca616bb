//! `groups.yaml`, `config.yaml` and `routes.yaml` as they are written.

use serde_json::{Map, Value};

use super::{
    findings::Finding,
    tree::domain_of,
    yaml::{Fields, Kind, Node, parse},
};
use crate::bounds::cut;
use crate::decide::{
    CancelSource, CollectSource, LetSource, Marked, NOT_COLLECTED, OtherwiseSource, PEOPLE, PlainSource,
    RouteSource, RuleSource, SendSource, Source, ValueSource, at_most, collect, collect_parts, duration,
    hours, keys_between, mode,
};

/// A group of `groups.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name, as rules use it.
    pub name: String,
    /// Description for people.
    pub description: String,
}

/// Keys of a route: its own, and those of its decision.
pub(super) const KEYS: [&str; 27] = keys_between(["on", "let", "when", "script", "plugin"], []);
/// Keys of a group.
pub(super) const GROUP_KEYS: [&str; 2] = ["name", "description"];
const KEYS_WITH_SCRIPT: [&str; 4] = ["on", "when", "script", "plugin"];

/// Reads `groups.yaml`.
pub fn groups(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for node in items(file, text, findings) {
        let Some(fields) = node.fields(&GROUP_KEYS, findings) else { continue };
        let Some(name) = required(&fields, "name", findings) else { continue };
        if groups.iter().any(|group| group.name == name.text) {
            findings.push(Finding::at(&name.place, format!("duplicate group `{}`", name.text)));
            continue;
        }
        let description = fields.text("description", findings).map(|text| text.text).unwrap_or_default();
        groups.push(Group { name: name.text, description });
    }
    groups
}

/// Reads `config.yaml`.
pub fn config(file: &str, text: &str, findings: &mut Vec<Finding>) -> Map<String, Value> {
    match parse(file, text) {
        Ok(None) => Map::new(),
        Ok(Some(node)) => match node.json() {
            Value::Object(map) => map,
            _ => {
                findings.push(node.wrong("a map"));
                Map::new()
            }
        },
        Err(finding) => {
            findings.push(finding);
            Map::new()
        }
    }
}

/// Reads a `routes.yaml`.
pub fn routes(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<RouteSource> {
    items(file, text, findings).iter().filter_map(|node| route(node, domain_of(file), findings)).collect()
}

/// Reads a file that is a list, and returns its items.
pub fn items(file: &str, text: &str, findings: &mut Vec<Finding>) -> Vec<Node> {
    match parse(file, text) {
        Ok(Some(Node { value: Kind::List(items), .. })) => items,
        Ok(Some(node)) => {
            findings.push(node.wrong("a list"));
            Vec::new()
        }
        Ok(None) => Vec::new(),
        Err(finding) => {
            findings.push(finding);
            Vec::new()
        }
    }
}

fn route(node: &Node, folder: &str, findings: &mut Vec<Finding>) -> Option<RouteSource> {
    let fields = node.fields(&KEYS, findings)?;
    let on = match fields.get("on") {
        Some(Node { value: Kind::List(items), .. }) if !items.is_empty() => {
            items.iter().filter_map(|item| item.text(findings)).collect()
        }
        Some(kind) => vec![kind.text(findings)?],
        None => {
            findings
                .push(missing(&fields, "on").help("name the event types, for example `on: order.created`"));
            return None;
        }
    };
    let when = fields.text("when", findings);
    let rule = match (fields.get("script"), fields.get("plugin")) {
        (None, None) if fields.get("template").is_none() && fields.get("cancel").is_some() => {
            RuleSource::Cancel(cancel(&fields, findings))
        }
        (None, None) => RuleSource::Plain(Box::new(plain(&fields, findings)?)),
        (Some(_), Some(_)) => {
            findings.push(Finding::at(&fields.place, "a route cannot have both `script` and `plugin`"));
            return None;
        }
        (Some(script), None) => {
            alone(&fields, "script", findings);
            let name = script.text(findings)?;
            RuleSource::Script(Source { text: format!("{folder}/{}", name.text), place: name.place })
        }
        (None, Some(plugin)) => {
            alone(&fields, "plugin", findings);
            RuleSource::Plugin(plugin.text(findings)?)
        }
    };
    Some(RouteSource { folder: folder.to_owned(), on, when, rule })
}

/// Reports the keys that a route with a script or a plugin cannot have.
fn alone(fields: &Fields<'_>, what: &str, findings: &mut Vec<Finding>) {
    for key in KEYS.iter().filter(|key| !KEYS_WITH_SCRIPT.contains(key)) {
        if let Some(key) = fields.key(key) {
            let message = format!("`{}` cannot be used with `{what}`", key.text);
            let help =
                format!("the {what} decides everything else: only `on` and `when` can be set beside it");
            findings.push(Finding::at(&key.place, message).help(help));
        }
    }
}

/// Reads a route without a template, which only withdraws messages.
fn cancel(fields: &Fields<'_>, findings: &mut Vec<Finding>) -> CancelSource {
    for key in KEYS.iter().filter(|key| !["on", "let", "when", "cancel", "reason"].contains(key)) {
        if let Some(key) = fields.key(key) {
            let finding = Finding::at(&key.place, format!("`{}` needs a `template`", key.text));
            findings.push(finding.help("without one a route with `cancel` only withdraws messages"));
        }
    }
    CancelSource {
        lets: lets(fields, findings),
        cancel: one_or_more(fields, "cancel", findings),
        reason: fields.text("reason", findings).map(|reason| reason.text),
    }
}

/// The values that a route names.
fn lets(fields: &Fields<'_>, findings: &mut Vec<Finding>) -> LetSource {
    let values = match fields.get("let").map(|lets| (lets, &lets.value)) {
        None => Vec::new(),
        Some((_, Kind::Map(entries))) => entries
            .iter()
            .filter_map(|(name, node)| Some((name.clone(), variable(node, findings)?)))
            .collect(),
        Some((node, _)) => {
            findings.push(node.wrong("a map of expressions"));
            Vec::new()
        }
    };
    let place = |key: &str| fields.key(key).map(|key| (key.place.line, key.place.column));
    LetSource { values, before_when: place("let") < place("when") }
}

/// The texts at a key: one, or a list.
fn one_or_more(fields: &Fields<'_>, key: &'static str, findings: &mut Vec<Finding>) -> Vec<Source> {
    match fields.get(key).map(|node| &node.value) {
        Some(Kind::List(_)) => fields.texts(key, findings),
        _ => fields.text(key, findings).into_iter().collect(),
    }
}

fn otherwise(fields: &Fields<'_>, findings: &mut Vec<Finding>) -> Option<OtherwiseSource> {
    let node = fields.get("else")?;
    let of_else = node.fields(&PEOPLE, findings)?;
    if PEOPLE.iter().all(|key| of_else.get(key).is_none()) {
        findings.push(
            Finding::at(&of_else.place, "`else` names nobody").help("add `groups`, `users` or `contacts`"),
        );
    }
    Some(OtherwiseSource {
        groups: of_else.texts("groups", findings),
        users: of_else.texts("users", findings),
        contacts: of_else.texts("contacts", findings),
    })
}

fn plain(fields: &Fields<'_>, findings: &mut Vec<Finding>) -> Option<PlainSource> {
    let template = match fields.text("template", findings) {
        Some(template) => marked(template),
        None => {
            if fields.get("template").is_none() {
                findings.push(
                    missing(fields, "template").help("a route needs a `template`, a `script` or a `plugin`"),
                );
            }
            return None;
        }
    };
    let reply = flag(fields, "reply", findings);
    if PEOPLE.iter().all(|key| fields.get(key).is_none()) && !reply {
        let finding = Finding::at(&fields.place, "the route has no recipients");
        findings.push(finding.help("add `groups`, `users`, `contacts` or `reply: true`"));
    }
    let context = match fields.get("context").map(|context| (context, &context.value)) {
        None => Vec::new(),
        Some((_, Kind::Map(entries))) => entries
            .iter()
            .filter_map(|(name, node)| Some((name.text.clone(), variable(node, findings)?)))
            .collect(),
        Some((node, _)) => {
            findings.push(node.wrong("a map of expressions"));
            Vec::new()
        }
    };
    let send_at = fields.text("send_at", findings);
    let after = fields.parsed("after", duration, findings);
    if let (Some(_), Some(key)) = (&send_at, fields.key("after")) {
        findings.push(Finding::at(&key.place, "`send_at` and `after` cannot be used together"));
    }
    if let Some(collect) = fields.key("collect") {
        for other in NOT_COLLECTED.iter().filter(|other| fields.key(other).is_some()) {
            let message = format!("`collect` and `{other}` cannot be used together");
            findings.push(Finding::at(&collect.place, message));
        }
    }
    if let (Some(key), None) = (fields.key("dedupe_for"), fields.key("dedupe_key")) {
        findings.push(Finding::at(&key.place, "`dedupe_for` needs a `dedupe_key`"));
    }
    Some(PlainSource {
        lets: lets(fields, findings),
        template,
        groups: match fields.get("groups") {
            Some(node) if matches!(&node.value, Kind::Text(text) if text.trim_start().starts_with('=')) => {
                node.text(findings).map(marked).into_iter().collect()
            }
            _ => fields.texts("groups", findings).into_iter().map(marked).collect(),
        },
        users: fields.texts("users", findings),
        contacts: fields.texts("contacts", findings),
        otherwise: otherwise(fields, findings),
        dedupe_key: fields.text("dedupe_key", findings),
        dedupe_for: fields.parsed("dedupe_for", duration, findings),
        key: fields.text("key", findings),
        cancel: one_or_more(fields, "cancel", findings),
        at_most: fields.parsed("at_most", at_most, findings),
        hours: fields.parsed("hours", hours, findings),
        collect: fields.text("collect", findings).and_then(|source| collected(source, findings)),
        context,
        send: send_at.map(SendSource::At).or(after.map(SendSource::After)),
        expires_at: fields.text("expires_at", findings),
        priority: fields.text("priority", findings).map(marked),
        mode: fields.parsed("mode", mode, findings),
        language: fields.text("language", findings).map(marked).and_then(|text| language(text, findings)),
        reply,
        from: fields.text("from", findings).map(|from| from.text),
        reason: fields.text("reason", findings).map(|reason| reason.text),
    })
}

/// `10m by group`, `1h by person`, or by an expression: `15m by event.data.site`.
fn collected(source: Source, findings: &mut Vec<Finding>) -> Option<CollectSource> {
    let collected = collect_parts(&source.text).and_then(|(time, by)| match by {
        "group" | "person" => collect(&source.text).map(CollectSource::Known),
        by => {
            let before = source.text.rfind(by).unwrap_or_default();
            let column = source.text[..before].chars().count() + 1;
            let place =
                if source.place.block { source.place.clone() } else { source.place.within(1, column) };
            Ok(CollectSource::Key(time, Source { text: by.to_owned(), place }))
        }
    });
    collected.map_err(|why| findings.push(Finding::at(&source.place, why))).ok()
}

/// A text that is an expression if it begins with `=`.
fn marked(source: Source) -> Marked {
    let start = source.text.len() - source.text.trim_start().len();
    match source.text[start..].strip_prefix('=') {
        Some(expression) => {
            let place = match source.place.block {
                // The first line of a block has the mark.
                true => source.place.clone(),
                false => source.place.within(1, start + 2),
            };
            let text = if source.place.block { format!(" {expression}") } else { expression.to_owned() };
            Marked::Expression(Source { text, place })
        }
        None => Marked::Plain(source),
    }
}

/// A plain language must be a code: an expression without its mark would never match a variant.
fn language(text: Marked, findings: &mut Vec<Finding>) -> Option<Marked> {
    let is_code = |text: &str| {
        let (language, country) = text.split_once(['_', '-']).unwrap_or((text, "XX"));
        let letters = |text: &str| text.chars().all(|c| c.is_ascii_alphabetic());
        matches!(language.len(), 2 | 3) && country.len() == 2 && letters(language) && letters(country)
    };
    match text.plain().filter(|source| !is_code(source.text.trim())) {
        None => Some(text),
        Some(source) => {
            let message = format!("`{}` is not a language", cut(source.text.trim(), 100));
            let help = "write a code such as `pt_BR`, or mark an expression with `=`: `language: =event.data.language`";
            findings.push(Finding::at(&source.place, message).help(help));
            None
        }
    }
}

fn flag(fields: &Fields<'_>, key: &str, findings: &mut Vec<Finding>) -> bool {
    match fields.get(key).map(|node| (node, node.json())) {
        None => false,
        Some((_, Value::Bool(flag))) => flag,
        Some((node, _)) => {
            findings.push(node.wrong("true or false"));
            false
        }
    }
}

fn variable(node: &Node, findings: &mut Vec<Finding>) -> Option<ValueSource> {
    match &node.value {
        Kind::Plain(value) if !value.is_null() => Some(ValueSource::Literal(value.clone())),
        Kind::Text(_) => node.text(findings).map(ValueSource::Expression),
        _ => {
            findings.push(node.wrong("an expression, a number, or true or false"));
            None
        }
    }
}

/// Returns the text at a required key.
pub fn required(fields: &Fields<'_>, key: &'static str, findings: &mut Vec<Finding>) -> Option<Source> {
    if fields.get(key).is_none() {
        findings.push(missing(fields, key));
        return None;
    }
    fields.text(key, findings)
}

fn missing(fields: &Fields<'_>, key: &str) -> Finding {
    Finding::at(&fields.place, format!("`{key}` is missing"))
}
