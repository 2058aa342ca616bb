//! Contacts over HTTP: linked to people, opted out and in.

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::harness::{SOON, wait_until};

#[tokio::test]
async fn a_contact_who_wrote_in_is_linked_to_a_person() {
    let desk = Desk::open(&["admin"]).await;
    let ann = json!({"username": "ann", "name": "Ann"});
    assert_eq!(desk.ask(Method::POST, "/v1/people", Some(&ann)).await.0, 201);
    let link = async |contact: &str, username: &str| {
        let body = json!({"username": username});
        desk.ask(Method::POST, &format!("/v1/contacts/{contact}/link"), Some(&body)).await
    };
    let (status, problem) = link("+263771234567", "ann").await;
    assert_eq!((status, &problem["code"]), (404, &json!("contact_unknown")), "{problem}");
    desk.stage.simulator.inbound(&json!({"from": "263771234567", "name": "Ann", "text": "hello"})).await;
    let known = async || {
        let unlinked = desk.get("/v1/contacts?unlinked=true&limit=1000").await;
        unlinked["data"].as_array().unwrap().iter().any(|contact| contact["wa_id"] == "263771234567")
    };
    wait_until("the contact is known", SOON, known).await;
    let (status, problem) = link("263771234567", "bob").await;
    assert_eq!((status, &problem["errors"][0]["at"]), (422, &json!("/username")), "{problem}");
    let (status, person) = link("%2B263%2077%20123%204567", "ann").await;
    assert_eq!((status, &person["contact"]["wa_id"]), (200, &json!("263771234567")), "{person}");
    assert!(!known().await, "it is linked");
    assert_eq!(link("nobody", "ann").await.0, 400);
    let actions = desk.get("/v1/actions?action=contact.link").await;
    assert_eq!(actions["data"][0]["what"], json!({"contact": "…4567", "person": "ann"}), "{actions}");
    assert_eq!(actions["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn opting_out_and_in_is_recorded_by_every_way() {
    let desk = Desk::open(&["admin"]).await;
    let path = "/v1/contacts/263771234567/opt-out";
    let answer = desk.answer(Method::PUT, path, Some(&json!({"scope": "marketing"}))).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(desk.answer(Method::DELETE, path, None).await.status(), 204);
    desk.stage.says(&["contacts", "opt-out", "+263771234567"]);
    let actions = async |action: &str| -> Vec<Value> {
        let listed = desk.get(&format!("/v1/actions?action={action}")).await;
        let parts = listed["data"].as_array().unwrap().iter();
        parts.map(|action| json!([action["way"], action["what"], action["count"]])).collect()
    };
    assert_eq!(
        actions("opt_out.set").await,
        [
            json!(["cli", {"contact": "…4567", "scope": "all"}, 1]),
            json!(["api", {"contact": "…4567", "scope": "marketing"}, 1])
        ]
    );
    assert_eq!(actions("opt_out.cleared").await, [json!(["api", {"contact": "…4567"}, 1])]);
}

#[tokio::test]
async fn people_groups_and_contacts_are_walked_by_links() {
    let desk = Desk::open(&["admin"]).await;
    for group in ["Night%20%26%20Day", "a%2Bb", "%C3%96l"] {
        assert_eq!(desk.answer(Method::PUT, &format!("/v1/groups/{group}"), None).await.status(), 201);
    }
    for number in 1..=3 {
        let person = json!({"username": format!("person-{number}"), "name": "Ann", "whatsapp": format!("+26377123456{number}")});
        assert_eq!(desk.ask(Method::POST, "/v1/people", Some(&person)).await.0, 201);
    }
    for list in ["groups", "people", "contacts"] {
        let all = desk.get(&format!("/v1/{list}?limit=1000")).await;
        let all = all["data"].as_array().unwrap();
        assert!(all.len() >= 3, "{list}: {all:?}");
        assert_eq!(desk.walk(&format!("/v1/{list}?limit=1")).await, *all, "{list}");
    }
}
