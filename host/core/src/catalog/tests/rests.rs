//! Digests by a key of the rule's own, limits of several templates, readers of several languages, names in routes that only
//! cancel, and those who get it when all others have opted out.

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
- on: booked
  template: door
  groups: [Ops]
  after: 1h
  key: '"visit " + event.data.visit.id'
- on: off
  let:
    visit: event.data.visit
    key: '"visit " + visit.id'
  when: visit.state == "off"
  cancel: key
- on: leak.else
  template: leak
  groups: [Ops]
  else: {groups: [Night]}
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
        (
            "groups.yaml",
            "- {name: Ops, description: Operations}\n- {name: Night, description: Nights}\n".to_owned(),
        ),
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

#[test]
fn a_route_that_only_cancels_has_names_too() {
    let case = r#"
- name: it is off
  events:
    - {type: booked, data: {visit: {id: 7}}}
    - {type: "off", data: {visit: {id: 7, state: "off"}}}
  expect:
    - {template: door, to: [], skipped: [ops]}
    - {cancel: [visit 7]}
- name: it is not
  event: {type: "off", data: {visit: {id: 7, state: "on"}}}
  expect: [{skip: is false}]
"#;
    assert_eq!(said(case), "");
    let wrong = |from: &str, to: &str| {
        let folder = TempDir::new().unwrap();
        let routes = "- on: off\n  let: {visit: event.data.visit}\n  when: visit != ()\n  cancel: visit.id\n";
        write(folder.path(), &[("groups.yaml", "[]"), ("a/routes.yaml", &routes.replace(from, to))]);
        load(&folder.path().into()).err().map_or_else(String::new, |findings| findings.to_string())
    };
    assert_eq!(wrong("", ""), "");
    assert!(wrong("cancel: visit.id", "cancel: vist.id").contains("`vist`"));
    assert!(wrong("{visit: ", "{event: ").contains("reserved word"));
    let before = "  when: visit != ()\n  cancel";
    let defined_later = wrong(
        "  let: {visit: event.data.visit}\n  when: visit != ()\n",
        "  when: visit != ()\n  let: {visit: event.data.visit}\n",
    );
    assert!(defined_later.contains("visit"), "{defined_later}");
    assert_eq!(wrong(before, "  cancel"), "");
}

#[test]
fn others_get_it_where_all_have_opted_out() {
    let case = |people: &str, to: &str, skipped: &str| {
        said(&format!(
            "- name: x\n  event: {{type: leak.else}}\n  people: {{groups: {{Ops: {people}, Night: [eve]}}}}\n  \
             expect: [{{template: leak, to: {to}, skipped: {skipped}}}]\n"
        ))
    };
    let ann = "{username: ann, opted_out: true}";
    assert_eq!(case(&format!("[{ann}]"), "[eve]", "[ann]"), "");
    assert_eq!(case(&format!("[{ann}, bob]"), "[bob]", "[ann]"), "", "one of them wants it");
    assert_eq!(case(&format!("[{ann}, {{username: bob, active: false}}]"), "[eve]", "[ann, bob]"), "");
    assert_eq!(case("[{username: ann, opted_out: marketing}]", "[ann]", "[]"), "", "a leak is no marketing");
    let wrong = case("[{username: ann, opted_out: perhaps}]", "[ann]", "[]");
    assert!(wrong.contains("true, false or marketing"), "{wrong}");
}
