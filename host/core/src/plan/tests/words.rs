//! The texts of everything that keeps a decision from becoming messages.

use std::fmt::Write;

use super::*;

fn said(body: &str, context: Value) -> String {
    let decision = Decision {
        context: self::context(context),
        contacts: vec!["+263 77 000 0001".into()],
        ..decision(&[])
    };
    let planned = planned(&templates(body), decision, &People::default());
    planned.reason.unwrap_or_else(|| planned.notifications[0].notification.message.body.clone())
}

#[test]
fn of_templates_that_cannot_be_rendered() {
    let mut words = String::new();
    for (body, context) in [
        ("Hello {{ custommer }}.", json!({"customer": "Tom", "x": 1})),
        ("Hello {{ name }}.", json!({})),
        ("Hello {{ event.data.name }}.", json!({"name": "Tom"})),
        ("Hello {{ customer.name.first }}.", json!({"customer": {}})),
        ("Fault: {{ fault | truncate(9) }}.", json!({"faults": 1})),
        ("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}", json!({})),
        ("{{ x }}", json!({"x": "y".repeat(5_000)})),
        ("{{ x }}", json!({"x": " "})),
        ("{{ x + 1 }}", json!({"x": "a"})),
        ("{{ x | round }}", json!({"x": "a"})),
        ("{% for i in x %}{{ i }}{% endfor %}", json!({"x": 1})),
        ("{{ x }}", json!({"x": ["bug", 2, [true, null, "a\"b"]]})),
        ("{{ x | map('upper') }}", json!({"x": ["bug", "feature"]})),
        ("{{ x }}", json!({"x": {"id": 1}})),
        ("{{ x }}", json!({"x": [{"id": 1}]})),
    ] {
        writeln!(words, "{body}\n    {}", said(body, context)).unwrap();
    }
    insta::assert_snapshot!(words);
}

#[test]
fn of_shared_words_in_templates() {
    let mut words = String::new();
    for (body, context) in [
        ("{{ format(x, '%d %b', 'Harare') }}", json!({"x": "2026-12-03T12:00:00Z"})),
        ("{{ x | format('%', 'UTC') }}", json!({"x": "2026-12-03T12:00:00Z"})),
        ("Line\n{{ x | money('DOLLARS') }}", json!({"x": 1})),
        ("{{ join(x) }}", json!({"x": ["a"]})),
        ("{{ in_hours(now(), '9-5', 'UTC') }}", json!({})),
        ("{{ time('tomorrow') }}", json!({})),
        ("{{ money('abc') }}", json!({})),
        ("{{ truncate(x, 'long') }}", json!({"x": "a"})),
        ("{{ join(x, 5) }}", json!({"x": ["a"]})),
        ("{{ now() + '24 hours' }}", json!({})),
        ("{{ time(x) - 'a day' }}", json!({"x": "2026-12-03T12:00:00Z"})),
        ("{{ x | time + 'a day' }}", json!({"x": "2026-12-03T12:00:00Z"})),
        ("{{ money('5') }} {{ truncate('abc', 2) }} {{ plural(2, 'line', 'lines') }}", json!({})),
        ("{{ format(x, '%d %b', zone) }}", json!({"x": "soon", "zone": "UTC"})),
        ("{{ format(x, '%d %b', zone) }}", json!({"x": "2026-12-03T12:00:00Z"})),
        ("{{ time(x) - y }}", json!({"x": "2026-12-03T12:00:00Z", "y": 5})),
        ("{% if time(x) > y %}a{% endif %}", json!({"x": "2026-12-03T12:00:00Z", "y": "2026"})),
        ("{{ time(x) < none }}", json!({"x": "2026-12-03T12:00:00Z"})),
        ("{{ plural(x, 'line', 'lines') }}", json!({"x": "many"})),
        ("{{ join(x, '') | length }}", json!({"x": vec!["y".repeat(5_000); 400]})),
        ("{{ truncate(missing, 5) }}", json!({})),
        ("{% macro format(x) %}<{{ x }}>{% endmacro %}{{ format(1) }} {{ [now()] }}", json!({})),
        (
            "{% set t = time(x) %}{{ t + '1d' }} {{ (t - time(y)).days }} {{ {'t': t}.t }}",
            json!({"x": "2026-12-03T12:00:00Z", "y": "2026-12-01T00:00:00Z"}),
        ),
    ] {
        let source = TemplateSource {
            name: "note".into(),
            file: "a/templates/note.j2".into(),
            text: format!("---\ndescription: x\ncategory: utility\nlanguage: en_US\n---\n{body}\n"),
        };
        let (_, errors) = Templates::compile(vec![source]);
        let said = match errors.first() {
            Some(error) => format!("{}:{}: {}", error.line, error.column, error.message),
            None => said(body, context),
        };
        writeln!(words, "{body}\n    {said}").unwrap();
    }
    insta::assert_snapshot!(words);
}

#[test]
fn of_recipients() {
    let mut people = People::default();
    people
        .groups
        .insert("A".into(), vec![person("zoe", None, true), person("max", Some("263770000009"), false)]);
    people.groups.insert("Empty".into(), vec![]);
    let contacts = ["077 123 4567", "12", "+999 12345678", "2637712345678901", "tendai", ""];
    let decision = Decision {
        users: vec!["eve".into()],
        contacts: contacts.iter().map(|contact| (*contact).into()).collect(),
        ..decision(&["A", "Empty", "Gone"])
    };
    let of_people = planned(&templates("Hello"), decision, &people);
    let mut words = of_people.reason.clone().unwrap();
    for (_, why, not) in who(&of_people) {
        write!(words, "\n{why}: {}", not.unwrap_or("reached")).unwrap();
    }
    for decision in [
        Decision { template: "tt".into(), ..self::decision(&[]) },
        Decision { template: "other".into(), ..self::decision(&[]) },
        Decision { from: Some("sales".into()), ..self::decision(&[]) },
        self::decision(&[]),
    ] {
        let planned = planned(&templates("Hello"), decision, &people);
        write!(words, "\n{}", planned.reason.unwrap()).unwrap();
    }
    let no_route = Verdict { rule: None, outcome: Outcome::NoRoute, asked: [].into() };
    let planned = planned_with(&templates("Hello"), None, &no_route, &people);
    write!(words, "\n{}", planned.reason.unwrap()).unwrap();
    insta::assert_snapshot!(words);
}
