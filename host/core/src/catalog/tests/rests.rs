//! Digests by a key of the rule's own, limits of several templates, and readers of several languages.

use tempfile::TempDir;

use super::write;
use crate::catalog::load;

const NOTE: &str = "---\ndescription: x\ncategory: utility\nlanguage: en_US\nmode: text\n";
const ROUTES: &str = r#"
- on: alarm
  template: alarms
  groups: [Ops]
  collect: 15m by event.data.site
  context: {what: event.data.what}
- on: door
  template: door
  groups: [Ops]
  at_most: 2 per 1h of sensors
- on: leak
  template: leak
  groups: [Ops]
  at_most: 2 per 1h of sensors
- on: hello
  template: hello
  groups: [Ops]
  context: {at: event.data.at}
"#;

fn said(case: &str) -> String {
    let folder = TempDir::new().unwrap();
    let digest = format!("{NOTE}---\n{{{{ count }}}}: {{{{ items[0].what }}}}");
    let tagged = |text: &str| format!("{NOTE}tag: sensors\n---\n{text}");
    let hello = |language: &str, more: &str, text: &str| {
        let front = NOTE.replace("en_US", language);
        format!(
            "{front}{more}---\n{text} {{{{ recipient.name }}}}, {{{{ format(at, \"%-d %B\", \"UTC\") }}}}"
        )
    };
    let files = [
        ("groups.yaml", "- {name: Ops, description: Operations}\n".to_owned()),
        ("a/routes.yaml", ROUTES.to_owned()),
        ("a/templates/alarms.j2", digest),
        ("a/templates/door.j2", tagged("A door is open.")),
        ("a/templates/leak.j2", tagged("There is a leak.")),
        ("a/templates/hello.en_US.j2", hello("en_US", "fallback: true\n", "Hello")),
        ("a/templates/hello.pt_BR.j2", hello("pt_BR", "", "Bom dia,")),
        ("a/cases/c.yaml", case.to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    write(folder.path(), &files);
    load(&folder.path().into()).err().map_or_else(String::new, |findings| findings.to_string())
}

#[test]
fn what_has_the_same_key_is_one_digest() {
    let case = r#"
- name: three alarms of two sites
  events:
    - {type: alarm, data: {site: North, what: Fire}}
    - {type: alarm, data: {site: South, what: Water}}
    - {type: alarm, data: {site: North, what: Wind}}
  expect:
    - {template: alarms, collect: 15m by North, body: "2: Fire"}
    - {template: alarms, collect: 15m by South, body: "1: Water"}
"#;
    assert_eq!(said(case), "");
}

#[test]
fn templates_with_a_tag_are_counted_together() {
    let case = r#"
- name: two of three
  events: [{type: door}, {type: leak}, {type: door}]
  expect: [{template: door, to: [ops]}, {template: leak, to: [ops]}, {template: door, to: [], skipped: [ops]}]
"#;
    assert_eq!(said(case), "");
}

#[test]
fn each_reads_their_language() {
    let case = r#"
- name: three people
  event: {type: hello, data: {at: 2026-12-03T12:00:00Z}}
  people: {groups: {Ops: [{username: ann, language: pt-PT}, {username: bob, language: fr}, eve]}}
  expect:
    - to: [ann, bob, eve]
      bodies: {ann: "Bom dia, ann, 3 dezembro", bob: "Hello bob, 3 December", eve: "Hello eve, 3 December"}
"#;
    assert_eq!(said(case), "");
    let wrong = said(&case.replace("3 dezembro", "3 December"));
    assert!(wrong.contains("`bodies.ann` differs"), "{wrong}");
    assert!(said(&case.replace("language: fr", "language: french")).contains("expected a language code"));
}
