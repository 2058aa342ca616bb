//! The schemas and the readers: they know the same keys, take what is shipped, and refuse what is wrong.

mod validates;

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use self::validates::fault;
use super::{GROUPS, TEMPLATE, rules, write};
use crate::{
    catalog::{
        Schema, case, case_http, expect, library_cases, load, people, plugins, routes, schedules, yaml,
    },
    plan::{self, front_matter},
};

fn schema(schema: Schema) -> Value {
    serde_json::from_str(schema.text()).unwrap()
}

/// The keys of the object at a path of a schema.
#[track_caller]
fn keys(schema: &Value, path: &str) -> BTreeSet<String> {
    let object = schema.pointer(path).unwrap_or_else(|| panic!("no {path}"));
    assert_eq!(object["additionalProperties"], false, "{path}");
    let properties = object["properties"].as_object().unwrap();
    for (key, of_key) in properties {
        let words = of_key["description"].as_str().unwrap_or_default();
        assert!(!words.is_empty(), "{path}: `{key}` has no description");
    }
    properties.keys().cloned().collect()
}

#[test]
fn the_schemas_have_the_keys_that_are_read() {
    let of = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
    for (name, path, read) in [
        (Schema::Routes, "/items", &routes::KEYS[..]),
        (Schema::Routes, "/items/properties/else", &crate::decide::PEOPLE),
        (Schema::Groups, "/items", &routes::GROUP_KEYS),
        (Schema::Schedules, "/items", &schedules::KEYS),
        (Schema::Schedules, "/items/properties/for_each", &schedules::FOR_EACH),
        (Schema::Cases, "/$defs/case", &case::KEYS),
        (Schema::Cases, "/$defs/event", &case::EVENT_KEYS),
        (Schema::Cases, "/$defs/of_library", &library_cases::KEYS),
        (Schema::Cases, "/$defs/answer", &case_http::KEYS),
        (Schema::Cases, "/$defs/expected", &expect::KEYS),
        (Schema::Cases, "/$defs/people", &people::KEYS),
        (Schema::Cases, "/$defs/person/anyOf/1", &people::PERSON_KEYS),
        (Schema::Plugin, "", &plugins::KEYS),
        (Schema::Plugin, "/properties/limits", &plugins::LIMIT_KEYS),
        (Schema::Plugin, "/properties/lookup/additionalProperties", &plugins::TABLE_KEYS),
        (Schema::Template, "", &plan::FRONT_KEYS),
        (Schema::Template, "/$defs/button", &plan::BUTTON_KEYS),
        (Schema::Template, "/$defs/row", &plan::ROW_KEYS),
    ] {
        assert_eq!(keys(&schema(name), path), of(read), "{name:?} {path}");
    }
    let template = schema(Schema::Template);
    for (path, of_media) in [("/$defs/header/anyOf/1", true), ("/$defs/location", false)] {
        for key in keys(&template, path) {
            // Its value is of the wrong type: what is wrong must not be the key.
            let header =
                if of_media { format!("{{{key}: []}}") } else { format!("{{location: {{{key}: []}}}}") };
            let said = said_of_template(&format!("header: {header}\n"));
            assert!(!said.is_empty() && !said.contains("unknown key"), "{header}: {said}");
        }
    }
}

/// What `rules check` says of a template with these lines.
fn said_of_template(lines: &str) -> String {
    let folder = rules();
    let text = TEMPLATE.replace("language:", &format!("{lines}language:"));
    write(folder.path(), &[("orders/templates/order_created.j2", &text)]);
    load(&folder.path().into()).err().map(|findings| findings.to_string()).unwrap_or_default()
}

/// The descriptions are the words of the tables in README.md.
#[test]
fn the_schemas_have_the_words_of_the_manuals() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, path, manual) in
        [(Schema::Routes, "/items", "rules/README.md"), (Schema::Plugin, "", "plugins/README.md")]
    {
        let text = fs::read_to_string(root.join(manual)).unwrap();
        let rows = text.split_once("| Key | Meaning |\n|---|---|\n").unwrap().1.lines();
        let schema = schema(name);
        let mut told = 0;
        for (named, meaning) in rows.map_while(|row| row.strip_prefix("| ")?.split_once(" | ")) {
            for key in named.split('`').skip(1).step_by(2) {
                let words = schema.pointer(&format!("{path}/properties/{key}/description")).unwrap();
                let words = words.as_str().unwrap();
                let plain = meaning.trim_end_matches(" |").replace("\\|", "|");
                assert!(plain.contains(words) || plain.contains("]("), "{key}: {words}\n{plain}");
                told += 1;
            }
        }
        assert_eq!(told, keys(&schema, path).len(), "{manual} tells of each key");
    }
}

/// The schema of a file, by its path.
fn kind_of(path: &str) -> Option<Schema> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let named = Schema::ALL.into_iter().find(|schema| format!("{}.yaml", schema.name()) == name);
    match path {
        path if path.ends_with(".j2") => Some(Schema::Template),
        path if path.contains("/cases/") => Some(Schema::Cases),
        _ => named,
    }
}

/// What the schema of a file finds wrong with its text.
fn fault_in(path: &str, text: &str) -> Option<String> {
    let schema = schema(kind_of(path).unwrap());
    let text = if path.ends_with(".j2") { front_matter(text).unwrap().0 } else { text };
    let value = yaml::parse(path, text).ok()?.map(|node| node.json()).unwrap_or_default();
    fault(&schema, &value)
}

#[test]
fn what_is_shipped_is_as_the_schemas_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = ["rules", "plugins", "examples"].map(|name| root.join(name)).to_vec();
    let mut seen = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            let name = path.to_str().unwrap().to_owned();
            if path.is_dir() && !name.ends_with("/target") {
                folders.push(path);
            } else if let Some(kind) =
                kind_of(&name).filter(|_| name.ends_with(".yaml") || name.ends_with(".j2"))
            {
                assert_eq!(fault_in(&name, &fs::read_to_string(&path).unwrap()), None, "{name}");
                seen.insert(kind.name());
            }
        }
    }
    assert_eq!(seen.len(), Schema::ALL.len(), "{seen:?}");
}

/// What is wrong is refused by `rules check` and by the schema.
#[test]
fn what_is_wrong_is_refused_by_both() {
    let front = |lines: &str| TEMPLATE.replace("language:", &format!("{lines}language:"));
    let event = "event: {type: a}";
    for (file, text) in [
        ("orders/routes.yaml", "- {on: a, tempalte: order_created, groups: [Sales Team]}".to_owned()),
        ("orders/routes.yaml", "- {template: order_created, groups: [Sales Team]}".to_owned()),
        ("orders/routes.yaml", "{on: a}".to_owned()),
        ("orders/routes.yaml", "- {on: a, template: order_created, groups: Sales Team}".to_owned()),
        (
            "orders/routes.yaml",
            "- {on: a, template: order_created, groups: [Sales Team], after: soon}".to_owned(),
        ),
        (
            "orders/routes.yaml",
            "- {on: a, template: order_created, groups: [Sales Team], mode: letter}".to_owned(),
        ),
        (
            "orders/routes.yaml",
            "- {on: a, template: order_created, groups: [Sales Team], priority: high}".to_owned(),
        ),
        (
            "orders/routes.yaml",
            "- {on: a, template: order_created, groups: [Sales Team], dedupe_for: 1h}".to_owned(),
        ),
        (
            "orders/routes.yaml",
            "- {on: a, template: order_created, groups: [Sales Team], context: {a: [1]}}".to_owned(),
        ),
        (
            "orders/routes.yaml",
            "- {on: a, template: order_created, else: {}, groups: [Sales Team]}".to_owned(),
        ),
        ("orders/routes.yaml", "- {on: a, script: sold.rhai, groups: [Sales Team]}".to_owned()),
        (
            "orders/routes.yaml",
            "- {on: a, template: order_created, groups: [Sales Team], send_at: now(), after: 1h}".to_owned(),
        ),
        ("groups.yaml", format!("{GROUPS}- {{description: x}}\n")),
        ("groups.yaml", format!("{GROUPS}- {{name: Ops, members: [a]}}\n")),
        ("schedules.yaml", "- {name: a, cron: 0 7 * *, time_zone: UTC, event: b}".to_owned()),
        ("schedules.yaml", "- {name: a, cron: 0 7 * * *, event: b}".to_owned()),
        ("schedules.yaml", "- {name: a, cron: 0 7 * * *, time_zone: UTC, event: b, missed: late}".to_owned()),
        ("orders/cases/x.yaml", format!("- {{{event}, expect: [{{no_route: true}}]}}")),
        ("orders/cases/x.yaml", format!("- {{name: x, {event}}}")),
        ("orders/cases/x.yaml", format!("- {{name: x, {event}, expect: [{{no_route: true, skip: x}}]}}")),
        ("orders/cases/x.yaml", format!("- {{name: x, {event}, expect: [{{tempalte: x}}]}}")),
        ("orders/cases/x.yaml", "- {name: x, event: {data: {}}, expect: [{no_route: true}]}".to_owned()),
        (
            "orders/cases/x.yaml",
            format!("- {{name: x, {event}, events: [{{type: a}}], expect: [{{no_route: true}}]}}"),
        ),
        (
            "orders/cases/x.yaml",
            format!("- {{name: x, {event}, http: [{{status: 200}}], expect: [{{no_route: true}}]}}"),
        ),
        (
            "orders/cases/x.yaml",
            format!("- {{name: x, {event}, people: {{users: [{{name: x}}]}}, expect: [{{no_route: true}}]}}"),
        ),
        ("orders/templates/order_created.j2", front("colour: red\n")),
        ("orders/templates/order_created.j2", front("mode: letter\n")),
        ("orders/templates/order_created.j2", front("header: {picture: x}\n")),
        ("orders/templates/order_created.j2", front("buttons: [{title: x, link: y}]\n")),
        ("orders/templates/order_created.j2", front("code_expiration_minutes: 5\n")),
        ("orders/templates/order_created.j2", TEMPLATE.replace("utility", "other")),
        ("orders/templates/order_created.j2", TEMPLATE.replace("description: A new order\n", "")),
    ] {
        let folder = rules();
        write(folder.path(), &[(file, &text)]);
        assert!(load(&folder.path().into()).is_err(), "rules check takes {file}: {text}");
        assert!(fault_in(file, &text).is_some(), "the schema takes {file}: {text}");
    }
    let manifest = "{id: a, version: 1, contract: '1.0', owner: x}";
    assert_eq!(fault_in("plugins/a/plugin.yaml", manifest), None);
    for wrong in [
        "{id: a}",
        "{id: a, version: 1, contract: '2.0', owner: x}",
        "{id: a, version: 1, contract: '1.0', owner: x, on_failure: stop}",
    ] {
        assert!(fault_in("plugins/a/plugin.yaml", wrong).is_some(), "{wrong}");
    }
}
