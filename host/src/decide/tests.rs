//! What rules may write, and what they may not do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, time::Instant};

use jiff::Timestamp;
use serde_json::{Value, json, value::RawValue};

use super::*;
use crate::domain::{Decision, Engine, EventKey, Outcome, Priority, SendTime};

struct World;

impl Ports for World {
    fn now(&self) -> Timestamp {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    fn config(&self, folder: &str, key: &str) -> Option<Value> {
        (folder == "orders" && key == "groups").then(|| json!(["Sales Team"]))
    }
}

fn event(kind: &str, data: Value) -> Event {
    Event {
        key: EventKey { id: "1".into(), source: "/shop".into() },
        kind: kind.into(),
        subject: Some("A-1".into()),
        time: "2026-11-23T08:00:00Z".parse().unwrap(),
        data: RawValue::from_string(data.to_string()).unwrap(),
        extensions: Some(RawValue::from_string(r#"{"tenant":"north"}"#.into()).unwrap()),
    }
}

fn source(text: &str) -> Source {
    Source {
        text: text.into(),
        place: Place { file: "orders/routes.yaml".into(), line: 3, column: 9, block: false },
    }
}

fn plain(context: &[(&str, &str)]) -> PlainSource {
    PlainSource {
        template: source("order"),
        groups: vec![source("Sales Team")],
        users: vec![],
        contacts: vec![],
        dedupe: None,
        context: context
            .iter()
            .map(|(name, text)| ((*name).to_owned(), ValueSource::Expression(source(text))))
            .collect(),
        send: None,
        expires_at: None,
        priority: Priority::Normal,
        mode: None,
        reason: None,
    }
}

fn route(on: &str, rule: RuleSource) -> RouteSource {
    RouteSource { folder: "orders".into(), on: vec![source(on)], when: None, rule }
}

fn compile(sources: Vec<RouteSource>) -> Routes {
    let (routes, errors) = Routes::compile(&sources, &BTreeMap::new());
    assert_eq!(errors, []);
    routes
}

fn try_script(text: &str) -> (Routes, Vec<RuleError>) {
    let file = Source { text: text.into(), place: Place::start_of("orders/s.rhai") };
    let sources = [route("*", RuleSource::Script(source("orders/s.rhai")))];
    Routes::compile(&sources, &BTreeMap::from([("orders/s.rhai".to_owned(), file)]))
}

fn run_script(text: &str, data: Value) -> Vec<Verdict> {
    let (routes, errors) = try_script(text);
    assert_eq!(errors, []);
    decide(&routes, &event("order.created", data), &World)
}

fn failure(script: &str) -> String {
    match run_script(script, json!({})).remove(0).outcome {
        Outcome::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

fn decision(verdicts: &[Verdict]) -> Decision {
    match &verdicts[0].outcome {
        Outcome::Notify(decision) => (**decision).clone(),
        other => panic!("{other:?}"),
    }
}

fn value_of(expression: &str, data: Value) -> Value {
    let routes = compile(vec![route("*", RuleSource::Plain(Box::new(plain(&[("x", expression)]))))]);
    decision(&decide(&routes, &event("order.created", data), &World)).context["x"].clone()
}

#[test]
fn types_match_exactly_by_prefix_or_all() {
    let on = |kind| route(kind, RuleSource::Plain(Box::new(plain(&[]))));
    let routes = compile(vec![on("payment.*"), on("payment.failed"), on("payment")]);
    let count = |kind: &str| {
        let verdicts = decide(&routes, &event(kind, json!({})), &World);
        verdicts.iter().filter(|verdict| verdict.outcome != Outcome::NoRoute).count()
    };
    assert_eq!(count("payment.failed"), 2);
    assert_eq!(count("payment.card.failed"), 1);
    assert_eq!(count("payment"), 1);
    assert_eq!(count("payment."), 0);
    assert_eq!(count("payments.x"), 0);
    let verdicts = decide(&routes, &event("other", json!({})), &World);
    assert_eq!(verdicts.len(), 1);
    assert_eq!((&verdicts[0].rule, &verdicts[0].outcome), (&None, &Outcome::NoRoute));
}

#[test]
fn wrong_types_of_events_are_refused() {
    for kind in ["payment*", "*.failed", "a.*.b", " "] {
        let sources = [route(kind, RuleSource::Plain(Box::new(plain(&[]))))];
        assert_eq!(Routes::compile(&sources, &BTreeMap::new()).1.len(), 1, "{kind}");
    }
}

#[test]
fn missing_paths_are_nothing_all_the_way_down() {
    let data = json!({"list": [1, {"b": 2}], "none": null, "map": {}});
    for path in [
        "event.data.a",
        "event.data.a.b.c",
        "event.data[\"a\"].b",
        "event.data[\"a\"][\"b\"]",
        "event.data.a[0]",
        "event.data.a[0].b[1].c",
        "event.data.list[7]",
        "event.data.list[-9].x",
        "event.data.list[1].c.d",
        "event.data.none.x.y",
        "event.data.map.x.y",
        "event.x.y",
    ] {
        assert_eq!(value_of(path, data.clone()), Value::Null, "{path}");
        let script = format!("fn decide(event) {{ skip(text({path} == ())) }}");
        assert_eq!(run_script(&script, data.clone())[0].outcome, Outcome::Skip("true".into()), "{path}");
    }
    assert_eq!(value_of("event.data.list[-1].b", data.clone()), json!(2));
    assert_eq!(value_of("event.data.a.b > 0", data.clone()), json!(false));
    assert_eq!(value_of("event.data.a ?? 4", data), json!(4));
    let looped =
        "fn decide(event) { for item in event.data.items { throw 1 } let x = [][3]; x = 1; skip(\"none\") }";
    assert_eq!(run_script(looped, json!({}))[0].outcome, Outcome::Skip("none".into()));
    assert!(failure("fn decide(event) { let a = [1]; a[4] = 2; a }").contains("constant"));
}

#[test]
fn attributes_and_extensions_are_there() {
    let script = "fn decide(e) { skip(`${e.id} ${e.source} ${e.type} ${e.subject} ${e.time} ${e.tenant}`) }";
    let words = "1 /shop order.created A-1 2026-11-23T08:00:00Z north";
    assert_eq!(run_script(script, json!({}))[0].outcome, Outcome::Skip(words.into()));
}

#[test]
fn helpers_do_what_they_say() {
    let data = json!({"blank": "  ", "zero": 0, "no": false, "empty": [], "pin": {"latitude": -17.5, "longitude": "31.05"},
        "sale": 1234.5, "half": {"latitude": 1}, "big": 18446744073709551615_u64});
    for (expression, value) in [
        ("first(event.data.a.b, event.data.blank, event.data.empty, #{}, \"\", \"x\")", json!("x")),
        ("first(event.data.zero, 1)", json!(0)),
        ("first(event.data.no, true)", json!(false)),
        ("first(event.data.a, event.data.b)", Value::Null),
        ("title(\"home_loan\")", json!("Home Loan")),
        ("title(\"IN-PROGRESS of o'brien's\")", json!("In-Progress Of O'brien's")),
        ("title(())", json!("")),
        ("money(event.data.sale)", json!("1234.50")),
        ("money(\" 12 \")", json!("12.00")),
        ("money(7)", json!("7.00")),
        ("money(\"nan\")", json!("0.00")),
        ("money(event.data.a)", json!("0.00")),
        ("maps_link(event.data.pin)", json!("https://www.google.com/maps/search/?api=1&query=-17.5,31.05")),
        ("maps_link(event.data.half)", Value::Null),
        ("maps_link(event.data.a)", Value::Null),
        ("text(2.0)", json!("2")),
        ("text(())", json!("")),
        ("text([1, \"a\", ()])", json!("1, a, ")),
        ("text(#{a: 1})", json!("{\"a\":1}")),
        ("now()", json!("2026-11-23T09:00:00Z")),
        ("config(\"groups\", [])", json!(["Sales Team"])),
        ("config(\"other\", \"default\")", json!("default")),
    ] {
        assert_eq!(value_of(expression, data.clone()), value, "{expression}");
    }
}

#[test]
fn what_was_asked_is_recorded_once() {
    let script = "fn decide(event) { config(\"groups\", []); now(); now(); config(\"x\", 1); skip(\"\") }";
    let asked = run_script(script, json!({})).remove(0).asked;
    let asked: Vec<_> =
        asked.iter().map(|asked| (asked.port.as_str(), &asked.question, &asked.answer)).collect();
    assert_eq!(
        asked,
        [
            ("config", &json!("groups"), &json!(["Sales Team"])),
            ("now", &Value::Null, &json!("2026-11-23T09:00:00Z")),
            ("config", &json!("x"), &Value::Null),
        ]
    );
    let endless = "fn decide(event) { for i in 0..1000 { config(`k${i}`, 0); } skip(\"\") }";
    assert!(failure(endless).contains("different questions"));
}

#[test]
fn a_plain_route_decides() {
    let mut order = plain(&[
        ("customer_name", "first(event.data.customer.name, \"Customer\")"),
        ("paid", "event.data.amount > 5"),
    ]);
    order.users = vec![source("event.data.username"), source("[event.data.nobody, \"ada\"]")];
    order.contacts = vec![source("event.data.number"), source("event.data.nobody")];
    order.dedupe = Some(source("event.data.id"));
    order.context.push(("count".into(), ValueSource::Literal(json!(3))));
    order.send = Some(SendSource::After(duration("10m").unwrap()));
    order.expires_at = Some(source("\"2026-11-24T00:00:00Z\""));
    let mut route = route("order.created", RuleSource::Plain(Box::new(order)));
    route.when = Some(source("event.data.amount > 0"));
    let routes = compile(vec![route]);
    let data = json!({"amount": 10, "username": "tom", "number": 263771000001_i64, "id": 7});
    let verdicts = decide(&routes, &event("order.created", data), &World);
    let decided = decision(&verdicts);
    assert_eq!(
        serde_json::to_value(&decided).unwrap(),
        json!({
            "template": "order", "groups": ["Sales Team"], "users": ["tom", "ada"], "contacts": ["263771000001"],
            "context": {"count": 3, "customer_name": "Customer", "paid": true}, "dedupe_key": "7",
            "send": {"after": "PT10M"}, "expires_at": "2026-11-24T00:00:00Z", "priority": "normal"
        })
    );
    let rule = verdicts[0].rule.as_ref().unwrap();
    assert_eq!((rule.engine, rule.file.as_str(), rule.line), (Engine::Route, "orders/routes.yaml", 3));
    let skipped = decide(&routes, &event("order.created", json!({"amount": 0})), &World);
    assert_eq!(skipped[0].outcome, Outcome::Skip("`event.data.amount > 0` is false".into()));
}

#[test]
fn a_script_decides() {
    let script = r#"
        const TEAM = "Sales Team";
        fn lines(items) { items.filter(|i| i.quantity > 0).map(|i| `- ${i.quantity} x ${i.name}`) }
        fn decide(event) {
            let out = [];
            let prefix = "No. ";
            out += #{ template: "a", groups: [global::TEAM], users: ["ada", ()], context: #{
                items: lines(event.data.items), no: [1, 2].map(|n| prefix + n) } };
            out += #{ template: "b", contacts: [event.data.customer], after: "2h", priority: "urgent", mode: "text", reason: "why" };
            out
        }"#;
    let data = json!({"customer": 263771000001_i64, "items": [{"name": "Panel", "quantity": 2}, {"name": "x", "quantity": 0}]});
    let verdicts = run_script(script, data);
    assert_eq!(verdicts.len(), 2);
    let first = decision(&verdicts);
    assert_eq!((first.template.as_str(), first.users), ("a", vec!["ada".to_owned()]));
    assert_eq!(first.context["items"], json!(["- 2 x Panel"]));
    assert_eq!(first.context["no"], json!(["No. 1", "No. 2"]));
    let second = decision(&verdicts[1..]);
    assert_eq!(second.send, Some(SendTime::After(duration("2h").unwrap())));
    assert_eq!((second.priority, second.contacts), (Priority::Urgent, vec!["263771000001".to_owned()]));
    let rule = verdicts[0].rule.as_ref().unwrap();
    assert_eq!((rule.engine, rule.file.as_str(), rule.line), (Engine::Script, "orders/s.rhai", 4));
}

#[test]
fn wrong_answers_are_told_with_their_path() {
    for (answer, words) in [
        (
            "[#{template: \"a\"}, #{template: \"a\", groups: 7}]",
            "[1].groups: expected an array of texts, got a number",
        ),
        ("#{template: \"a\", users: [[1]]}", "users[0]: expected a text, got an array"),
        ("#{template: \"a\", grups: []}", "unknown key `grups`: did you mean `groups`?"),
        ("#{groups: []}", "`template` is missing"),
        ("#{template: \"a\", after: \"soon\"}", "after: `soon` is no duration"),
        ("#{template: \"a\", send_at: \"soon\"}", "send_at: `soon` is no time"),
        ("#{template: \"a\", send_at: now(), after: \"1h\"}", "exclude each other"),
        ("#{template: \"a\", priority: \"high\"}", "priority: `high` is none of"),
        ("#{template: \"a\", mode: \"sms\"}", "mode: `sms` is none of"),
        ("#{template: \"a\", context: 1}", "context: expected a map, got a number"),
        (
            "#{template: \"a\", context: #{f: |x| x}}",
            "context.f: expected a value that JSON knows, got a function",
        ),
        ("[skip(\"x\")]", "return skip(…) alone"),
        ("[]", "return skip(\"why\") to tell nobody"),
        ("()", "expected a map, an array of maps or skip(\"why\"), got nothing"),
        ("let a = []; for i in 0..101 { a += #{template: \"a\"}; } a", "101 decisions are more than 100"),
        ("let t = \"x\"; t.pad(70000, \"x\"); #{template: t}", "larger than 64 KiB"),
    ] {
        let why = failure(&format!("\nfn decide(event) {{ {answer} }}"));
        assert!(why.contains(words), "{answer}: {why}");
        assert!(why.starts_with("orders/s.rhai:2:1: wrong answer"), "{why}");
    }
}

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
    assert!(failure(&format!("fn decide(event) {{ {deep} }}")).contains("nests more than 64 deep"));
}

#[test]
fn a_condition_stands_before_a_script_too() {
    let file = Source { text: "fn decide(e) { throw 1 }".into(), place: Place::start_of("orders/s.rhai") };
    for (when, outcome) in [
        ("false", Outcome::Skip("`false` is false".into())),
        ("skip(\"closed\")", Outcome::Skip("closed".into())),
        (
            "event.data.x",
            Outcome::Failed(
                "orders/routes.yaml:3:9: `event.data.x`: expected true or false, got nothing".into(),
            ),
        ),
        ("true", Outcome::Failed("orders/s.rhai:1:16: threw: 1".into())),
    ] {
        let mut route = route("*", RuleSource::Script(source("orders/s.rhai")));
        route.when = Some(source(when));
        let (routes, errors) =
            Routes::compile(&[route], &BTreeMap::from([("orders/s.rhai".to_owned(), file.clone())]));
        assert_eq!(errors, []);
        assert_eq!(decide(&routes, &event("a", json!({})), &World)[0].outcome, outcome, "{when}");
    }
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
        ("let s = \"x\"; loop { s += s; }", "a text grew beyond 256 KiB"),
        ("let s = \"x\"; s.pad(1073741824, \"x\"); s", "grew beyond 256 KiB"),
        ("let s = \"x\"; s.pad(200000, \"x\"); s.replace(\"x\", s); s", "a text grew beyond 256 KiB"),
        ("let m = #{}; let i = 0; loop { m[`k${i}`] = i; i += 1; }", ""),
        (
            "let s = \"x\"; s.pad(200000, \"x\"); let m = #{}; let i = 0; loop { m[`k${i}`] = s + i; i += 1; }",
            "16 MiB",
        ),
        ("let s = \"x\"; s.pad(200000, \"x\"); let a = []; a.pad(9000, 1); a.map(|x| s + x)", "16 MiB"),
        ("let a = [1]; loop { a += a; }", "an array grew beyond"),
        ("let a = []; loop { a = [a]; }", ""),
        ("let m = #{}; loop { m.a = m; }", ""),
        ("let q = [[]]; loop { q.push([q.pop()]); }", ""),
        ("f(event)", "call each other more than 32 deep"),
        ("throw \"no stock\"", "threw: no stock"),
        ("throw #{code: 7}", "threw: {\"code\":7}"),
        ("1 / 0", ""),
        ("[1].mapp(|x| x)", "no function `mapp` for an array and a function"),
        ("event.data.missing + 1", "no operator `+` for nothing and a number"),
        ("first()", "no function `first` for no arguments (`first` takes other arguments)"),
        ("event.id.id.id", ""),
    ] {
        let script = format!("fn f(x) {{ f(x) }}\nfn decide(event) {{\n  {body}\n}}");
        let (before, start) = (memory::held(), Instant::now());
        let why = failure(&script);
        let took = start.elapsed();
        assert!(why.contains(words), "{body}: {why}");
        assert!(why.starts_with("orders/s.rhai:"), "{why}");
        // The budget is 100 ms; the rest is for building the engine on a busy machine.
        assert!(took.as_millis() < 2_000, "{body}: {took:?}");
        assert!(memory::held() - before < 4_096, "{body}: {} bytes stay", memory::held() - before);
        eprintln!("{took:>12?} {why}");
    }
}

#[test]
fn a_failing_rule_fails_alone() {
    let bad = route("*", RuleSource::Plain(Box::new(plain(&[("x", "event.data.a + 1")]))));
    let good = route("*", RuleSource::Plain(Box::new(plain(&[]))));
    let routes = compile(vec![bad, good]);
    let verdicts = decide(&routes, &event("a", json!({})), &World);
    assert_eq!(verdicts[0].outcome, Outcome::Failed(
        "orders/routes.yaml:3:22: no operator `+` for nothing and a number (a value is missing there: give one with first(value, …) or `value ?? …`)".into()));
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
    let (_, errors) = Routes::compile(&sources, &scripts);
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "orders/a.rhai:2:11: unexpected ';'",
            "orders/b.rhai:2:1: a statement outside of a function (only `fn` and `const` stand there; put the rest into `fn decide(event)`)",
            "orders/c.rhai:1:1: `fn decide` has 0 parameters instead of one (write `fn decide(event) { … }`)",
            "orders/d.rhai:1:33: undefined variable: A (a constant of the script is read as `global::A`)",
            "orders/e.rhai:1:20: reserved keyword 'eval' is disabled",
            "orders/f.rhai:1:1: 'import' is a reserved keyword (put what the scripts share into each of them: scripts do not import)",
            "orders/routes.yaml:3:9: undefined variable: evnt (did you mean `event`?)",
            "orders/routes.yaml:3:12: script is incomplete",
            "orders/routes.yaml:3:9: there is no script `orders/instalation.rhai` (did you mean `installation.rhai`?)",
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
            "orders/s.rhai:3:45: there is no function `frist` (did you mean `first`?)",
            "orders/s.rhai:3:54: there is no function `sleep`",
            "orders/s.rhai:4:16: there is no function `oown` (did you mean `own`?)",
            "orders/s.rhai:4:21: there is no function `timestamp`",
        ]
    );
    let sources = [route("*", RuleSource::Plain(Box::new(plain(&[("x", "titel(event.data.a)")]))))];
    let error = Routes::compile(&sources, &BTreeMap::new()).1.remove(0).to_string();
    assert_eq!(error, "orders/routes.yaml:3:9: there is no function `titel` (did you mean `title`?)");
}

#[test]
fn the_same_event_gives_the_same_bytes() {
    let script = "fn decide(event) { #{template: \"a\", context: #{z: 1, a: 2, m: event.data}} }";
    let data = json!({"z": 1, "b": {"y": 1, "c": 2}, "a": 3});
    let bytes = |verdicts: Vec<Verdict>| serde_json::to_string(&verdicts).unwrap();
    assert_eq!(bytes(run_script(script, data.clone())), bytes(run_script(script, data)));
}
