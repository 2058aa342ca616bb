//! What a rules folder may hold, what is told of a wrong one, and how a change goes live.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alike;
mod examples;
mod rests;
mod schemas;
mod shared;
mod shipped;
mod template_words;
mod together;
mod trying;
mod words;

use std::{fs, path::Path};

use tempfile::TempDir;

use super::{Catalog, CatalogPorts, Severity, load};
use crate::decide::Ports;

const GROUPS: &str =
    "- {name: Sales Team, description: They sell}\n- {name: System Admins, description: They run it}\n";
const TEMPLATE: &str =
    "---\ndescription: A new order\ncategory: utility\nlanguage: en_US\n---\n*New order* {{ number }}\n";
const ROUTES: &str = r#"
- on: order.created
  when: event.data.amount > 0
  template: order_created
  groups: [Sales Team]
  dedupe_key: event.data.id
  after: 10m
  context:
    number: first(event.data.number, "none")
    copies: 2
- on: [order.sold, order.*]
  script: sold.rhai
"#;
const SCRIPT: &str = r#"fn decide(event) {
    if event.data.lost == true { return skip("it was lost"); }
    [ #{ template: "order_created", groups: config("groups", ["System Admins"]), context: #{ number: event.data.number } } ]
}
"#;
const CASES: &str = r#"
- name: a paid order goes to sales, later
  at: 2026-11-23T09:00:00Z
  event: {type: order.created, data: {amount: 3, number: A-1, id: 7}}
  expect:
    - template: order_created
      groups: [Sales Team]
      to: [sales_team]
      skipped: []
      context: {number: A-1, copies: 2.0}
      dedupe_key: 7
      send_at: 2026-11-23T09:10:00Z
      after: 600s
      priority: normal
      body_contains: ["New order"]
    - groups: [System Admins]
- name: nobody hears of a free order
  event: {type: order.created, data: {amount: 0, lost: true}}
  expect:
    - skip: amount
    - skip: it was lost
- name: who is there, and another configuration
  config: {groups: [Sales Team, System Admins]}
  event: {type: order.sold, data: {number: B}}
  people:
    groups: {Sales Team: [ada, {username: tom, name: Tom, whatsapp: "263771000002"}], System Admins: [{username: zoe, active: false}]}
  expect:
    - to: [tom, ada]
      skipped: [zoe]
- {name: no route, event: {type: other}, expect: [{no_route: true}]}
"#;

pub(super) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

pub(super) fn rules() -> TempDir {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        &[
            ("groups.yaml", GROUPS),
            ("README.md", "notes"),
            (".hidden", "x"),
            ("orders/routes.yaml", ROUTES),
            ("orders/routes.yaml~", "x"),
            ("orders/.#routes.yaml", "x"),
            ("orders/sold.rhai", SCRIPT),
            ("orders/config.yaml", "groups: [System Admins]\n"),
            ("orders/templates/order_created.j2", TEMPLATE),
            ("orders/cases/orders.yaml", CASES),
        ],
    );
    folder
}

/// What is told of the rules with some files replaced, without the name of the folder.
fn told(files: &[(&str, &str)]) -> String {
    let folder = rules();
    write(folder.path(), files);
    match load(&folder.path().into()) {
        Ok(_) => "nothing".to_owned(),
        Err(findings) => findings.to_string().replace(&folder.path().display().to_string(), "rules"),
    }
}

#[test]
fn a_key_that_is_called_otherwise_elsewhere_is_named() {
    let route = "- on: a\n  template: order_created\n  groups: [Sales Team]\n  dedupe: event.data.id\n";
    let said = told(&[("orders/routes.yaml", route)]);
    assert!(said.contains("unknown key `dedupe`") && said.contains("did you mean `dedupe_key`?"), "{said}");
    let schedule = "- {name: report, cron: 0 7 1 * *, timezone: UTC, event: report.due}\n";
    let said = told(&[("schedules.yaml", schedule)]);
    assert!(said.contains("unknown key `timezone`") && said.contains("did you mean `time_zone`?"), "{said}");
}

fn open(folder: &Path) -> Catalog {
    load(&folder.into()).unwrap_or_else(|findings| panic!("{findings}"))
}

#[test]
fn a_good_folder_is_read_and_its_cases_pass() {
    let folder = rules();
    let catalog = open(folder.path());
    let counts = catalog.counts;
    assert_eq!(
        (counts.domains, counts.routes, counts.scripts, counts.templates, counts.cases),
        (1, 2, 1, 1, 4)
    );
    assert_eq!(catalog.groups[0].name, "Sales Team");
    assert_eq!(catalog.warnings, []);
    let ports = CatalogPorts { catalog: &catalog, now: "2026-11-23T09:00:00Z".parse().unwrap() };
    assert_eq!(ports.config("orders", "groups"), Some(serde_json::json!(["System Admins"])));
    assert_eq!((ports.config("orders", "x"), ports.config("other", "groups")), (None, None));
}

#[test]
fn the_release_is_of_all_files_and_nothing_else() {
    let (one, other) = (rules(), rules());
    let release = open(one.path()).release;
    assert_eq!(release.len(), 12);
    assert_eq!(open(other.path()).release, release);
    write(other.path(), &[("orders/config.yaml", "groups: [Sales Team]\n")]);
    assert_ne!(super::tree::read(&other.path().into(), &mut Vec::new()).release, release);
}

#[test]
fn all_errors_are_told_at_once_with_their_lines() {
    let words = told(&[
        (
            "orders/routes.yaml",
            "- on: order.created\n  tempalte: order_created\n  template: order_creatd\n  groups: [Sales Teem]\n  context:\n    number: evnt.data.number\n    block: |\n      first(\n        event.data. )\n  after: soon\n  priority: high\n- on: a\n  script: sold.rhay\n  groups: [x]\n- template: order_created\n",
        ),
        ("orders/sold.rhai", "fn decide(event) {\n  let x = ;\n}\n"),
        ("orders/cases/orders.yaml", "name: x\nevent: {typ: a}\nexpect: [{grups: []}]\n"),
        ("orders/templates/order_created.txt", "x"),
        ("stray.yaml", "x"),
    ]);
    insta::assert_snapshot!(words);
}

#[test]
fn broken_yaml_is_told_where_it_breaks() {
    for (text, place) in [
        ("- on: [a\n  b: c\n", "routes.yaml:2:4"),
        ("- on: [a,\n  b", "routes.yaml:2:3"),
        ("- on: [a\n", "routes.yaml:1:9"),
        ("- on: a\n  on: b\n", "routes.yaml:2:3"),
        ("- on: \"a\n", "routes.yaml:1:7"),
        ("on: a\n", "routes.yaml:1:1"),
        ("- on: a\n---\n- on: b\n", "routes.yaml:3:1"),
        (&format!("{}x", "- ".repeat(20_000)), "routes.yaml:1:1"),
        (&"[".repeat(20_000), "routes.yaml:1:"),
        ("- on: !!binary a\n", "routes.yaml:1:"),
    ] {
        let words = told(&[("orders/routes.yaml", text)]);
        assert!(words.contains(&format!("rules/orders/{place}")), "{words}");
    }
}

#[test]
fn failed_cases_are_told_with_what_came_out() {
    let words = told(&[(
        "orders/cases/orders.yaml",
        r#"
- name: wrong in all ways
  event: {type: order.created, data: {amount: 3, number: A-1, id: 7}}
  expect:
    - template: other
      groups: [System Admins]
      to: [ada]
      context: {number: A-2}
      dedupe_key: "8"
    - skip: lost
    - no_route: true
- name: too few
  event: {type: order.sold, data: {lost: true}}
  expect:
    - failed: oops
- name: names what does not exist
  config: {groups: [Sales Teem]}
  event: {type: order.sold}
  expect:
    - template: order_created
"#,
    )]);
    insta::assert_snapshot!(words);
}

#[test]
fn a_verdict_that_no_case_expects_is_told() {
    let words = told(&[(
        "orders/cases/orders.yaml",
        "name: one\nevent: {type: order.created}\nexpect:\n  - skip: amount\n",
    )]);
    assert!(words.contains("case `one` failed: unexpected result 2"), "{words}");
}

#[test]
fn files_that_do_not_belong_are_told() {
    let large = "#".repeat(1024 * 1024 + 1);
    for (path, text, words) in [
        ("orders/route.yaml", "x", "unknown file"),
        ("orders/case/a.yaml", "x", "unknown folder"),
        ("orders/templates/deep/a.j2", "x", "unknown folder"),
        ("orders/config.yaml", large.as_str(), "larger than 1 MiB"),
        ("other/templates/order_created.j2", TEMPLATE, "duplicate template `order_created`"),
    ] {
        let told = told(&[(path, text)]);
        assert!(told.contains(words), "{told}");
    }
    let folder = rules();
    fs::write(folder.path().join("orders/config.yaml"), [0xff, 0xfe]).unwrap();
    assert!(load(&folder.path().into()).err().unwrap().to_string().contains("not valid UTF-8"));
    assert!(
        load(&folder.path().join("gone").as_path().into())
            .err()
            .unwrap()
            .to_string()
            .contains("cannot read the folder")
    );
    assert!(
        load(&TempDir::new().unwrap().path().into())
            .err()
            .unwrap()
            .to_string()
            .contains("no rules in the folder")
    );
}

#[test]
fn an_unused_script_is_a_warning() {
    let folder = rules();
    write(folder.path(), &[("orders/old.rhai", "fn decide(event) { skip(\"\") }")]);
    let warnings = open(folder.path()).warnings;
    assert_eq!(
        (warnings.len(), warnings[0].severity, warnings[0].file.as_str()),
        (1, Severity::Warning, "orders/old.rhai")
    );
}

#[test]
fn a_variable_that_a_route_does_not_give_is_a_warning() {
    let warned = |route: &str| {
        let folder = rules();
        let template = "---\ndescription: A bill\ncategory: utility\nlanguage: en_US\n---\nYour bill {{ invoice }} is here.\n";
        write(
            folder.path(),
            &[
                ("bills/routes.yaml", &format!("- {{on: bill, groups: [Sales Team], {route}}}\n")),
                ("bills/templates/bill.j2", template),
            ],
        );
        let catalog = open(folder.path());
        catalog
            .missing_variables
            .iter()
            .map(|w| format!("{}:{}: {} {:?}", w.file, w.line, w.message, w.notes))
            .collect::<Vec<_>>()
    };
    let near = warned("template: bill, context: {invoce: event.data.number}");
    assert!(
        near[0].starts_with("bills/routes.yaml:1: `bill` needs `invoice`, which this route does not give")
            && near[0].contains("`context` has `invoce`; did you mean `invoice`?"),
        "{near:?}"
    );
    let none = warned("template: bill");
    assert!(none[0].contains("add `invoice` to `context`"), "{none:?}");
    assert!(warned("template: bill, context: {invoice: event.data.number}").is_empty());
}
