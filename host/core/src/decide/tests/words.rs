//! The texts of everything that goes wrong while a rule runs, as its author reads them.

use std::fmt::Write;

use serde_json::json;

use super::{World, compile, event, plain, route, run_script, source, try_script};
use crate::{
    decide::{RuleSource, decide},
    domain::Outcome,
};

#[test]
fn of_scripts_that_fail() {
    let bodies = [
        "throw \"no stock\"",
        "throw",
        "f(event)",
        "let s = \"x\"; loop { s += s; }",
        "let a = [1]; loop { a += a; }",
        "let a = []; a.pad(70, 1); for i in 0..70 { a = [a]; } #{template: \"t\", context: #{a: a}}",
        "event.data.missing + 1",
        "event.data.missing.len()",
        "event.data.list + 1",
        "if event.data.missing { skip(\"x\") }",
        "if event.data.name { skip(\"x\") }",
        "event.data.number / 0",
        "event.data.name.trim().len()",
        "event.data.missing.x = 1",
        "event.data.list[0] = 1",
        "event.data.name.sub_string(\"a\")",
        "event.data.list.sort(5)",
        "event.data.name.frobnicate(\"frobnicate\")",
        "parse_int(\"a\")",
        "let x = \"1,234.50\"; number(x)",
        "let x = \"abc\"; money(x)",
        "money([1])",
        "let x = true; number(x)",
        "event.data.name > 5",
        "event.data.name - event.data.name",
        "event.data.list - 1",
        "event.data.number - event.data.name",
        "event.data.number - event.data.missing",
        "-9223372036854775807 - 2",
        "time(event.data.name)",
        "let x = \"2026-12-03 14:00\"; time(x)",
        "now() - event.data.number",
        "now() > event.data.name",
        "event.data.number < now()",
        "event.data.name + duration(\"1h\")",
        "now() + event.data.name",
        "format(now(), \"%d\", event.data.name)",
        "in_hours(event.data.missing, \"08:00-17:00\", \"UTC\")",
        "plural(event.data.missing, \"line\", \"lines\")",
        "join([#{}], \", \")",
        "truncate(event.data.name, event.data.name)",
        "let s = \"x\"; s.pad(9000, \"x\"); let a = []; a.pad(40, s); join(a, \"\")",
        "[1, \"a\"].order()",
        "for i in 0..1000 { config(`k${i}`, 0); }",
        "42",
        "()",
        "[]",
        "[1]",
        "[skip(\"x\")]",
        "#{}",
        "#{template: \"t\", grups: []}",
        "#{template: 1.5}",
        "[#{template: \"t\"}, #{template: \"t\", groups: \"Sales Team\"}]",
        "#{template: \"t\", users: [[1]]}",
        "#{template: \"t\", context: 1}",
        "#{template: \"t\", context: #{f: |x| x}}",
        "#{template: \"t\", context: #{n: 0.0 / 0.0}}",
        "#{template: \"t\", after: \"soon\"}",
        "#{template: \"t\", after: \"400d\"}",
        "#{template: \"t\", send_at: \"tomorrow\"}",
        "#{template: \"t\", send_at: now(), after: \"1h\"}",
        "#{template: \"t\", collect: \"15m by groups\"}",
        "#{template: \"t\", collect: \"15m by group\", after: \"1h\"}",
        "#{template: \"t\", dedupe_for: \"1h\"}",
        "#{template: \"t\", priority: \"high\"}",
        "#{template: \"t\", mode: \"sms\"}",
        "let all = []; for i in 0..101 { all += #{template: \"t\"}; } all",
        "let s = \"x\"; s.pad(70000, \"x\"); #{template: s}",
    ];
    let data = json!({"name": "Tendai", "list": [1], "number": 5, "map": {}});
    let mut said = String::new();
    for body in bodies {
        let script = format!("fn f(x) {{ f(x) }}\nfn decide(event) {{ {body} }}");
        let outcome = run_script(&script, data.clone()).remove(0).outcome;
        let Outcome::Failed(why) = outcome else { panic!("{body}: {outcome:?}") };
        writeln!(said, "{body}\n    {why}").unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn of_calls_that_can_never_work() {
    let bodies = [
        "first()",
        "config(\"a\")",
        "plural(1, \"line\")",
        "truncate(event.data.name)",
        "event.data.name.truncate()",
        "event.data.name.contains()",
        "event.data.list.push()",
        "event.data.name.trim(1)",
        "parse_int()",
        "number(\"1,234.50\")",
        "number(true)",
        "money(\"abc\")",
        "money(\"abc\", event.data.currency)",
        "money(event.data.total, 5)",
        "plural(event.data.n, 1, \"lines\")",
        "plural(\"many\", \"line\", \"lines\")",
        "join(event.data.list, 5)",
        "join(\"a\", \", \")",
        "lines(event.data.list, 5)",
        "truncate(\"abc\", \"x\")",
        "time(\"tomorrow\")",
        "time(\"2026-12-03 14:00\")",
        "format(now(), 5, \"UTC\")",
        "format(now(), \"%d\", 5)",
        "in_hours(now(), 5, \"UTC\")",
        "duration(5)",
        "now() + \"24 hours\"",
        "now() - \"24 hours\"",
        "time(event.time) + \"tomorrow\"",
        "duration(\"1h\") + \"an hour\"",
        "duration(\"1h\") - 5",
        "event.time + \"24h\"",
        "event.time - \"24h\"",
    ];
    let mut said = String::new();
    for body in bodies {
        let (_, errors) = try_script(&format!("fn decide(event) {{\n{body}\n}}"));
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        writeln!(said, "{body}\n    {}", errors.join("\n    ")).unwrap();
    }
    insta::assert_snapshot!(said);
}

#[test]
fn of_calls_that_may_work_nothing_is_said() {
    for body in [
        "let n = \"5\"; number(n)",
        "time(\"2026-12-03 14:00\", \"Africa/Harare\")",
        "time(\"\")",
        "time(0)",
        "number(\"\")",
        "money(\"5\", \"USD\")",
        "plural(\"2\", \"line\", \"lines\", \"pt_BR\")",
        "lines(event.data.list)",
        "truncate(5, 3)",
        "now() + \"24h\" - \"1h\"",
        "now() + \" 24h \"",
        "duration(\"1h\") + \"24h\"",
        "now() - time(event.time)",
        "event.time + \" is the time\"",
        "\"24h\" + \"1h\"",
        "event.data.f.call(1, 2, 3)",
        "let m = #{contains: |a, b, c| a}; m.contains(1, 2)",
        "first(event.data.a, event.data.b, event.data.c, 1)",
        "print(event.data.name)",
    ] {
        let (_, errors) = try_script(&format!("fn decide(event) {{\n{body}\n}}"));
        assert_eq!(errors, [], "{body}");
    }
    let own = "fn contains(a) { a }\nfn decide(event) { contains(1) }";
    assert_eq!(try_script(own).1, []);
}

#[test]
fn lists_in_strings_are_written_as_people_read_them() {
    for text in ["`${event.data.labels}`", "\"\" + event.data.labels", "event.data.labels.to_string()"] {
        let script = format!("fn decide(event) {{ skip({text}) }}");
        let outcome = run_script(&script, json!({"labels": ["bug", 2, ["a\"b", true]]})).remove(0).outcome;
        assert!(matches!(&outcome, Outcome::Skip(why) if why == "bug, 2, a\"b, true"), "{text}: {outcome:?}");
    }
}

#[test]
fn of_expressions_that_fail() {
    let data = json!({"name": "Tendai", "list": [1], "number": 5, "map": {}});
    let of_route = |rule: RuleSource, when: Option<&str>| {
        let mut route = route("*", rule);
        route.when = when.map(source);
        match decide(&compile(vec![route]), &event("a", data.clone()), &World).remove(0).outcome {
            Outcome::Failed(why) | Outcome::Skip(why) => why,
            other => format!("{other:?}"),
        }
    };
    let plain = || RuleSource::Plain(Box::new(plain(&[])));
    let mut said = String::new();
    for when in [
        "event.data.missing",
        "event.data.name",
        "event.data.missing > 5",
        "event.data.name > 5",
        "skip(\"closed\")",
    ] {
        writeln!(said, "when: {when}\n    {}", of_route(plain(), Some(when))).unwrap();
    }
    for (key, text) in [
        ("users", "5.5"),
        ("users", "[event.data.map]"),
        ("dedupe_key", "event.data.list"),
        ("expires_at", "event.data.name"),
        ("context", "|x| x"),
    ] {
        let RuleSource::Plain(mut rule) = plain() else { continue };
        match key {
            "users" => rule.users = vec![source(text)],
            "dedupe_key" => rule.dedupe_key = Some(source(text)),
            "expires_at" => rule.expires_at = Some(source(text)),
            _ => rule.context = super::plain(&[("x", text)]).context,
        }
        writeln!(said, "{key}: {text}\n    {}", of_route(RuleSource::Plain(rule), None)).unwrap();
    }
    insta::assert_snapshot!(said);
}
