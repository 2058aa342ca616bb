//! The words of expressions and templates: the same names, and the same results.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{GROUPS, write};
use crate::{
    catalog::{Catalog, CatalogPorts, load},
    decide::decide,
    domain::{Event, EventKey, Outcome, Senders},
    plan::Planner,
};

const TEMPLATE: &str = "---\ndescription: x\ncategory: utility\nlanguage: en_US\nmode: text\n---\n";
const VALUES: &str = "at zone total items count spent";

fn data() -> Value {
    json!({
        "at": "2026-12-03T12:05:00Z", "zone": "Africa/Harare", "total": "1234.5", "count": 2, "spent": 1,
        "items": ["Panel", "Battery"],
    })
}

/// A folder with a route whose only variable is this expression, and a template that has it itself.
fn catalog(expression: &str) -> Catalog {
    let folder = TempDir::new().unwrap();
    let lets: String = VALUES.split(' ').map(|name| format!("    {name}: event.data.{name}\n")).collect();
    let context: String = VALUES.split(' ').map(|name| format!("    {name}: {name}\n")).collect();
    let quoted = expression.replace('\'', "''");
    let routes = format!(
        "- on: a\n  let:\n{lets}  template: given\n  groups: [Sales Team]\n  context:\n    x: '{quoted}'\n\
         - on: a\n  let:\n{lets}  template: own\n  groups: [Sales Team]\n  context:\n{context}"
    );
    write(
        folder.path(),
        &[
            ("groups.yaml", GROUPS),
            ("a/routes.yaml", &routes),
            ("a/templates/given.j2", &format!("{TEMPLATE}{{{{ x }}}}")),
            ("a/templates/own.j2", &format!("{TEMPLATE}{{{{ {expression} }}}}")),
        ],
    );
    load(&folder.path().into()).unwrap_or_else(|findings| panic!("{expression}: {findings}"))
}

/// What an expression gives in a route and in a template, as people read it.
fn both(expression: &str) -> (String, String) {
    let catalog = catalog(expression);
    let now = "2026-12-03T12:00:00Z".parse().unwrap();
    let event = Event {
        key: EventKey { id: "1".into(), source: "/shop".into() },
        kind: "a".into(),
        subject: None,
        time: now,
        data: serde_json::value::to_raw_value(&data()).unwrap(),
        extensions: None,
    };
    let verdicts = decide(&catalog.routes, &event, &CatalogPorts { catalog: &catalog, now });
    let people = catalog.made_up_people(&verdicts);
    let planner = Planner {
        templates: &catalog.templates,
        senders: &Senders::any(),
        in_use: None,
        people: &people,
        now,
    };
    let mut texts = verdicts.iter().map(|verdict| {
        assert!(matches!(verdict.outcome, Outcome::Notify(_)), "{expression}: {verdict:?}");
        let planned = planner.plan(&event, verdict);
        let reason = planned.reason.clone();
        let first = planned.notifications.first();
        first.unwrap_or_else(|| panic!("{expression}: {reason:?}")).notification.message.body.clone()
    });
    // As minijinja writes it.
    let shown = |text: String| if text == "True" { "true".to_owned() } else { text };
    (shown(texts.next().unwrap()), shown(texts.next().unwrap()))
}

#[test]
fn each_word_of_the_readme_gives_its_result_in_both() {
    let readme = include_str!("../../../../../rules/README.md");
    let (_, section) = readme.split_once("### Times, money and lists").unwrap();
    let (table, _) = section.split_once("\n### ").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |"));
    let rows: Vec<(&str, &str)> = rows.filter_map(|row| row.rsplit_once("` | `")).collect();
    assert!(rows.len() > 12, "{rows:?}");
    for (expression, result) in rows {
        let result = result.replace("↵", "\n");
        assert_eq!(both(expression), (result.clone(), result), "{expression}");
    }
}

#[test]
fn a_word_can_be_the_name_of_a_variable_too() {
    let folder = TempDir::new().unwrap();
    let routes = "- on: a\n  template: t\n  groups: [Sales Team]\n  context: {number: 7, time: '\"noon\"'}\n";
    let body = format!("{TEMPLATE}{{{{ number }}}} {{{{ time }}}} {{{{ money(number, 'USD') }}}}");
    write(folder.path(), &[("groups.yaml", GROUPS), ("a/routes.yaml", routes), ("a/templates/t.j2", &body)]);
    let catalog = load(&folder.path().into()).unwrap();
    assert_eq!(catalog.templates.get("t").unwrap().variables, ["number", "time"]);
    assert_eq!(catalog.all_warnings().count(), 0);
}

#[test]
fn a_template_adds_numbers_and_texts_as_before() {
    for (expression, result) in [("count + spent", "3"), ("7 - spent", "6"), ("count + spent - 1", "2")] {
        assert_eq!(both(expression), (result.to_owned(), result.to_owned()));
    }
}
