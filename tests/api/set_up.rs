//! Numbers, hosts, schedules, digests, rules, the check, templates and parked events.

use hookswitch_simulator::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::harness::{SOON, Stage, create_key, wait_until};

/// A route that a plain template goes with, one that is collected, and a schedule.
const RULES: [(&str, &str); 4] = [
    (
        "notes/routes.yaml",
        "- on: note.made\n  template: word\n  groups: [Ops]\n  context:\n    text: first(event.data.text, \"\")\n\
         - on: note.many\n  template: many\n  contacts: [event.data.phone]\n  collect: 1h by group\n  context:\n    text: event.data.phone\n",
    ),
    (
        "notes/templates/word.j2",
        "---\ndescription: A word\ncategory: utility\nlanguage: en_US\n---\nThe word of the day: {{ text }} is what it says.",
    ),
    (
        "notes/templates/many.j2",
        "---\ndescription: Words\ncategory: utility\nlanguage: en_US\nmode: text\n---\n{{ count }} words",
    ),
    ("schedules.yaml", "- name: daily word\n  cron: \"0 7 * * *\"\n  time_zone: UTC\n  event: note.made\n"),
];

async fn desk(scopes: &[&str]) -> Desk {
    let account = Settings::default().waba_id;
    let stage = Stage::builder()
        .rules(&RULES)
        .simulator(&["--unlimited", "--window", "off"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str())])
        .start()
        .await;
    let key = create_key(&stage.database, "desk", scopes);
    Desk { stage, key }
}

fn finding<'a>(report: &'a Value, id: &str) -> Option<&'a Value> {
    let sections = report["sections"].as_array().unwrap().iter();
    sections.flat_map(|section| section["findings"].as_array().unwrap()).find(|finding| finding["id"] == id)
}

#[tokio::test]
async fn numbers_hosts_schedules_and_rules_are_listed() {
    let desk = desk(&["read"]).await;
    let numbers = desk.get("/v1/numbers").await;
    let number = &numbers["data"][0];
    assert_eq!(
        (&number["id"], &number["default"], &number["messages_per_second"]),
        (&json!(Settings::default().phone_number_id), &json!(true), &json!(1_000)),
        "{numbers}"
    );
    assert_eq!(
        (&number["at_meta"]["status"], &number["error"]),
        (&json!("CONNECTED"), &Value::Null),
        "{numbers}"
    );
    assert_eq!(numbers["daily_users"], 0);

    let all_lanes = async || desk.get("/v1/hosts").await["data"][0]["lanes"] == 64;
    wait_until("the host holds all lanes", SOON, all_lanes).await;
    let host = &desk.get("/v1/hosts").await["data"][0];
    assert_eq!((&host["alive"], &host["version"]), (&json!(true), &json!("0.1.0")), "{host}");

    let seen = async || !desk.get("/v1/schedules").await["data"][0]["last"].is_null();
    wait_until("the schedule is known", SOON, seen).await;
    let schedules = desk.get("/v1/schedules").await;
    let schedule = &schedules["data"][0];
    assert_eq!(
        (&schedule["name"], &schedule["cron"], &schedule["type"], &schedule["last"]["result"]),
        (&json!("daily word"), &json!("0 7 * * * UTC"), &json!("note.made"), &json!("started")),
        "{schedules}"
    );
    assert!(schedule["next_at"].as_str().unwrap().ends_with("T07:00:00Z"), "{schedules}");

    let rules = desk.get("/v1/rules?limit=2").await;
    assert_eq!((&rules["release"], &rules["has_errors"]), (&host["release"], &json!(false)));
    let second = desk.get(&format!("/v1/rules?after={}", rules["next"])).await;
    let of = |page: &Value| page["rules"].as_array().unwrap().clone();
    let all = [of(&rules), of(&second)].concat();
    let word = all.iter().find(|rule| rule["types"] == json!(["note.made"])).unwrap();
    assert_eq!(
        (&word["rule"], &word["template"], &word["groups"], &word["from_cases"]),
        (&json!("notes/routes.yaml:1"), &json!("word"), &json!(["Ops"]), &json!(false)),
        "{all:?}"
    );
    assert_eq!((all.len(), &second["next"]), (3, &Value::Null));
    for path in ["/v1/rules?limit=0", "/v1/rules?after=x", "/v1/digests?after=x", "/v1/digests?limit=1001"] {
        assert_eq!(desk.ask(Method::GET, path, None).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn open_digests_are_listed_with_what_they_have_collected() {
    let mut desk = desk(&["read"]).await;
    for _ in 0..3 {
        desk.stage.host.accept(&json!({"type": "note.many", "data": {"phone": "+15550100007"}})).await;
    }
    let collected = async || desk.get("/v1/digests").await["data"][0]["count"] == 3;
    wait_until("three are collected", SOON, collected).await;
    let digest = &desk.get("/v1/digests").await["data"][0];
    assert_eq!(
        (&digest["template"], &digest["more"], &digest["contacts"]),
        (&json!("many"), &json!(false), &json!(["…0007"])),
        "{digest}"
    );
    assert_eq!(desk.walk("/v1/digests?limit=1").await.len(), 1);
    desk.key = create_key(&desk.stage.database, "chief", &["read", "personal"]);
    let digest = &desk.get("/v1/digests").await["data"][0];
    assert!(digest["contacts"][0].as_str().unwrap().ends_with("15550100007"), "{digest}");
}

#[tokio::test]
async fn the_check_finds_what_is_missing_and_fixing_it_is_recorded() {
    let mut desk = desk(&["read"]).await;
    let report = desk.get("/v1/check").await;
    assert_eq!(report["schema"], 1);
    let missing = finding(&report, "group.missing").unwrap_or_else(|| panic!("{report}"));
    assert_eq!((&missing["severity"], &missing["subject"]), (&json!("critical"), &json!("Ops")), "{missing}");
    assert!(finding(&report, "template.missing").is_some(), "{report}");

    desk.key = create_key(&desk.stage.database, "chief", &["admin"]);
    let fix = async |body: Value| desk.ask(Method::POST, "/v1/check/fix", Some(&body)).await;
    assert_eq!(fix(json!({"submit": true})).await.0, 400);
    let (status, fixed) = fix(json!({})).await;
    let created = json!([{"step": "groups", "name": "Ops", "done": true, "detail": "created"}]);
    assert_eq!((status, &fixed["steps"]), (200, &created));
    let (_, fixed) = fix(json!({"submit_templates": true})).await;
    let submitted =
        json!([{"step": "templates", "name": "word", "done": true, "detail": "submitted: PENDING"}]);
    assert_eq!(fixed["steps"], submitted);
    assert_eq!(fix(json!({"submit_templates": true})).await.1["steps"], json!([]), "nothing is left");
    let report = desk.get("/v1/check").await;
    assert!(finding(&report, "group.missing").is_none(), "it is checked again after a change: {report}");

    let actions = desk.get("/v1/actions?action=check.fix").await;
    let what =
        |n: usize| (&actions["data"][n]["action"], &actions["data"][n]["what"], &actions["data"][n]["count"]);
    assert_eq!(what(0), (&json!("check.fix"), &json!({"templates": ["word"]}), &json!(1)), "{actions}");
    assert_eq!(what(1), (&json!("check.fix"), &json!({"groups": ["Ops"]}), &json!(1)), "{actions}");
    assert_eq!(actions["data"].as_array().unwrap().len(), 2, "what changed nothing is not recorded");
}

#[tokio::test]
async fn templates_are_compared_and_pushed() {
    let mut desk = desk(&["read"]).await;
    let state = async |desk: &Desk| desk.get("/v1/templates").await["data"][0].clone();
    let word = state(&desk).await;
    assert_eq!(
        (&word["template"], &word["state"], &word["needs_push"], &word["next_name"]),
        (&json!("word"), &json!("not at Meta; submit it"), &json!(true), &json!("word")),
        "{word}"
    );
    assert_eq!(word["days"], json!([]));
    let counted = "INSERT INTO template_day SELECT 'word', d, 5, 4, 3, 1
                   FROM unnest(ARRAY[date '2020-01-01', (now() AT TIME ZONE 'UTC')::date]) AS d";
    desk.stage.database.query(counted, &[]).await;
    let days = state(&desk).await["days"].clone();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    assert_eq!(days, json!([{"day": today, "sent": 5, "delivered": 4, "read": 3, "failed": 1}]));
    let diff = desk.get("/v1/templates/word/diff").await;
    let change = &diff["data"][0];
    assert_eq!(
        (&change["from"], &change["to"], &change["parts"][0]["part"]),
        (&Value::Null, &json!("word"), &json!("body"))
    );
    let line = json!({"change": "added", "text": "The word of the day: {{1}} is what it says."});
    assert_eq!(change["parts"][0]["lines"], json!([line]), "{diff}");
    let (status, problem) = desk.ask(Method::GET, "/v1/templates/wort/diff", None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("template_unknown")));

    desk.key = create_key(&desk.stage.database, "chief", &["admin"]);
    let push = async |body: Value| desk.ask(Method::POST, "/v1/templates/push", Some(&body)).await;
    assert_eq!(push(json!({})).await.1["code"], "nothing_chosen");
    let (status, problem) = push(json!({"templates": ["word", "wort"]})).await;
    let at = json!([{"at": "/templates/1", "detail": "unknown template \"wort\""}]);
    assert_eq!((status, &problem["errors"]), (422, &at), "{problem}");
    let planned = push(json!({"all": true, "dry_run": true})).await.1;
    assert_eq!((&planned["data"][0]["name"], &planned["data"][0]["status"]), (&json!("word"), &Value::Null));
    let (status, pushed) = push(json!({"templates": ["word"]})).await;
    assert_eq!((status, &pushed["data"][0]["status"]), (200, &json!("PENDING")), "{pushed}");
    assert_eq!(push(json!({"all": true})).await.1["data"], json!([]), "it is there");
    assert_ne!(state(&desk).await["versions"], json!([]));
    assert_eq!(desk.get("/v1/templates/word/diff").await["data"], json!([]));
    let actions = desk.get("/v1/actions?action=templates.push").await;
    assert_eq!(actions["data"][0]["what"], json!({"templates": ["word"]}), "{actions}");
    assert_eq!(actions["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_an_account_and_without_an_answer_of_meta_templates_say_so() {
    let desk = Desk::open(&["read"]).await;
    let (status, problem) = desk.ask(Method::GET, "/v1/templates", None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("account_missing")), "{problem}");
    let stage = Stage::builder().settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", "404")]).start().await;
    let key = create_key(&stage.database, "desk", &["read"]);
    let desk = Desk { stage, key };
    let (status, problem) = desk.ask(Method::GET, "/v1/templates", None).await;
    assert_eq!((status, &problem["code"]), (502, &json!("meta_failed")), "{problem}");
}

#[tokio::test]
async fn parked_events_are_listed_and_run_again() {
    let mut desk = Desk::open(&["read"]).await;
    let id = desk.stage.host.accept(&json!({"type": "nothing.of.ours", "data": {}})).await;
    desk.stage.decision(&id, "no_route").await;
    let park = "INSERT INTO parked (lane, event_seq, ordinal, plugin, due, parked_at)
                SELECT lane, seq, 0, 'stock', false, now() FROM event";
    desk.stage.database.query(park, &[]).await;
    let parked = desk.get("/v1/parked").await;
    let entry = &parked["data"][0];
    assert_eq!(
        (&entry["plugin"], &entry["events"], &entry["more"]),
        (&json!("stock"), &json!(1), &json!(false))
    );
    desk.key = create_key(&desk.stage.database, "chief", &["admin"]);
    let resume =
        async |id: &str| desk.ask(Method::POST, &format!("/v1/plugins/{id}/resume"), Some(&json!({}))).await;
    assert_eq!(resume("stock").await, (200, json!({"events": 1})));
    assert_eq!(resume("shop").await.0, 404);
    let actions = desk.get("/v1/actions?action=plugin.resume").await;
    let action = &actions["data"][0];
    assert_eq!((&action["action"], &action["what"]), (&json!("plugin.resume"), &json!({"plugin": "stock"})));
}
