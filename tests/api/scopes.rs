//! What each scope allows.

use reqwest::Method;
use serde_json::json;

use super::Desk;
use crate::harness::{SOON, create_key, description, wait_until};

#[tokio::test]
async fn a_key_that_may_read_may_change_nothing() {
    let desk = Desk::open(&["read", "personal"]).await;
    let mut tried = 0;
    for (path, operations) in description()["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if method == "get" || !operation["security"].is_array() {
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let address: String = path
                .split('/')
                .map(|part| if part.starts_with('{') { "1/" } else { part }.to_owned() + "/")
                .collect();
            let address = address.replace("//", "/").trim_end_matches('/').to_owned();
            let (status, body) = desk.ask(method.clone(), &address, Some(&json!({}))).await;
            assert_eq!((status, &body["code"]), (403, &json!("scope_missing")), "{method} {address}: {body}");
            tried += 1;
        }
    }
    assert!(tried >= 15, "{tried}");
}

#[tokio::test]
async fn a_key_that_may_act_may_not_read_or_change_people() {
    let desk = Desk::open(&["operate"]).await;
    for path in ["/v1/notifications", "/v1/failed", "/v1/unknown", "/v1/jobs/1", "/v1/actions", "/v1/people"]
    {
        assert_eq!(desk.ask(Method::GET, path, None).await.0, 403, "{path}");
    }
    let (status, body) = desk.ask(Method::POST, "/v1/failed/redrive", Some(&json!({}))).await;
    assert_eq!((status, &body["code"]), (400, &json!("nothing_chosen")), "an empty choice is not all");
    assert_eq!(desk.ask(Method::POST, "/v1/failed/redrive", Some(&json!({"all": true}))).await.0, 202);
}

#[tokio::test]
async fn numbers_and_texts_are_for_keys_with_personal() {
    let mut desk = Desk::open(&["read"]).await;
    desk.fail(1).await;
    let number = "15550100000";
    for path in ["/v1/notifications", "/v1/failed", "/v1/notifications/ID"] {
        let failed = desk.get("/v1/failed").await;
        let path = path.replace("ID", failed["data"][0]["id"].as_str().unwrap());
        let seen = desk.get(&path).await;
        let entry = if seen["data"].is_array() { &seen["data"][0] } else { &seen };
        assert_eq!(entry["recipient"], "…0000", "{path}");
        assert!(!seen.to_string().contains(number), "{path}: {seen}");
        assert!(entry["message"].is_null(), "{path}: {seen}");
    }
    desk.key = create_key(&desk.stage.database, "chief", &["read", "personal"]);
    let failed = desk.get("/v1/failed").await;
    assert_eq!(failed["data"][0]["recipient"], number);
    let path = format!("/v1/notifications/{}", failed["data"][0]["id"].as_str().unwrap());
    let seen = desk.get(&path).await;
    assert_eq!((&seen["recipient"], &seen["status"]), (&json!(number), &json!("failed")));
    assert!(seen["message"]["body"].is_string(), "{seen}");
}

/// Whatever is added to the API: the addresses are those of its description.
#[tokio::test]
async fn no_address_shows_a_number_or_a_text_to_a_key_with_read_alone() {
    let mut desk = Desk::open(&["read", "operate"]).await;
    let (number, text) = ("15550100000", "for your eyes only");
    let window = "INSERT INTO contact (wa_id, name, last_inbound_at) VALUES ('15550100000', 'for your eyes only', now()) ON CONFLICT (wa_id) DO UPDATE SET name = excluded.name";
    desk.stage.database.query(window, &[]).await;
    desk.stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    let decision = json!({"contacts": [format!("+{number}")], "template": "note", "context": {"n": text}});
    let event = json!({"type": "any", "subject": format!("+{number}"), "data": decision});
    let id = desk.stage.host.accept(&event).await;
    // A rule that quotes what it was given.
    let wrong = json!({"contacts": [], "template": number, "context": {}});
    desk.stage.host.accept(&json!({"type": "any", "subject": number, "data": wrong})).await;
    wait_until("it has failed", SOON, async || desk.stage.failed().await == 1).await;
    let failed = desk.get("/v1/failed").await["data"][0]["id"].as_str().unwrap().to_owned();
    // By the number and with a reason that has it: the message's history shows both.
    let chosen = json!({"person": number, "reason": format!("{number} called")});
    let job = desk.ask(Method::POST, "/v1/failed/discard", Some(&chosen)).await.1;
    let job = job["id"].to_string().trim_matches('"').to_owned();
    let discarded = async || !desk.get(&format!("/v1/notifications/{failed}")).await["dead_letter"].is_null();
    wait_until("it is discarded", SOON, discarded).await;

    let scopes = [&["read"][..], &["read", "personal"]];
    let mut shown = [0, 0];
    for (scopes, shown) in scopes.iter().zip(&mut shown) {
        desk.key = create_key(&desk.stage.database, &scopes.join("-"), scopes);
        for (path, operations) in description()["paths"].as_object().unwrap() {
            if operations["get"].is_null() || !operations["get"]["security"].is_array() {
                continue;
            }
            let of = match path.split('/').nth(2) {
                Some("events") => &id,
                Some("jobs") => &job,
                _ => &failed,
            };
            let address = path.replace("{id}", of);
            let body = desk.ask(Method::GET, &address, None).await.1.to_string();
            if body.contains(number) || body.contains(text) {
                assert!(scopes.contains(&"personal"), "{address}: {body}");
                *shown += 1;
            }
        }
    }
    // The list of events, one event, the list of failed messages or of all, one message.
    assert!(shown[0] == 0 && shown[1] >= 4, "{shown:?}");
}
