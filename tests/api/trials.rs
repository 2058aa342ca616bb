//! Events that are tried, and test messages.

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::harness::{SOON, Stage, create_key, wait_until};

/// A rule that reads the clock, and a template that reads differently at Meta.
const RULES: [(&str, &str); 2] = [
    (
        "late/routes.yaml",
        "- on: late\n  template: late\n  groups: [Ops]\n  context:\n    at: now()\n    items: event.data.items\n",
    ),
    (
        "late/templates/late.j2",
        "---\ndescription: Late\ncategory: utility\nlanguage: en_US\nfooter: The workshop\n---\nIt is {{ at }} for all of you here.\n{% for item in items %}\n- {{ item }}\n{% endfor %}",
    ),
];

async fn desk(scopes: &[&str]) -> Desk {
    let stage = Stage::builder()
        .rules(&RULES)
        .person("ann", "15550100001", &["Ops"])
        .person("bob", "15550100002", &["Ops"])
        .start()
        .await;
    let gone = "UPDATE person SET active = false WHERE username = 'bob'";
    stage.database.query(gone, &[]).await;
    let key = create_key(&stage.database, "desk", scopes);
    Desk { stage, key }
}

fn late() -> Value {
    json!({"type": "late", "data": {"items": ["one", "two"]}})
}

impl Desk {
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, Some(&body)).await
    }
}

#[tokio::test]
async fn an_event_is_tried_at_any_time_in_both_windows() {
    let mut desk = desk(&["read", "events", "personal"]).await;
    let body = json!({"event": late(), "now": "2030-01-02T03:04:05Z", "window": "closed"});
    let (status, trial) = desk.post("/v1/try", body).await;
    let decision = &trial["decisions"][0];
    assert_eq!(
        (status, &decision["outcome"], &decision["rule"], &decision["engine"]),
        (200, &json!("notify"), &json!("late/routes.yaml:1"), &json!("route")),
        "{trial}"
    );
    let of = |name: &str| {
        let all = decision["notifications"].as_array().unwrap();
        all.iter().find(|one| one["username"] == name).unwrap_or_else(|| panic!("{trial}"))
    };
    let ann = of("ann");
    assert_eq!(
        (&ann["recipient"], &ann["reason"], &ann["form"]),
        (&json!("15550100001"), &json!("member of Ops"), &json!("template"))
    );
    let faces = [&ann["in_window"], &ann["as_template"]];
    for face in faces {
        let body = face["body"].as_str().unwrap();
        assert!(body.contains("It is 2030-01-02T03:04:05Z") && body.contains("two"), "{face}");
        assert_eq!(face["footer"], "The workshop");
    }
    assert_ne!(faces[0]["body"], faces[1]["body"], "{trial}");
    assert!(of("bob")["skipped"].is_string(), "who is deactivated gets nothing: {trial}");
    let (_, open) = desk.post("/v1/try", json!({"event": late(), "window": "open"})).await;
    assert_eq!(open["decisions"][0]["notifications"][0]["form"], "free_form");
    let (_, as_is) = desk.post("/v1/try", json!({"event": late()})).await;
    assert_eq!(as_is["decisions"][0]["notifications"][0]["form"], "template", "nobody wrote in");
    assert_eq!(desk.stage.database.count("SELECT count(*) FROM event").await, 0, "nothing is stored");
    assert_eq!(desk.stage.simulator.messages().await, [] as [Value; 0]);

    desk.key = create_key(&desk.stage.database, "clerk", &["read", "events"]);
    let (_, masked) = desk.post("/v1/try", json!({"event": late()})).await;
    let ann = &masked["decisions"][0]["notifications"][0];
    assert_eq!(
        (&ann["recipient"], &ann["in_window"], &ann["message"]),
        (&json!("…0001"), &Value::Null, &Value::Null)
    );
    assert!(!masked.to_string().contains("15550100001"), "{masked}");
    for scopes in [&["read"][..], &["events"]] {
        desk.key = create_key(&desk.stage.database, scopes[0], scopes);
        let (status, problem) = desk.post("/v1/try", json!({"event": late()})).await;
        assert_eq!((status, &problem["code"]), (403, &json!("scope_missing")), "{scopes:?}");
    }
}

#[tokio::test]
async fn what_was_posted_is_tried_again_and_what_is_wrong_is_told_with_its_place() {
    let desk = desk(&["read", "events", "personal"]).await;
    let id = desk.stage.host.accept(&late()).await;
    let (status, trial) = desk.post("/v1/try", json!({"stored": {"id": id}})).await;
    assert_eq!((status, &trial["type"]), (200, &json!("late")), "{trial}");
    for (body, status, code, at) in [
        (json!({}), 400, "invalid_request", Value::Null),
        (json!({"event": late(), "stored": {"id": "x"}}), 400, "invalid_request", Value::Null),
        (json!({"stored": {"id": "x"}}), 422, "event_unknown", json!("/stored")),
        (json!({"event": {"type": "", "data": {}}}), 400, "invalid_event", json!("/event/type")),
        (json!({"event": late(), "window": "ajar"}), 400, "invalid_body", Value::Null),
        (json!({"event": late(), "now": "tomorrow"}), 400, "invalid_body", Value::Null),
    ] {
        let (found, problem) = desk.post("/v1/try", body.clone()).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{body}: {problem}");
        assert_eq!(problem["errors"][0]["at"], at, "{body}: {problem}");
    }
    let (_, trial) = desk.post("/v1/try", json!({"event": {"type": "of.nobody", "data": {}}})).await;
    assert_eq!(trial["decisions"][0]["outcome"], "no_route", "{trial}");
    let broken = json!({"event": {"type": "any", "data": "no decision"}});
    assert_eq!(desk.post("/v1/try", broken).await.1["decisions"][0]["outcome"], "failed");
}

#[tokio::test]
async fn a_test_message_is_shown_then_sent_and_recorded() {
    let mut desk = desk(&["operate", "read", "personal", "events", "admin"]).await;
    let message =
        |dry_run: bool| json!({"template": "note", "to": "ann", "context": {"n": "7"}, "dry_run": dry_run});
    let (status, shown) = desk.post("/v1/send", message(true)).await;
    assert_eq!(
        (status, &shown["event"], &shown["notifications"][0]["in_window"]["body"]),
        (200, &Value::Null, &json!("Note 7")),
        "{shown}"
    );
    assert_eq!(desk.stage.database.count("SELECT count(*) FROM event").await, 0);

    desk.stage.database.open_windows().await;
    let answer = desk.answer(Method::POST, "/v1/send", Some(&message(false))).await;
    assert_eq!(answer.status(), 202);
    let history = answer.headers()["location"].to_str().unwrap().to_owned();
    let status = async || desk.get(&history).await["decisions"][0]["notifications"][0]["status"].clone();
    wait_until("it is read", SOON, async || status().await == "read").await;
    let sent = desk.stage.simulator.messages().await;
    assert_eq!((sent.len(), &sent[0]["to"]), (1, &json!("15550100001")), "{sent:?}");
    let actions = desk.get("/v1/actions?action=message.send").await;
    assert_eq!(
        (&actions["data"][0]["who"], &actions["data"][0]["count"]),
        (&json!("desk"), &json!(1)),
        "{actions}"
    );

    for (change, code, at) in [
        (json!({"template": "nite"}), "template_unknown", "/template"),
        (json!({"to": "anna"}), "recipient_unknown", "/to"),
        (json!({"to": "12"}), "recipient_unknown", "/to"),
        (json!({"context": {"m": 1}}), "variable_unknown", "/context/m"),
        (json!({"context": {}}), "message_refused", "/context"),
    ] {
        let mut body = message(true);
        change.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        let (status, problem) = desk.post("/v1/send", body).await;
        assert_eq!(
            (status, &problem["code"], &problem["errors"][0]["at"]),
            (422, &json!(code), &json!(at)),
            "{problem}"
        );
    }
    let (status, problem) = desk.post("/v1/send", json!({"template": "note", "to": "a\0"})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")));
    desk.key = create_key(&desk.stage.database, "clerk", &["operate"]);
    let (_, shown) = desk.post("/v1/send", message(true)).await;
    let one = &shown["notifications"][0];
    assert_eq!((&one["recipient"], &one["in_window"]), (&json!("…0001"), &Value::Null), "{shown}");
}
