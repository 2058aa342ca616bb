//! Cases of several events, and their digests.

use tempfile::TempDir;

use super::write;
use crate::catalog::load;

const TEMPLATE: &str = "---\ndescription: What happened\ncategory: utility\nlanguage: en_US\nmode: text\n---\n\
                        {{ count }} alarms\n{% for item in items %}\n- {{ item.what }}\n{% endfor %}\n";
const ROUTES: &str = r#"
- on: alarm
  template: alarms
  groups: [Ops]
  collect: 10m by group
  context: {what: event.data.what}
- on: task.ops
  template: alarms
  groups: [Ops]
  collect: 1h by person
  context: {what: event.data.what}
- on: task.night
  template: alarms
  groups: [Night]
  collect: 1h by person
  context: {what: event.data.what}
- on: note
  template: alarms
  groups: [Ops]
  context: {count: 0, items: "[]"}
"#;

fn said(case: &str) -> String {
    let folder = TempDir::new().unwrap();
    let groups = "- {name: Ops, description: Operations}\n- {name: Night, description: Nights}\n";
    let files = [
        ("groups.yaml", groups),
        ("a/templates/alarms.j2", TEMPLATE),
        ("a/routes.yaml", ROUTES),
        ("a/cases/c.yaml", case),
    ];
    write(folder.path(), &files);
    load(&folder.path().into()).err().map_or_else(String::new, |findings| findings.to_string())
}

#[test]
fn what_is_collected_by_group_is_one_digest_after_what_is_told_at_once() {
    let case = r#"
- name: three alarms and a note
  events:
    - {type: alarm, data: {what: Fire}}
    - {type: note}
    - {type: alarm, data: {what: Water}, id: second}
    - {type: alarm, data: {what: Wind}}
  expect:
    - {template: alarms, body: 0 alarms}
    - template: alarms
      collect: 10m by group
      groups: [Ops]
      context: {count: 3, items: [{what: Fire}, {what: Water}, {what: Wind}]}
      reason: "a digest of 3 events: case-1, second, case-4"
      body: "3 alarms\n- Fire\n- Water\n- Wind"
"#;
    assert_eq!(said(case), "");
    let wrong = case.replace("3 alarms", "2 alarms");
    assert!(said(&wrong).contains("`body` differs"), "{}", said(&wrong));
    let short =
        said(&case.replace("- {template: alarms, body: 0 alarms}", "- {body: 0 alarms}\n    - {body: x}"));
    assert!(short.contains("the events led to only 2 results"), "{short}");
}

#[test]
fn who_is_told_the_same_by_person_is_one_result() {
    let case = r#"
- name: tasks
  events:
    - {type: task.ops, data: {what: A}}
    - {type: task.night, data: {what: B}}
    - {type: task.ops, data: {what: C}}
  people: {groups: {Ops: [ann, bob], Night: [bob, eve]}}
  expect:
    - {to: [ann], context: {count: 2, items: [{what: A}, {what: C}]}}
    - {to: [bob], body: "3 alarms\n- A\n- B\n- C"}
    - {to: [eve], context: {count: 1, items: [{what: B}]}}
"#;
    assert_eq!(said(case), "");
    let same = r#"
- name: tasks
  events: [{type: task.ops, data: {what: A}}, {type: task.ops, data: {what: B}}]
  people: {groups: {Ops: [ann, bob]}}
  expect: [{to: [ann, bob], body: "2 alarms\n- A\n- B"}]
"#;
    assert_eq!(said(same), "");
}

#[test]
fn a_case_has_one_event_or_a_list_of_them() {
    let expect = "  expect: [{no_route: true}]\n";
    let both = said(&format!("- name: x\n  event: {{type: b}}\n  events: [{{type: b}}]\n{expect}"));
    assert!(both.contains("`event` and `events` cannot be used together"), "{both}");
    for events in ["[]", "3", "{type: b}"] {
        let wrong = said(&format!("- name: x\n  events: {events}\n{expect}"));
        assert!(wrong.contains("expected a list"), "{wrong}");
    }
    let two = said(&format!("- name: x\n  events: [{{type: b}}, {{type: c}}]\n{expect}"));
    assert!(two.contains("unexpected result 2"), "{two}");
}
