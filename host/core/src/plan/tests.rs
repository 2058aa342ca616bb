#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod meta;
mod parts;
mod secrets;
mod variants;
mod words;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::domain::{Contact, EventKey, Message, Mode, Person};

const FRONT: &str = "---\ndescription: A test\ncategory: utility\nlanguage: en_US\n---\n";

fn templates(body: &str) -> Templates {
    let (templates, errors) = Templates::compile(vec![source("t", &format!("{FRONT}{body}"))]);
    assert_eq!(errors, []);
    templates
}

fn source(name: &str, text: &str) -> TemplateSource {
    TemplateSource { name: name.into(), file: format!("x/templates/{name}.j2"), text: text.into() }
}

fn errors(text: &str) -> Vec<(usize, usize, String)> {
    let (_, errors) = Templates::compile(vec![source("t", text)]);
    errors.into_iter().map(|e| (e.line, e.column, e.message)).collect()
}

fn person(username: &str, wa_id: Option<&str>, active: bool) -> Arc<Person> {
    let contact = wa_id.map(|wa_id| Contact { wa_id: Some(wa_id.into()), ..Contact::default() });
    let (username, name) = (username.to_owned(), username.to_uppercase());
    Arc::new(Person { username, name, active, language: None, contact })
}

fn event() -> Event {
    Event {
        key: EventKey { id: "1".into(), source: "/t".into() },
        kind: "t".into(),
        subject: None,
        time: Timestamp::UNIX_EPOCH,
        data: serde_json::value::to_raw_value(&1).unwrap(),
        extensions: None,
    }
}

fn context(value: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn planned(templates: &Templates, decision: Decision, people: &People) -> Planned {
    let verdict = Verdict { rule: None, outcome: Outcome::Notify(Box::new(decision)), asked: [].into() };
    planned_with(templates, None, &verdict, people)
}

fn planned_with(
    templates: &Templates,
    in_use: Option<&InUse>,
    verdict: &Verdict,
    people: &People,
) -> Planned {
    let (senders, now) = (Senders::only("99"), Timestamp::UNIX_EPOCH);
    Planner { templates, senders: &senders, in_use, people, now }.plan(&event(), verdict)
}

fn who(planned: &Planned) -> Vec<(Option<&str>, &str, Option<&str>)> {
    let who = planned.notifications.iter();
    who.map(|n| (n.notification.recipient.as_deref(), n.notification.reason.as_str(), n.skipped.as_deref()))
        .collect()
}

fn decision(groups: &[&str]) -> Decision {
    Decision {
        template: "t".into(),
        groups: groups.iter().map(|g| (*g).into()).collect(),
        ..Decision::default()
    }
}

#[test]
fn everybody_is_told_once_with_all_reasons() {
    let (ada, tom) = (person("ada", Some("263770000001"), true), person("tom", Some("263770000002"), true));
    let mut people = People::default();
    people.groups.insert("A".into(), vec![ada.clone(), tom]);
    people.groups.insert("B".into(), vec![ada.clone()]);
    people.users.insert("ada".into(), ada);
    let decision = Decision {
        users: vec!["ada".into()],
        contacts: vec!["+263 77 000 0002".into(), "00263 (77) 000-0003".into()],
        ..decision(&["A", "B"])
    };
    let planned = planned(&templates("Hello"), decision, &people);
    assert_eq!(planned.outcome, DecisionOutcome::Notify);
    assert_eq!(
        who(&planned),
        [
            (Some("263770000001"), "member of A and B, named as user", None),
            (Some("263770000002"), "member of A; also named as contact", None),
            (Some("263770000003"), "named as contact", None),
        ]
    );
}

#[test]
fn who_cannot_be_reached_is_recorded_with_the_reason() {
    let mut people = People::default();
    people
        .groups
        .insert("A".into(), vec![person("zoe", None, true), person("max", Some("263770000009"), false)]);
    people.groups.insert("Empty".into(), vec![]);
    let decision = Decision {
        users: vec!["eve".into()],
        contacts: vec!["077".into()],
        ..decision(&["A", "Empty", "Gone"])
    };
    let planned = planned(&templates("Hello"), decision, &people);
    assert_eq!(planned.outcome, DecisionOutcome::Nobody);
    assert_eq!(
        planned.reason.as_deref(),
        Some("the group Empty has no active members; the group Gone does not exist")
    );
    let why: Vec<_> = who(&planned).into_iter().map(|(to, _, why)| (to, why.unwrap())).collect();
    assert_eq!(
        why,
        [
            (None, "zoe has no WhatsApp number linked"),
            (None, "max is deactivated"),
            (None, "no person named eve"),
            (
                None,
                "\"077\" begins with 0; write it with its country code, for example +263 77 123 4567, or as a WhatsApp \
                 user id, for example US.13491208655302741918"
            ),
        ]
        .map(|(to, why): (Option<&str>, _)| (to, why))
    );
}

#[test]
fn a_body_is_rendered_and_tidied() {
    let templates = templates(
        "*Order* {{ number }}\n{% if pin %}\nMap: {{ pin }}\n{% endif %}\n\n\n\nBy {{ name }} \n\n",
    );
    let mut people = People::default();
    people.groups.insert("A".into(), vec![person("ada", Some("263770000001"), true)]);
    let decision = Decision { context: context(json!({"number": 7, "name": "Tom"})), ..decision(&["A"]) };
    let planned = planned(&templates, decision, &people);
    let message = &planned.notifications[0].notification.message;
    assert_eq!(message.body, "*Order* 7\n\nBy Tom");
    assert_eq!(message.parameters, ["7", "", "Tom"]);
    assert_eq!(
        (message.template.as_str(), message.language.as_str(), message.mode),
        ("t", "en_US", Mode::Auto)
    );
}

#[test]
fn a_body_may_name_its_recipient() {
    let mut people = People::default();
    people.groups.insert(
        "A".into(),
        vec![person("ada", Some("263770000001"), true), person("tom", Some("263770000002"), true)],
    );
    let planned = planned(&templates("Hello {{ recipient.name }}!"), decision(&["A"]), &people);
    let bodies: Vec<_> = planned.notifications.iter().map(|n| n.notification.message.body.as_str()).collect();
    assert_eq!(bodies, ["Hello ADA!", "Hello TOM!"]);
}

#[test]
fn what_cannot_be_rendered_fails_with_its_place() {
    let mut people = People::default();
    people.groups.insert("A".into(), vec![person("ada", Some("263770000001"), true)]);
    let failure = |templates: &Templates, decision: Decision| {
        let planned = planned(templates, decision, &people);
        assert_eq!((planned.outcome, planned.notifications.len()), (DecisionOutcome::Failed, 0));
        planned.reason.unwrap()
    };
    let typo = Decision { context: context(json!({"customer_name": "Tom", "x": 1})), ..decision(&["A"]) };
    assert_eq!(
        failure(&templates("Hello\n  {{ custommer_name }}"), typo),
        "cannot render the template t (x/templates/t.j2:7:6): `custommer_name` is not in the context, which has \
         customer_name, x; did you mean `customer_name`?"
    );
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    assert!(failure(&templates(endless), decision(&["A"])).contains("too many steps"));
    let long = Decision { context: context(json!({"x": "y".repeat(5000)})), ..decision(&["A"]) };
    assert!(failure(&templates("{{ x }}"), long).contains("5000 characters; the limit is 4096"));
    let unknown = Decision { template: "tt".into(), ..decision(&["A"]) };
    assert!(failure(&templates("x"), unknown).starts_with("unknown template tt"));
}

#[test]
fn times_are_worked_out() {
    let templates = templates("x");
    let after = Decision {
        send: Some(SendTime::After(SignedDuration::from_mins(10))),
        contacts: vec!["263770000001".into()],
        ..decision(&[])
    };
    let planned = planned(&templates, after, &People::default());
    assert_eq!(planned.notifications[0].notification.send_at.unwrap().to_string(), "1970-01-01T00:10:00Z");
}

#[test]
fn all_errors_of_a_template_are_told_with_their_places() {
    let text = "---\ndescription: x\ncategory: utility\nlanguage: en_US\nfooter: long long long long long long long long long long long long long\n---\nHi\n{{ a b }}\n";
    let found = errors(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0].0, found[0].2.as_str()), (5, "a footer has at most 60 characters"));
    assert_eq!(found[1].0, 8, "{found:?}");
    let found = errors("---\ndescription: x\ncategorie: utility\n---\nHi\n");
    assert_eq!(found[0].0, 3, "{found:?}");
    assert!(found[0].2.contains("unknown key `categorie`"), "{found:?}");
    assert!(errors("Hi")[0].2.starts_with("the front matter is missing"));
    let (_, twice) =
        Templates::compile(vec![source("t", &format!("{FRONT}a")), source("t", &format!("{FRONT}b"))]);
    assert!(twice[0].message.contains("duplicate template `t`, also in x/templates/t.j2"));
}

#[test]
fn names_are_collected_for_one_look_up() {
    let decision = Decision {
        users: vec!["u".into()],
        contacts: vec!["+263770000001".into(), "?".into()],
        ..decision(&["A"])
    };
    let verdict = Verdict { rule: None, outcome: Outcome::Notify(Box::new(decision)), asked: [].into() };
    let names = named([&verdict, &verdict]);
    assert_eq!(names.groups.iter().collect::<Vec<_>>(), ["A"]);
    assert_eq!(names.contacts.iter().collect::<Vec<_>>(), ["263770000001"]);
}

#[test]
fn words_of_the_text_are_no_variables() {
    let templates = templates(
        "The number and pin of {{ name | default('pin') }}: {# pin #}{{ number }}{% if pin %} {{ pin.number }}{% endif %}",
    );
    assert_eq!(templates.get("t").unwrap().variables, ["name", "number", "pin"]);
}

/// minijinja itself does not tell of which value a slice is taken.
#[test]
fn a_variable_is_known_wherever_it_stands() {
    let variables = |body: &str| templates(body).get("t").unwrap().variables.clone();
    assert_eq!(variables("Code {{ code[:3] }} {{ code[3:] }}."), ["code"]);
    assert_eq!(variables("{{ list[from:to:step] }}"), ["from", "list", "step", "to"]);
    assert_eq!(
        variables("{{ text | truncate(size) | replace(old, new[1:]) }}"),
        ["new", "old", "size", "text"]
    );
    assert_eq!(variables("{{ shop.names[a.b:] | default(other) }}"), ["a", "other", "shop"]);
    assert_eq!(
        variables("{% for item in items[:3] %}{{ loop.index }} {{ item[1:] }}{% endfor %}."),
        ["items"]
    );
    assert_eq!(variables("{% set short = name[:3] %}{{ short[1:] }} {{ range(9)[2:] }}."), ["name"]);
    let templates = templates("{% if pin %}\nMap: {{ pin[:3] }}\n{% endif %}\nDear all");
    assert_eq!(definition(templates.get("t").unwrap()).body, "Map: {{1}}\nDear all");
}

#[test]
fn a_string_and_a_number_are_not_compared_in_silence() {
    let rendered = |comparison: &str| {
        let templates =
            templates(&format!("It is {{% if {comparison} %}}so{{% else %}}not so{{% endif %}} here."));
        let values = json!({"string": "600", "word": "abc", "int": 600, "float": 600.5, "list": ["600"]});
        let mut decision = decision(&["Sales Team"]);
        decision.context = context(values);
        let people = People {
            groups: [("Sales Team".to_owned(), vec![person("ada", Some("263770000001"), true)])].into(),
            ..People::default()
        };
        let planned = planned(&templates, decision, &people);
        planned.notifications.first().map_or_else(
            || planned.reason.clone().unwrap_or_default(),
            |planned| planned.notification.message.body.clone(),
        )
    };
    for comparison in [
        "string > 500",
        "500 <= string",
        "word < 5",
        "string == 600",
        "int != string",
        "1 < string < 1000",
        "string is gt(500)",
        "string is eq(600)",
        "list | select('lessthan', 700)",
    ] {
        let why = rendered(comparison);
        assert!(
            why.contains("cannot compare the string ") && why.contains("number(value)"),
            "{comparison}: {why}"
        );
    }
    for (comparison, holds) in [
        ("int > 500", true),
        ("float > int", true),
        ("string == 5", false),
        ("word != 600", true),
        ("word > 'abb'", true),
        ("string | float > 500", true),
        ("list == ['600']", true),
        ("int == 600.0", true),
        ("1 < int < 1000", true),
        ("int is gt(500)", true),
        ("list | select('==', '600')", true),
    ] {
        let body = if holds { "It is so here." } else { "It is not so here." };
        assert_eq!(rendered(comparison), body, "{comparison}");
    }
}

#[test]
fn a_null_is_written_as_nothing() {
    let decision = Decision {
        context: context(json!({"x": null})),
        contacts: vec!["263770000001".into()],
        ..decision(&[])
    };
    let planned = planned(&templates("Pin: {{ x }}."), decision, &People::default());
    assert_eq!(planned.notifications[0].notification.message.body, "Pin: .");
}

#[test]
fn who_is_named_twice_is_told_once() {
    let mut people = People::default();
    people.groups.insert("A".into(), vec![person("ada", Some("263770000001"), true)]);
    let decision = Decision {
        contacts: vec!["+263770000002".into(), "263770000002".into(), "?".into(), "?".into()],
        ..decision(&["A", "A"])
    };
    let planned = planned(&templates("Hello"), decision, &people);
    let reasons: Vec<_> = who(&planned).into_iter().map(|(to, why, _)| (to, why)).collect();
    assert_eq!(
        reasons,
        [
            (Some("263770000001"), "member of A"),
            (Some("263770000002"), "named as contact"),
            (None, "named as contact"),
        ]
    );
}

#[test]
fn columns_count_characters() {
    let found = errors(&format!("{FRONT}Größe {{{{ a b }}}}\n"));
    assert_eq!((found[0].0, found[0].1), (6, 12), "{found:?}");
}

#[test]
fn a_template_cannot_fill_memory() {
    let decision = Decision {
        context: context(json!({"x": "y".repeat(60_000)})),
        contacts: vec!["263770000001".into()],
        ..decision(&[])
    };
    for body in [
        "{% set ns = namespace(t=\"x\") %}{% for i in range(50) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}",
        "{{ (\"x\" * 90000000) | length }}",
        "{% for i in range(20000) %}{{ x }}{% endfor %}",
        "{% macro f(t) %}{{ f(t ~ t) }}{% endmacro %}{{ f(x) }}",
    ] {
        let planned = planned(&templates(body), decision.clone(), &People::default());
        assert_eq!((planned.outcome, planned.notifications.len()), (DecisionOutcome::Failed, 0), "{body}");
        let why = planned.reason.unwrap();
        assert!(why.contains("too much text"), "{body}: {why}");
    }
}

#[test]
fn long_words_of_people_may_be_truncated() {
    let body = |text: &str, context: Value| {
        let decision = Decision {
            context: self::context(context),
            contacts: vec!["263770000001".into()],
            ..decision(&[])
        };
        let planned = planned(&templates(text), decision, &People::default());
        match planned.notifications.first() {
            Some(first) => first.notification.message.body.clone(),
            None => planned.reason.unwrap(),
        }
    };
    let text = "Fault: {{ fault | truncate(9) }}.";
    assert_eq!(body(text, json!({"fault": "it is größer"})), "Fault: it is gr….");
    assert_eq!(body(text, json!({"fault": "it is big"})), "Fault: it is big.");
    assert_eq!(body(text, json!({"fault": "it will be"})), "Fault: it will….");
    assert_eq!(body(text, json!({"fault": 1234567890})), "Fault: 12345678….");
    assert_eq!(body(text, json!({"fault": null})), "Fault: .");
    assert_eq!(
        body(text, json!({"faults": 1})),
        "cannot render the template t (x/templates/t.j2:6:19): `fault` is not in the context, which has faults; did you \
         mean `faults`?"
    );
    let variables = templates(text).get("t").unwrap().variables.clone();
    assert_eq!(variables, ["fault"]);
}

#[test]
fn two_people_with_one_number_are_one_recipient() {
    let mut people = People::default();
    people.groups.insert(
        "A".into(),
        vec![person("ada", Some("263770000001"), true), person("tom", Some("263770000001"), true)],
    );
    let planned = planned(&templates("Hello"), decision(&["A"]), &people);
    assert_eq!(who(&planned), [(Some("263770000001"), "member of A; also member of A", None)]);
}

/// Each person is looked at once: were each compared with each, this would take minutes.
#[test]
fn a_hundred_thousand_people_are_found_in_one_pass() {
    let number = |n: usize| format!("2637{n:08}");
    let all: Vec<Arc<Person>> =
        (0..100_000).map(|n| person(&format!("p{n}"), Some(&number(n)), true)).collect();
    let mut people = People::default();
    people.groups.insert("All".into(), all.clone());
    people.groups.insert("Half".into(), all[..50_000].to_vec());
    people.users.extend(all[..1_000].iter().map(|person| (person.username.clone(), person.clone())));
    let decision = Decision {
        users: (0..1_000).map(|n| format!("p{n}")).collect(),
        contacts: (99_000..101_000).map(number).collect(),
        ..decision(&["All", "Half", "All"])
    };
    let planned = planned(&templates("Hello"), decision, &people);
    assert_eq!(planned.notifications.len(), 101_000);
    let reason = |n: usize| planned.notifications[n].notification.reason.as_str();
    assert_eq!(reason(0), "member of All and Half, named as user");
    assert_eq!(reason(49_999), "member of All and Half");
    assert_eq!(reason(99_999), "member of All; also named as contact");
    assert_eq!(reason(100_999), "named as contact");
}

#[test]
fn a_number_that_very_many_people_share_has_a_reason_of_bounded_length() {
    let mut people = People::default();
    let all = (0..20_000).map(|n| person(&format!("p{n}"), Some("263770000001"), true));
    people.groups.insert("A".into(), all.collect());
    let planned = planned(&templates("Hello"), decision(&["A"]), &people);
    assert_eq!(planned.notifications.len(), 1);
    assert!(planned.notifications[0].notification.reason.len() < 1_100);
}

#[test]
fn what_is_told_page_by_page_is_checked_before() {
    let templates = templates("Hello {{ recipient.name }} of {{ place }}");
    let announced = |context: Value| {
        let decision = Decision { context: self::context(context), ..decision(&["A"]) };
        let verdict = Verdict { rule: None, outcome: Outcome::Notify(Box::new(decision)), asked: [].into() };
        let (senders, people) = (Senders::only("99"), People::default());
        let now = Timestamp::UNIX_EPOCH;
        let planner =
            Planner { templates: &templates, senders: &senders, in_use: None, people: &people, now };
        planner.announce(&event(), &verdict)
    };
    let fine = announced(json!({"place": "Harare"}));
    assert_eq!((fine.outcome, fine.notifications.len()), (DecisionOutcome::Notify, 0));
    assert_eq!(announced(json!({})).outcome, DecisionOutcome::Failed);
}

/// What an alarm storm comes to: whole items, and how many more there are.
#[test]
fn a_digest_that_is_too_long_shows_as_many_items_as_can_be_sent() {
    let text = "*{{ count }} alarms* for {{ recipient.name }}\n{% for item in items %}\n- {{ item.what }}\n{% endfor %}\n";
    let templates = templates(text);
    let items: Vec<Value> =
        (1..=300).map(|n| json!({"what": format!("Alarm {n} at site {n} is not good")})).collect();
    let mut people = People::default();
    people.groups.insert(
        "A".into(),
        vec![
            person("ada", Some("263770000001"), true),
            person(&"tom".repeat(30), Some("263770000002"), true),
        ],
    );
    let body = |items: Vec<Value>, count: u64| {
        let decision =
            Decision { context: context(json!({"items": items, "count": count})), ..decision(&["A"]) };
        let verdict = Verdict { rule: None, outcome: Outcome::Notify(Box::new(decision)), asked: [].into() };
        let (senders, now) = (Senders::only("99"), Timestamp::UNIX_EPOCH);
        let planner =
            Planner { templates: &templates, senders: &senders, in_use: None, people: &people, now };
        let event = Event { kind: DIGEST_TYPE.into(), ..event() };
        let planned = planner.plan(&event, &verdict);
        assert_eq!((planned.outcome, planned.reason), (DecisionOutcome::Notify, None));
        planned.notifications[0].notification.message.body.clone()
    };
    let long = body(items.clone(), 2_000);
    let shown = long.lines().filter(|line| line.starts_with("- Alarm")).count();
    assert!(long.starts_with("*2000 alarms* for ADA\n- Alarm 1 at site 1 is not good\n"), "{long}");
    assert!(long.ends_with(&format!(" is not good\n… and {} more", 2_000 - shown)), "{long}");
    assert!((3_800..=4_096).contains(&long.chars().count()), "{}", long.chars().count());
    assert_eq!(body(items[..2].to_vec(), 2).lines().count(), 3, "a short one is left as it is");
}
