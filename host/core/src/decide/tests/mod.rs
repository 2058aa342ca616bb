//! What rules may write, and what comes of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod depth;
mod diagnosis;
mod limits;
mod natives;
mod readme;
mod words;

use std::collections::BTreeMap;

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
        lets: LetSource::default(),
        template: Marked::Plain(source("order")),
        groups: vec![Marked::Plain(source("Sales Team"))],
        users: vec![],
        contacts: vec![],
        otherwise: None,
        dedupe_key: None,
        dedupe_for: None,
        key: None,
        cancel: vec![],
        at_most: None,
        hours: None,
        collect: None,
        context: context
            .iter()
            .map(|(name, text)| ((*name).to_owned(), ValueSource::Expression(source(text))))
            .collect(),
        send: None,
        expires_at: None,
        priority: None,
        language: None,
        reply: false,
        mode: None,
        from: None,
        reason: None,
    }
}

fn route(on: &str, rule: RuleSource) -> RouteSource {
    RouteSource { folder: "orders".into(), on: vec![source(on)], when: None, rule }
}

fn compile(sources: Vec<RouteSource>) -> Routes {
    let (routes, errors) = Routes::compile(&sources, &BTreeMap::new(), &BTreeMap::new());
    assert_eq!(errors, []);
    routes
}

fn try_script(text: &str) -> (Routes, Vec<RuleError>) {
    let file = Source { text: text.into(), place: Place::start_of("orders/s.rhai") };
    let sources = [route("*", RuleSource::Script(source("orders/s.rhai")))];
    Routes::compile(&sources, &BTreeMap::from([("orders/s.rhai".to_owned(), file)]), &BTreeMap::new())
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
        assert_eq!(Routes::compile(&sources, &BTreeMap::new(), &BTreeMap::new()).1.len(), 1, "{kind}");
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
        ("money(event.data.a)", json!("0.00")),
        ("money(event.data.blank)", json!("0.00")),
        ("number(\" 600 \") > 500", json!(true)),
        ("number(\"-1.5\")", json!(-1.5)),
        ("number(7)", json!(7)),
        ("number(event.data.blank)", Value::Null),
        ("number(event.data.a.b)", Value::Null),
        ("number(event.data.a) > 5", json!(false)),
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
fn a_string_and_a_number_are_not_compared_in_silence() {
    let data = json!({"string": "600", "float": "600.5", "word": "abc", "int": 600, "number": 600.5, "list": ["600", "x"]});
    for comparison in [
        "event.data.string > 500",
        "event.data.float <= 1000.0",
        "500 < event.data.string",
        "event.data.number >= event.data.string",
        "event.data.word < 5",
        "event.data.string == 600",
        "event.data.string != event.data.int",
        "event.data.number == event.data.float",
        "event.data.int in event.data.list",
        "event.data.list.some(|item| item == 600)",
    ] {
        let script = format!("fn decide(event) {{ skip(`${{{comparison}}}`) }}");
        let verdict = run_script(&script, data.clone()).remove(0);
        let Outcome::Failed(why) = &verdict.outcome else { panic!("{comparison}: {verdict:?}") };
        assert!(
            why.contains("cannot compare the string ") && why.contains("number(value)"),
            "{comparison}: {why}"
        );
    }
    for (comparison, value) in [
        ("event.data.string == 5", false),
        ("event.data.word != 600", true),
        ("event.data.string == \"600\"", true),
        ("event.data.word > \"abb\"", true),
        ("event.data.int > 599.5", true),
        ("event.data.int == 600.0", true),
        ("event.data.missing > 5", false),
        ("event.data.missing == 5", false),
        ("event.data.list == [\"600\", \"x\"]", true),
        ("5 in event.data.list", false),
        ("event.data.list != ()", true),
        ("event.data.missing == ()", true),
        ("event.data.list == event.data.missing", false),
        ("event.data.list == [\"600\"]", false),
        ("#{a: 1, b: [2]} == #{b: [2], a: 1}", true),
        ("#{a: 1} != #{a: 2}", true),
        ("true == (event.data.int > 5)", true),
        ("event.data.word[0] == \"a\"", true),
        ("\"b\" > event.data.word[0]", true),
        ("1 - 2 - 3 == -4", true),
        ("2 - 0.5 == 1.5", true),
        ("10 - 2 * 3 - -1 == 5", true),
        ("1 < 2 == true", true),
        ("1 + 1 > 1 && !(2 <= 1) || false", true),
    ] {
        assert_eq!(value_of(comparison, data.clone()), json!(value), "{comparison}");
    }
    for subtraction in ["event.data.word - event.data.string", "event.data.string - event.data.int"] {
        let script = format!("fn decide(event) {{ skip(`${{{subtraction}}}`) }}");
        let verdict = run_script(&script, data.clone()).remove(0);
        let Outcome::Failed(why) = &verdict.outcome else { panic!("{subtraction}: {verdict:?}") };
        assert!(why.contains("cannot subtract from the string "), "{subtraction}: {why}");
    }
}

#[test]
fn a_time_that_gives_nothing_is_a_failure_unless_it_says_so() {
    let told = |send_at: &str| {
        let mut order = plain(&[]);
        order.send = Some(SendSource::At(source(send_at)));
        let routes = compile(vec![route("order.created", RuleSource::Plain(Box::new(order)))]);
        decide(&routes, &event("order.created", json!({"at": "2026-11-24T00:00:00Z"})), &World)
            .remove(0)
            .outcome
    };
    for send_at in ["event.data.typo", "event.data.a.typo", "\"\""] {
        let Outcome::Failed(why) = told(send_at) else { panic!("{send_at} is no failure") };
        assert!(why.contains("expected a time, got nothing") && why.contains("first(value, ())"), "{why}");
    }
    for send_at in [
        "event.data.at",
        "first(event.data.typo, ())",
        "event.data.typo ?? ()",
        "if event.data.x == 1 { now() }",
    ] {
        let told = told(send_at);
        assert!(matches!(told, Outcome::Notify(_)), "{send_at}: {told:?}");
    }
    for key in ["send_at", "expires_at"] {
        let script = |value: &str| {
            format!("fn decide(event) {{ #{{template: \"t\", groups: [\"Sales Team\"], {key}: {value}}} }}")
        };
        assert!(
            failure(&script("event.data.typo")).contains(&format!("{key}: expected a time, got nothing"))
        );
        let verdicts = run_script(&script("first(event.data.typo, ())"), json!({}));
        assert!(matches!(verdicts[0].outcome, Outcome::Notify(_)), "{verdicts:?}");
    }
}

#[test]
fn who_is_named_by_nothing_is_told() {
    let mut order = plain(&[]);
    order.groups = Vec::new();
    order.contacts = vec![source("event.data.custmer.phone")];
    order.reason = Some("the customer".to_owned());
    let routes = compile(vec![route("order.created", RuleSource::Plain(Box::new(order)))]);
    let verdicts = decide(&routes, &event("order.created", json!({})), &World);
    assert_eq!(
        decision(&verdicts).reason.as_deref(),
        Some("the customer; `event.data.custmer.phone` gives nothing")
    );
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
    order.dedupe_key = Some(source("event.data.id"));
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
fn a_condition_stands_before_a_script_too() {
    let file = Source { text: "fn decide(e) { throw 1 }".into(), place: Place::start_of("orders/s.rhai") };
    for (when, outcome) in [
        ("false", Outcome::Skip("`false` is false".into())),
        ("skip(\"closed\")", Outcome::Skip("closed".into())),
        (
            "event.data.x",
            Outcome::Failed(
                "orders/routes.yaml:3:9: `event.data.x`: expected true or false, got a missing value (compare it, so \
                 that a missing value is false: `… == true`, or `… != ()`)"
                    .into(),
            ),
        ),
        ("true", Outcome::Failed("orders/s.rhai:1:16: threw: 1".into())),
    ] {
        let mut route = route("*", RuleSource::Script(source("orders/s.rhai")));
        route.when = Some(source(when));
        let (routes, errors) = Routes::compile(
            &[route],
            &BTreeMap::from([("orders/s.rhai".to_owned(), file.clone())]),
            &BTreeMap::new(),
        );
        assert_eq!(errors, []);
        assert_eq!(decide(&routes, &event("a", json!({})), &World)[0].outcome, outcome, "{when}");
    }
}

#[test]
fn the_same_event_gives_the_same_bytes() {
    let script = "fn decide(event) { #{template: \"a\", context: #{z: 1, a: 2, m: event.data}} }";
    let data = json!({"z": 1, "b": {"y": 1, "c": 2}, "a": 3});
    let bytes = |verdicts: Vec<Verdict>| format!("{verdicts:?}");
    assert_eq!(bytes(run_script(script, data.clone())), bytes(run_script(script, data)));
}
