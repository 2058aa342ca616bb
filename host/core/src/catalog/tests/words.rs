//! The texts of all findings, as their authors read them.

use std::{fs, os::unix::fs::symlink, sync::Arc};

use tempfile::TempDir;

use super::{GROUPS, TEMPLATE, write};
use crate::{
    catalog::{Findings, Folders, load},
    decide::plugin::Sandbox,
};

const ROUTE: &str = "- on: a.b\n  template: order_created\n  groups: [Sales Team]\n";
pub const FRONT: &str = "---\ndescription: x\ncategory: utility\nlanguage: en_US\n";

/// A folder with two groups, one template, and these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &[("groups.yaml", GROUPS), ("a/templates/order_created.j2", TEMPLATE)]);
    write(folder.path(), files);
    folder
}

fn words_of(folders: &Folders) -> String {
    let findings = match load(folders) {
        Ok(catalog) => Findings {
            folder: folders.rules.display().to_string(),
            findings: catalog.all_warnings().cloned().collect(),
        },
        Err(findings) => findings,
    };
    findings.to_string().replace(&folders.rules.display().to_string(), "rules")
}

pub fn words(files: &[(&str, &str)]) -> String {
    words_of(&folder(files).path().into())
}

/// A route that has each of these expressions as a variable of its template.
fn with_expressions(expressions: &[&str]) -> String {
    let quoted = expressions.iter().map(|text| format!("'{}'", text.replace('\'', "''")));
    let variables = quoted.enumerate().map(|(n, text)| format!("    v{n}: {text}\n"));
    format!("{ROUTE}  context:\n{}", variables.collect::<String>())
}

#[test]
fn of_routes() {
    let routes = "\
- on: github.*.opened
  template: order_creatd
  groups: [Sales Teem]
- on: [a, ' ']
  template: zzz
  users: ada
- {on: a, template: order_created}
- {on: a, groups: [Sales Team]}
- {template: order_created, groups: [Sales Team]}
- {on: a, script: a.rhai, plugin: p}
- {on: a, script: sold.rhai, groups: [Sales Team]}
- {on: a, plugin: meter, reason: x}
- {on: a, plugin: meter}
- {on: a, template: '', groups: [Sales Team]}
- on: a
  template: order_created
  groups: [Sales Team]
  dedupe: event.data.id
  dedupe_for: 2 weeks
  send_at: event.data.at
  after: soon
  collect: 15m by site
  expires_at: event.data.until
  priority: high
  mode: sms
  context: [1]
- on: a
  template: order_created
  groups: [Sales Team]
  collect: 15m by group
  after: 1h
  context: {items: [1, 2]}
- route
";
    insta::assert_snapshot!(words(&[("a/routes.yaml", routes), ("b/routes.yaml", "on: a.b\n")]));
}

/// What people write who know JavaScript, Python or Jinja.
#[test]
fn of_expressions() {
    let expressions = [
        "event.data.priority == 'high'",
        "event.data.a and event.data.b",
        "event.data.a or event.data.b",
        "not event.data.a",
        "not(event.data.a)",
        "event.data.a ? 1 : 2",
        "1 if event.data.a else 2",
        "event.data.a === 1",
        "event.data.a !== 1",
        "event.data.a = 1",
        "event.data.a is 1",
        "event.data.a == null",
        "event.data.a == None",
        "event.data.a == undefined",
        "event.data.a == True",
        "event.data.a == no",
        "event.data.common-labels.severity",
        "event.data[\"a\"",
        "event.data.",
        "1 +",
        "data.amount",
        "evnt.data.amount",
        "high",
        "STATUS",
        "{{ event.data.a }}",
        "${event.data.a}",
        "event.data.text.includes(\"bug\")",
        "event.data.text.toLowerCase()",
        "event.data.text.matches(\"^v\")",
        "event.data.text.startswith(\"v\")",
        "event.data.items.length()",
        "event.data.items.mapp(|item| item.name)",
        "event.data.items.map(item => item.name)",
        "len(event.data.items) > 0 && frist(event.data.a)",
        "timestamp()",
        "eval(\"1\")",
        "\"open",
        "`open",
        "\"a\\q\"",
        "1.2.3",
        "let x = 1",
        "first(event.data.a, \"b\"",
        "event.type > 5",
        "5 <= event.time",
        "money(event.data.total) > 500",
        "event.data.items.len() == \"3\"",
        "event.time - \"24h\"",
        "event.data.at - \"24h\"",
        "now() - 60",
        "now() + 60",
        "now() - \"soon\"",
        "now() > event.time",
        "time(event.data.at) == 5",
        "format(event.time, \"%d\", \"Harare\")",
        "format(\"2026-12-03\", \"%\", \"UTC\")",
        "in_hours(now(), \"9-5\", \"UTC\")",
        "money(1, \"DOLLARS\")",
        "duration(\"soon\")",
        "strftime(now(), \"%d\")",
        "=event.data.a",
        "event.dta.total",
        "event.subjct",
        "event.Type == \"a.b\"",
        "\"Hello {{ name }}\"",
        "first(event.data.name, \"{% if x %}\")",
    ];
    insta::assert_snapshot!(words(&[("a/routes.yaml", &with_expressions(&expressions))]));
}

#[test]
fn of_scripts() {
    let scripts = [
        ("statement", "let limit = 5;\nfn decide(event) { skip(\"x\") }"),
        (
            "constant",
            "const TEAM = \"Sales Team\";\nfn decide(event) { #{ template: \"t\", groups: [TEAM] } }",
        ),
        ("none", "fn decision(event) { skip(\"x\") }"),
        ("two", "fn decide(event, context) { skip(\"x\") }"),
        ("import", "import \"lib\" as lib;\nfn decide(event) { skip(\"x\") }"),
        ("eval", "fn decide(event) { eval(\"1\") }"),
        ("quotes", "fn decide(event) { skip('too small') }"),
        ("undeclared", "fn decide(event) { total = 1; skip(\"x\") }"),
        ("arrow", "fn decide(event) { event.data.items.filter(item => item.left > 0) }"),
        ("open", "fn decide(event) {\n  if event.data.a {\n    skip(\"x\")\n}\n"),
        ("misspelt", "fn team(event) { \"x\" }\nfn decide(event) { skip(tema(event)) }"),
        ("method", "fn decide(event) { skip(event.data.name.upper()) }"),
        ("semicolon", "fn decide(event) {\n  let a = 1\n  skip(\"x\")\n}"),
    ];
    let files: Vec<_> = scripts.iter().map(|(name, text)| (format!("a/{name}.rhai"), *text)).collect();
    let mut files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    files.push(("a/routes.yaml", "- {on: a, script: decide.rhai}\n"));
    insta::assert_snapshot!(words(&files));
}

#[test]
fn of_yaml() {
    let (deep, many) = ("[".repeat(70), "- 1\n".repeat(100_001));
    let aliases = format!("a: &a [{}]\nb: [{}]\n", "1,".repeat(900), "*a,".repeat(30));
    let files = [
        ("alias", "- on: *\n  template: order_created\n"),
        ("at", "- on: @orders\n"),
        ("binary", "- on: !!binary a\n"),
        ("deep", deep.as_str()),
        ("documents", "- on: a\n---\n- on: b\n"),
        ("duplicate", "- on: a\n  template: x\n  on: b\n"),
        ("key", "- [a]: b\n"),
        ("many", many.as_str()),
        ("nan", "- {on: .nan}\n"),
        ("negated", "- on: a\n  when: !event.data.paid\n"),
        ("open", "- on: [a\n  when: b\n"),
        ("quoted", "- on: a\n  when: \"x\" == event.data.a\n"),
        ("repeated", aliases.as_str()),
        ("tab", "- on: a\n\ttemplate: order_created\n"),
        ("ternary", "- on: a\n  when: event.data.a ? true : false\n"),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (format!("{name}/routes.yaml"), *text)).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    insta::assert_snapshot!(words(&files));
}

#[test]
fn of_groups_configuration_and_schedules() {
    let schedules = "\
- {name: a, cron: 0 7 * *, time_zone: UTC, event: report.due}
- {name: b, cron: 61 * * * *, time_zone: UTC, event: report.due}
- {name: c, cron: 0 0 31 2 *, time_zone: UTC, event: report.due}
- {name: d, cron: 0 7 * * *, time_zone: Harare, event: 'report.*'}
- {name: e, cron: 0 7 * * *, timezone: UTC, event: report.due}
- {name: f, cron: 0 7 * * *, time_zone: UTC, event: report.due, missed: never, data: 3}
- {name: g, cron: 0 7 * * *, time_zone: UTC, event: x.y, for_each: Sales Team}
- {name: h, cron: 0 7 * * *, time_zone: UTC, event: x.y, for_each: {expiring_windows: [Sale]}, data: {a: 1}}
- {name: i, cron: 0 7 * * *, time_zone: UTC, event: x.y, for_each: {expiring_windows: []}}
- {name: j, cron: 0 7 * * *, time_zone: UTC, event: x.y}
- {name: j, cron: 0 7 * * *, time_zone: UTC, event: x.y}
- {cron: 0 7 * * *, time_zone: UTC, event: x.y}
";
    let long = format!("- {{name: {}, cron: 0 7 * * *, time_zone: UTC, event: x.y}}\n", "n".repeat(101));
    insta::assert_snapshot!(words(&[
        ("groups.yaml", "- {name: Ops}\n- {name: Ops}\n- {description: x}\n- Sales Team\n"),
        ("schedules.yaml", &format!("{schedules}{long}")),
        ("a/config.yaml", "- 1\n"),
    ]));
}

#[test]
fn of_what_cases_show() {
    let routes = "\
- on: a.b
  when: event.data.amonut != 5
  template: greeting
  contacts: [event.data.customer.phone]
  context: {name: 'first(event.data.customer.name, \"\")'}
- on: a.c
  script: c.rhai
- on: a.d
  template: greeting
  groups: [Sales Team]
  context: {name: event.data.name}
";
    let cases = "\
- name: without a name
  event: {type: a.b, data: {amount: 1, customer: {phone: '263770000001', name: ''}}}
  expect: [{template: greeting}]
";
    let folder = folder(&[
        ("a/routes.yaml", routes),
        ("a/c.rhai", "fn decide(event) { skip(`${event.data.x}`) }"),
        ("a/templates/greeting.j2", &format!("{FRONT}---\nHello {{{{ name }}}}, your order is here.\n")),
        ("a/cases/a.yaml", cases),
    ]);
    let catalog = load(&folder.path().into()).unwrap_or_else(|findings| panic!("{findings}"));
    let findings = catalog.all_warnings().chain(&catalog.not_reached).cloned().collect();
    insta::assert_snapshot!(Findings { folder: "rules".to_owned(), findings }.to_string());
}

#[test]
fn of_cases() {
    let cases = "\
- name: no expectations
  event: {type: a.b}
- event: {type: a.b}
  expect: [{skip: x}]
- name: no event
  expect: [{skip: x}]
- name: wrong types
  at: yesterday
  config: [1]
  event: {typ: a.b, time: noon}
  expect: [{no_route: false}, {skip: x, to: [ada]}, {to: ada}, {context: 1}, {template: [a]}, {after: 10m, bodi: x}]
- name: wrong people
  event: {type: a.b}
  people:
    groups: {Sales Teem: [ada], Sales Team: ada}
    users: [{name: Max}, {username: max, active: yes}, [1]]
    teams: []
  expect: [{no_route: true}]
- a case
";
    insta::assert_snapshot!(words(&[("a/cases/c.yaml", cases)]));
}

#[test]
fn of_cases_that_fail() {
    let routes = format!("{ROUTE}  context: {{number: event.data.number}}\n");
    let cases = "\
- name: more than expected
  event: {type: a.b, data: {number: 1}}
  expect: []
- name: less than expected
  event: {type: a.b, data: {number: 1}}
  expect: [{template: order_created}, {template: order_created}]
- name: other values
  event: {type: a.b, data: {number: 1}}
  expect: [{template: other, to: [ada], skipped: [tom], after: 1h, priority: bulk, body: x, body_contains: [a, b], context: {number: 2, x: 1}}]
- name: another outcome
  event: {type: a.b, data: {number: 1}}
  expect: [{skip: too small}]
- name: not a failure
  event: {type: a.b, data: {number: 1}}
  expect: [{failed: oops}]
- name: a route
  event: {type: a.b, data: {number: 1}}
  expect: [{no_route: true}]
- name: no route
  event: {type: c.d}
  expect: [{template: order_created}]
";
    let cases =
        cases.replace("  expect: []\n", "  expect: [{to: [sales_team]}]\n").replacen("a.b", "two.x", 1);
    let twice =
        "- {on: two.x, template: order_created, groups: [Sales Team], context: {number: 1}}\n".repeat(2);
    insta::assert_snapshot!(words(&[
        ("a/routes.yaml", &format!("{routes}{twice}")),
        ("a/cases/c.yaml", &cases)
    ]));
}

#[test]
fn of_files() {
    let folder = folder(&[
        ("a/route.yaml", "x"),
        ("a/case/a.yaml", "x"),
        ("a/templates/a.txt", "x"),
        ("a/cases/a.json", "x"),
        ("plugins/a/plugin.yaml", "x"),
        ("stray.yaml", "x"),
        ("b/routes.yaml", &"#".repeat(1024 * 1024 + 1)),
    ]);
    fs::write(folder.path().join("a/config.yaml"), [0xff, 0xfe]).unwrap();
    symlink("/etc/hostname", folder.path().join("b/config.yaml")).unwrap();
    nix::unistd::mkfifo(&folder.path().join("b/b.rhai"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let empty = TempDir::new().unwrap();
    let gone = Folders::from(empty.path().join("gone").as_path());
    insta::assert_snapshot!(
        [words_of(&folder.path().into()), words_of(&empty.path().into()), words_of(&gone)].join("\n\n")
    );
}

#[test]
fn of_plugins() {
    let rules = folder(&[("a/old.rhai", "fn decide(event) { skip(\"x\") }")]);
    let plugins = TempDir::new().unwrap();
    let manifest = |id: &str, more: &str| {
        format!("id: {id}\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Tests\non: [x.*]\n{more}")
    };
    let wrong = "\
limits: {time: 1m, memory: 1GB}
http: [api.example.com, 'ftp://a.example.com', 'https://a.example.com/path', 'https://*']
secrets: [API-KEY]
on_failure: stop
config: [1]
lookup:
  a: {file: gone.csv, key: id}
  b: {file: b.csv, key: nr}
  c: {file: c.csv, key: id}
  d: {file: d.yaml}
  e: {key: id}
";
    write(
        plugins.path(),
        &[
            ("wrong/plugin.yaml", &manifest("wrong", wrong)),
            ("wrong/b.csv", "id,name\n1,a\n"),
            ("wrong/c.csv", "id,name\n1,a,b\n"),
            ("wrong/d.yaml", "- 1\n"),
            ("other/plugin.yaml", &manifest("another", "").replace("\"1.0\"", "\"2.0\"")),
            ("empty/plugin.yaml", "# nothing\n"),
            ("short/plugin.yaml", "id: short\nverion: 1\n"),
            ("alone/alone.wasm", "x"),
            ("text/plugin.yaml", &manifest("text", "")),
            ("text/text.wasm", "not wasm"),
        ],
    );
    let folders = |sandbox| Folders {
        rules: rules.path().to_owned(),
        plugins: Some(plugins.path().to_owned()),
        sandbox,
    };
    let errors = words_of(&folders(None));
    for broken in ["wrong", "other", "empty", "short", "alone"] {
        fs::remove_dir_all(plugins.path().join(broken)).unwrap();
    }
    let sandbox = Sandbox::measuring(None, Arc::default()).unwrap();
    let of_component = words_of(&folders(Some(sandbox.clone())));
    fs::remove_file(plugins.path().join("text/text.wasm")).unwrap();
    let warnings = words_of(&folders(Some(sandbox)));
    insta::assert_snapshot!([errors, of_component, warnings].join("\n\n"));
}
