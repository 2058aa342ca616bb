//! What authors are told.

use std::collections::BTreeMap;

use super::{failure, plain, route, source, try_script};
use crate::decide::{Place, Routes, RuleSource, Source};

#[test]
fn wrong_answers_are_told_with_their_path() {
    for (answer, words) in [
        (
            "[#{template: \"a\"}, #{template: \"a\", groups: 7}]",
            "[1].groups: expected an array of strings, got a number",
        ),
        ("#{template: \"a\", users: [[1]]}", "users[0]: expected a string, got an array"),
        ("#{template: \"a\", grups: []}", "unknown key `grups`: did you mean `groups`?"),
        ("#{groups: []}", "`template` is missing"),
        ("#{cancel: ()}", "cancel: expected a key, got nothing"),
        ("#{cancel: \"a\", groups: [\"G\"]}", "`groups` needs a `template`"),
        ("#{cancel: [1.5]}", "cancel[0]: expected a string, got a number"),
        (
            "let key = \"\"; key.pad(201, \"x\"); #{cancel: key}",
            "cancel: a key has at most 200 characters, got 201",
        ),
        (
            "let all = []; all.pad(21, \"x\"); #{cancel: all}",
            "at most 20 keys can be cancelled at once, got 21",
        ),
        ("let key = \"\"; key.pad(201, \"x\"); #{template: \"a\", key: key}", "key: a key has at most 200"),
        (
            "#{template: \"a\", collect: \"1h by group\", key: \"k\"}",
            "`collect` and `key` cannot be used together",
        ),
        ("#{template: \"a\", \"else\": [\"G\"]}", "else: expected a map, got an array"),
        ("#{template: \"a\", \"else\": #{group: []}}", "else: unknown key `group`: did you mean `groups`?"),
        ("#{template: \"a\", after: \"soon\"}", "after: expected a duration of at most 365d"),
        ("#{template: \"a\", send_at: \"soon\"}", "send_at: expected a time in RFC 3339"),
        ("#{template: \"a\", send_at: now(), after: \"1h\"}", "cannot be used together"),
        ("#{template: \"a\", priority: \"high\"}", "priority: expected urgent, normal or bulk, got `high`"),
        ("#{template: \"a\", mode: \"sms\"}", "mode: expected auto, template or text, got `sms`"),
        ("#{template: \"a\", context: 1}", "context: expected a map, got a number"),
        ("#{template: \"a\", context: #{f: |x| x}}", "context.f: expected a JSON value, got a function"),
        ("[skip(\"x\")]", "return it on its own"),
        ("[]", "return skip(\"why\") to notify nobody"),
        ("()", "expected a map, an array of maps or skip(\"why\"), got nothing"),
        (
            "let a = []; for i in 0..101 { a += #{template: \"a\"}; } a",
            "101 decisions exceed the maximum of 100",
        ),
        ("let t = \"x\"; t.pad(70000, \"x\"); #{template: t}", "larger than 64 KiB"),
    ] {
        let why = failure(&format!("\nfn decide(event) {{ {answer} }}"));
        assert!(why.contains(words), "{answer}: {why}");
        assert!(why.starts_with("orders/s.rhai:2:1: invalid answer"), "{why}");
    }
}

#[test]
fn a_string_is_not_taken_out_of_another_in_silence() {
    let taken = |value: &str| {
        format!("fn decide(event) {{\n  let n = event.data.n; n -= {value}; skip(`${{n}}`)\n}}")
    };
    for value in ["\"5\"", "text(5)", "event.subject", "`${event.data.n}`"] {
        let (_, errors) = try_script(&taken(value));
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{value}: {errors:?}");
        let begins = "orders/s.rhai:2:27: a string cannot be subtracted";
        assert!(errors[0].starts_with(begins), "{value}: {errors:?}");
    }
    for value in ["5", "number(\"5\")", "event.data.m"] {
        assert!(try_script(&taken(value)).1.is_empty(), "{value}");
    }
}

#[test]
fn all_errors_are_told_at_once_with_their_places() {
    let sources = [
        route("*", RuleSource::Plain(Box::new(plain(&[("x", "evnt.data"), ("y", "1 +")])))),
        route("*", RuleSource::Script(source("orders/instalation.rhai"))),
    ];
    let script = |text: &str, file: &str| Source { text: text.into(), place: Place::start_of(file) };
    let scripts = BTreeMap::from([
        ("orders/a.rhai".to_owned(), script("fn decide(event) {\n  let x = ;\n}", "orders/a.rhai")),
        ("orders/b.rhai".to_owned(), script("fn decide(event) { 1 }\nlet x = 1;", "orders/b.rhai")),
        ("orders/c.rhai".to_owned(), script("fn decide() { 1 }", "orders/c.rhai")),
        ("orders/d.rhai".to_owned(), script("const A = 1; fn decide(event) { A }", "orders/d.rhai")),
        ("orders/e.rhai".to_owned(), script("fn decide(event) { eval(\"1\") }", "orders/e.rhai")),
        ("orders/f.rhai".to_owned(), script("import \"a\" as a;\nfn decide(event) { 1 }", "orders/f.rhai")),
        (
            "orders/installation.rhai".to_owned(),
            script("fn decide(event) { skip(1) }", "orders/installation.rhai"),
        ),
    ]);
    let (_, errors) = Routes::compile(&sources, &scripts, &BTreeMap::new());
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "orders/a.rhai:2:11: unexpected `;`",
            "orders/b.rhai:2:1: statement outside a function (only `fn` and `const` are allowed there; move the rest into `fn decide(event)`)",
            "orders/c.rhai:1:1: `fn decide` must have 1 parameter, not 0 (write `fn decide(event) { … }`)",
            "orders/d.rhai:1:33: unknown variable `A` (a constant of the script is read as `global::A`)",
            "orders/e.rhai:1:20: `eval` is not available",
            "orders/f.rhai:1:1: `import` is a reserved word (functions in `lib/*.rhai` can be called from everywhere, without an import)",
            "orders/routes.yaml:3:9: unknown variable `evnt` (did you mean `event`?)",
            "orders/routes.yaml:3:12: the expression is incomplete",
            "orders/routes.yaml:3:9: unknown script `orders/instalation.rhai` (did you mean `installation.rhai`?)",
        ]
    );
}

#[test]
fn unknown_functions_are_found_before_they_run() {
    let (_, errors) = try_script(
        "fn own(f) { f(1) }\nfn decide(event) {\n  let g = |x| own(x); g(1); own(g); let y = frist(1, sleep(10));\n  if event.x { oown(timestamp()); }\n}",
    );
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "orders/s.rhai:3:45: unknown function `frist` (did you mean `first`?)",
            "orders/s.rhai:3:54: unknown function `sleep`",
            "orders/s.rhai:4:16: unknown function `oown` (did you mean `own`?)",
            "orders/s.rhai:4:21: unknown function `timestamp` (use `time(value)` or `now()`)",
        ]
    );
    let sources = [route("*", RuleSource::Plain(Box::new(plain(&[("x", "titel(event.data.a)")]))))];
    let error = Routes::compile(&sources, &BTreeMap::new(), &BTreeMap::new()).1.remove(0).to_string();
    assert_eq!(error, "orders/routes.yaml:3:9: unknown function `titel` (did you mean `title`?)");
}
