//! `let`, marked expressions and the library: what they give, and what is told of wrong ones.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::{GROUPS, TEMPLATE, write};
use crate::catalog::{Findings, load};

const FEES: &str = "fn fee(km) {\n    if km <= free() { 0 } else { (km - free()) * 2 }\n}\nfn free() { 5 }\n";

fn words(files: &[(&str, &str)]) -> String {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &[("groups.yaml", GROUPS), ("a/templates/order_created.j2", TEMPLATE)]);
    write(folder.path(), files);
    words_of(&folder)
}

fn words_of(folder: &TempDir) -> String {
    let findings = match load(&folder.path().into()) {
        Ok(catalog) => Findings {
            folder: folder.path().display().to_string(),
            findings: catalog.all_warnings().cloned().collect(),
        },
        Err(findings) => findings,
    };
    findings.to_string().replace(&folder.path().display().to_string(), "rules")
}

#[test]
fn a_route_names_values_and_computes_what_is_marked() {
    let routes = r#"
- on: order.paid
  let:
    total: number(event.data.total) ?? 0
    due: time(event.data.due, "Africa/Harare")
    team: {}
  when: total > 0
  template: =event.data.template
  groups: ['=if total > 1000 { "System Admins" } else { () }', Sales Team]
  priority: '=if due < now() { "urgent" } else { "normal" }'
  language: =event.data.language
  send_at: due - "24h"
  context:
    number: money(total, "USD")
- on: order.lost
  when: event.data.lost == true
  let: {number: 'event.data.number + "!"'}
  template: order_created
  groups: =event.data.groups
  language: pt_BR
  priority: bulk
  context: {number: number}
"#
    .replace("    team: {}\n", "    copies: 2\n");
    let cases = r#"
- name: a large order
  now: 2026-12-02T12:00:00Z
  event: {type: order.paid, data: {total: "1500", due: 2026-12-03T14:00, template: order_created, language: pt}}
  expect:
    - template: order_created
      groups: [System Admins, Sales Team]
      priority: normal
      language: pt
      send_at: 2026-12-02T12:00:00Z
      context: {number: "USD 1,500.00"}
- name: a late order
  now: 2026-12-05T12:00:00Z
  event: {type: order.paid, data: {total: 7, due: 2026-12-03T14:00, template: order_created}}
  expect:
    - {template: order_created, groups: [Sales Team], priority: urgent}
- name: nothing to pay
  event: {type: order.paid, data: {due: 2026-12-03}}
  expect: [{skip: "`total > 0` is false"}]
- name: no template
  event: {type: order.paid, data: {total: 1, due: 2026-12-03}}
  expect: [{failed: "expected the name of a template, got nothing"}]
- name: a wrong priority is none of the three
  event: {type: order.lost, data: {lost: true, number: 7, groups: [Sales Team]}}
  expect: [{groups: [Sales Team], language: pt_BR, priority: bulk, context: {number: 7!}}]
- name: what stands below the condition is not looked at before it holds
  event: {type: order.lost, data: {}}
  expect: [{skip: is false}]
"#;
    let said = words(&[("a/routes.yaml", &routes), ("a/cases/a.yaml", cases)]);
    assert!(!said.contains("error: "), "{said}");
}

#[test]
fn what_is_wrong_with_names_and_marks() {
    let routes = r#"
- on: a
  when: total > 0
  let:
    Total: 1
    event: 2
    if: 3
    first: totl + 1
    total: 5
    list: [1]
  template: =event.data.template +
  groups: [=group, Sales Team]
  priority: =high
  language: event.data.language
  users: [=event.data.user]
  context: {number: totel}
- {on: b, template: order_created, groups: [Sales Team], priority: high, let: [1]}
- {on: c, script: a.rhai, let: {a: 1}}
"#;
    let script = ("a/a.rhai", "fn decide(event) { skip(\"x\") }");
    insta::assert_snapshot!(words(&[("a/routes.yaml", routes), script]));
}

#[test]
fn functions_of_the_library_are_for_all() {
    let routes = "- on: a\n  template: order_created\n  groups: [Sales Team]\n  context: {number: fee(event.data.km)}\n\
                  - {on: a, script: a.rhai}\n";
    let script = "fn decide(event) { #{template: \"order_created\", groups: [\"Sales Team\"], \
                  context: #{number: doubled([event.data.km])[0]}} }";
    let more = "fn doubled(list) { list.map(|item| fee(item) * 2) }\n";
    let cases = "- name: far\n  event: {type: a, data: {km: 8}}\n  expect:\n    - {context: {number: 6}}\n    \
                 - {context: {number: 12}}\n\
                 - name: wrong\n  event: {type: a, data: {km: x}}\n  expect:\n    \
                 - failed: 'lib/fees.rhai:2:11: cannot compare the string \"x\" with a number'\n    - failed: lib/fees.rhai:2:11\n";
    let library = "- {name: free, call: fee(5), expect: 0}\n- {name: far, call: fee(event.data.km), event: {type: a, data: {km: 7}}, expect: 4}\n\
                   - {name: wrong, call: 'fee(\"x\")', failed: cannot compare}\n\
                   - {name: configured, call: 'config(\"rate\", 0) + fee(1)', config: {rate: 3}, expect: 3}\n\
                   - {name: later, call: now() + \"1h\", now: 2026-01-01T00:00:00Z, expect: '2026-01-01T01:00:00Z'}\n";
    let files = [
        ("a/routes.yaml", routes),
        ("a/a.rhai", script),
        ("a/cases/a.yaml", cases),
        ("lib/fees.rhai", FEES),
        ("lib/more.rhai", more),
        ("lib/cases/fees.yaml", library),
    ];
    let said = words(&files);
    assert!(!said.contains("error: "), "{said}");
}

#[test]
fn what_is_wrong_with_a_library() {
    let routes = "- on: a\n  template: order_created\n  groups: [Sales Team]\n  context: {number: fee(1) + toll(2)}\n\
                  - {on: a, script: a.rhai}\n";
    let script = "fn fees(x) { x }\nfn decide(event) { fees(fee(1)); skip(\"x\") }";
    let mut said = words(&[
        ("a/routes.yaml", routes),
        ("a/a.rhai", script),
        ("lib/broken.rhai", "fn fee(km) { km + }\n"),
        ("lib/names.rhai", "fn money(x) { x }\nfn decide(event) { skip(\"x\") }\nfn ok() { 1 }\n"),
        ("lib/statement.rhai", "let x = 1;\nfn toll(km) { km }\n"),
        ("lib/calls.rhai", "fn fees(x) { unknown(x) }\nfn zone(t) { format(t, \"%H\", \"Harare\") }\n"),
        ("lib/twice.rhai", "fn fees(y) { y }\n"),
        ("lib/routes.yaml", "[]\n"),
        ("lib/templates/x.j2", "x"),
    ]);
    said += "\n\n";
    said += &words(&[
        ("lib/fees.rhai", FEES),
        (
            "lib/cases/fees.yaml",
            "- {name: a, call: fee(7), expect: 5}\n- {name: b, call: fee(7), failed: no}\n\
             - {name: c, call: fee(7 +, expect: 5}\n- {name: d, call: fees(7), expect: 5}\n\
             - {name: e, call: 'fee(\"x\")', expect: 5}\n",
        ),
    ]);
    said += "\n\n";
    said += &words(&[(
        "lib/cases/fees.yaml",
        "- {name: a, call: 1}\n- {call: 1, expect: 1}\n- {name: b, expect: 1, x: 1}\n",
    )]);
    insta::assert_snapshot!(said);
}

#[test]
fn the_library_is_within_the_folder_and_its_limits() {
    let (folder, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(
        folder.path(),
        &[
            ("groups.yaml", GROUPS),
            ("lib/endless.rhai", "fn endless() { loop {} }\nfn deep(n) { deep(n + 1) }\n"),
        ],
    );
    write(outside.path(), &[("stolen.rhai", FEES)]);
    let cases =
        "- {name: endless, call: endless(), failed: took}\n- {name: deep, call: deep(0), failed: nested}\n";
    write(folder.path(), &[("lib/cases/a.yaml", cases)]);
    assert!(words_of(&folder).starts_with("0 errors"), "{}", words_of(&folder));
    symlink(outside.path().join("stolen.rhai"), folder.path().join("lib/stolen.rhai")).unwrap();
    let said = words_of(&folder);
    assert!(said.contains("lib/stolen.rhai") && said.contains("outside"), "{said}");
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
}
