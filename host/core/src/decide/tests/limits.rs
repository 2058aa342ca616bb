//! What rules may not do.

use std::{collections::BTreeMap, time::Instant};

use serde_json::json;

use super::{World, compile, decision, event, failure, plain, route, source, try_script};
use crate::{
    decide::{Place, Routes, RuleSource, Source, decide, memory},
    domain::Outcome,
};

#[test]
fn all_variables_together_are_bounded() {
    let long = "let s = \"x\"; s.pad(40000, \"x\"); s";
    let script = format!(
        "fn decide(event) {{ let s = {{ {long} }}; #{{template: \"a\", context: #{{a: s, b: s}}}} }}"
    );
    assert!(failure(&script).contains("larger than 64 KiB"));
    let data = json!({"text": "x".repeat(40_000)});
    let context = [("a", "event.data.text"), ("b", "event.data.text")];
    let routes = compile(vec![route("*", RuleSource::Plain(Box::new(plain(&context))))]);
    let outcome = decide(&routes, &event("a", data), &World).remove(0).outcome;
    assert!(matches!(&outcome, Outcome::Failed(why) if why.contains("larger than 64 KiB")), "{outcome:?}");
    let deep = "let a = 1; for i in 0..70 { a = [a]; } #{template: \"a\", context: #{a: a}}";
    assert!(failure(&format!("fn decide(event) {{ {deep} }}")).contains("nested more than 64 levels deep"));
}

#[test]
fn words_that_nest_without_end_do_not_compile() {
    for part in [
        "{",
        "[",
        "(",
        "#{a:",
        "if true {",
        "-",
        "!",
        "1+(",
        "|x| ",
        "a.b[",
        "`${",
        "while true {",
        "fn a() {",
    ] {
        let script = format!("fn decide(event) {{ {}", part.repeat(50_000));
        assert_eq!(try_script(&script).1.len(), 1, "{part}");
        let errors = Routes::compile(
            &[route("*", RuleSource::Plain(Box::new(plain(&[("x", &part.repeat(50_000))]))))],
            &BTreeMap::new(),
            &BTreeMap::new(),
        )
        .1;
        assert_eq!(errors.len(), 1, "{part}");
    }
}

#[test]
fn hostile_scripts_are_stopped_in_their_budget() {
    for (body, words) in [
        ("loop { }", "took "),
        ("loop { try { loop { } } catch { } }", "took "),
        ("let i = 0; while true { i += 1; }", "took "),
        ("let s = \"x\"; loop { s += s; }", "a string grew beyond 256 KiB"),
        ("let s = \"x\"; s.pad(1073741824, \"x\"); s", "grew beyond 256 KiB"),
        ("let s = \"x\"; s.pad(200000, \"x\"); s.replace(\"x\", s); s", "a string grew beyond 256 KiB"),
        ("let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }", ""),
        (
            "let s = \"x\"; s.pad(200000, \"x\"); let m = #{}; let i = 0; loop { m[`k${i}`] = s + i; i += 1; }",
            "16 MiB|took longer",
        ),
        (
            "let s = \"x\"; s.pad(200000, \"x\"); let a = []; a.pad(9000, 1); a.map(|x| s + x)",
            "16 MiB|took longer",
        ),
        (
            "let s = \"x\"; s.pad(200000, \"x\"); loop { s.replace(\"x\", \"y\"); s.replace(\"y\", \"x\"); }",
            "took longer than 100 ms",
        ),
        ("let a = [1]; loop { a += a; }", "an array grew beyond"),
        ("let a = []; loop { a = [a]; }", ""),
        ("let m = #{}; loop { m.a = m; }", ""),
        ("let q = [[]]; loop { q.push([q.pop()]); }", ""),
        ("f(event)", "nested more than 32 levels deep"),
        (
            "let s = \"x\"; s.pad(9000, \"x\"); let c = s.chars(); let a = []; a.pad(9999, c); a.pad(9999, a)",
            "grew beyond",
        ),
        ("let s = \"x\"; s.pad(90000, \"x\"); s.chars()", "an array grew beyond"),
        (
            "let s = \"x\"; s.pad(90000, \"x\"); let b = s.to_blob(); let a = []; a.pad(9999, b); a",
            "grew beyond",
        ),
        ("throw \"no stock\"", "threw: no stock"),
        ("throw #{code: 7}", "threw: {\"code\":7}"),
        ("1 / 0", ""),
        ("let m = #{}; m[\"mapp\"] = 1; [1].mapp(|x| x)", "no function `mapp` for an array and a function"),
        ("event.data.missing + 1", "no operator `+` for a missing value and a number"),
        ("[].sub_string(5)", "no function `sub_string` for an array and a number"),
        ("event.id.id.id", ""),
    ] {
        let script = format!("fn f(x) {{ f(x) }}\nfn decide(event) {{\n  {body}\n}}");
        let (before, start) = (memory::held(), Instant::now());
        let why = failure(&script);
        let took = start.elapsed();
        // A loaded machine may use the time up before the memory.
        assert!(words.split('|').any(|words| why.contains(words)), "{body}: {why}");
        assert!(why.starts_with("orders/s.rhai:"), "{why}");
        // The budget is 100 ms; the rest is for building the engine on a busy machine.
        assert!(took.as_millis() < 2_000, "{body}: {took:?}");
        assert!(memory::held() - before < 4_096, "{body}: {} bytes stay", memory::held() - before);
        eprintln!("{took:>12?} {why}");
    }
}

#[test]
fn shared_texts_are_not_unfolded_where_they_are_printed() {
    let data = json!({"text": "x".repeat(200_000)});
    for result in
        ["`${a}`", "a.to_string()", "print(a); skip(\"\")", "\"\" + a", "let t = \"\"; t += a; t", "text(a)"]
    {
        let body = format!(
            "let s = event.data.text; let a = []; a.pad(500, 0); for i in 0..500 {{ a[i] = s; }} {result}"
        );
        let (routes, errors) = try_script(&format!("fn decide(event) {{ {body} }}"));
        assert_eq!(errors, []);
        let event = event("order.created", data.clone());
        let peak = memory::peak_of(|| {
            let outcome = decide(&routes, &event, &World).remove(0).outcome;
            assert!(matches!(&outcome, Outcome::Failed(_) | Outcome::Skip(_)), "{result}: {outcome:?}");
        });
        // 100 MB as a text.
        assert!(peak < 32 * 1024 * 1024, "{result}: {peak} bytes");
    }
}

#[test]
fn a_failing_rule_fails_alone() {
    let bad = route("*", RuleSource::Plain(Box::new(plain(&[("x", "event.data.a + 1")]))));
    let good = route("*", RuleSource::Plain(Box::new(plain(&[]))));
    let routes = compile(vec![bad, good]);
    let verdicts = decide(&routes, &event("a", json!({})), &World);
    assert_eq!(verdicts[0].outcome, Outcome::Failed(
        "orders/routes.yaml:3:22: no operator `+` for a missing value and a number (give a default: `first(value, …)` or `value ?? …`)".into()));
    assert!(matches!(verdicts[1].outcome, Outcome::Notify(_)));
}

#[test]
fn an_expression_cannot_change_the_event_for_the_next() {
    let routes = compile(vec![
        route(
            "*",
            RuleSource::Plain(Box::new(plain(&[
                ("x", "[1].map(|x| event.data.list.len() + x)"),
                ("y", "event.data.list.push(3)"),
            ]))),
        ),
        route("*", RuleSource::Plain(Box::new(plain(&[("x", "event.data.list.len()")])))),
    ]);
    let verdicts = decide(&routes, &event("a", json!({"list": []})), &World);
    assert!(
        matches!(&verdicts[0].outcome, Outcome::Failed(why) if why.contains("constant")),
        "{:?}",
        verdicts[0]
    );
    assert_eq!(decision(&verdicts[1..]).context["x"], json!(0));
}

#[test]
fn the_decisions_of_all_rules_together_are_bounded() {
    let script = "fn decide(event) { let all = []; for i in 0..100 { all.push(#{template: \"a\"}); } all }";
    let file = Source { text: script.into(), place: Place::start_of("orders/s.rhai") };
    let sources: Vec<_> = (0..12).map(|_| route("*", RuleSource::Script(source("orders/s.rhai")))).collect();
    let scripts = BTreeMap::from([("orders/s.rhai".to_owned(), file)]);
    let (routes, errors) = Routes::compile(&sources, &scripts, &BTreeMap::new());
    assert_eq!(errors, []);
    let verdicts = decide(&routes, &event("a", json!({})), &World);
    assert_eq!(verdicts.len(), 1_000);
    let last = &verdicts[999].outcome;
    assert!(matches!(last, Outcome::Failed(why) if why.contains("more than 1000 decisions")), "{last:?}");
}
