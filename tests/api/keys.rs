//! API keys over HTTP: created, listed, revoked, limited.

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::harness::{SOON, wait_until};

#[tokio::test]
async fn a_key_is_created_shown_once_and_revoked() {
    let mut desk = Desk::open(&["admin"]).await;
    let body = json!({"name": "shop", "scopes": ["events", "read"], "sources": ["/shop"], "rate": 1000});
    let answer = desk.answer(Method::POST, "/v1/keys", Some(&body)).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let created: Value = answer.json().await.unwrap();
    let secret = created["key"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("hsk_"), "{created}");
    let (status, problem) = desk.ask(Method::POST, "/v1/keys", Some(&body)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("key_exists")));

    let keys = desk.walk("/v1/keys?limit=1").await;
    let shop = keys.iter().find(|key| key["name"] == "shop").unwrap();
    assert_eq!(
        (&shop["scopes"], &shop["sources"], &shop["rate"], &shop["revoked_at"]),
        (&json!(["events", "read"]), &json!(["/shop"]), &json!(1000), &Value::Null)
    );
    assert!(!json!(keys).to_string().contains(&secret));
    let actions = desk.get("/v1/actions?who=desk").await;
    let action = &actions["data"][0];
    assert_eq!((&action["action"], &action["what"]["name"]), (&json!("key.create"), &json!("shop")));
    assert!(!actions.to_string().contains(&secret));

    let admin = std::mem::replace(&mut desk.key, secret);
    assert_eq!(desk.ask(Method::GET, "/v1/notifications", None).await.0, 200);
    let shop = std::mem::replace(&mut desk.key, admin);
    assert_eq!(desk.answer(Method::DELETE, "/v1/keys/shop", None).await.status(), 204);
    let (status, problem) = desk.ask(Method::DELETE, "/v1/keys/shop", None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("key_unknown")));
    let actions = desk.get("/v1/actions?action=key.revoke").await;
    assert_eq!(actions["data"][0]["what"], json!({"name": "shop"}), "{actions}");
    assert_eq!(actions["data"].as_array().unwrap().len(), 1);
    desk.key = shop;
    let refused = async || desk.ask(Method::GET, "/v1/notifications", None).await.0 == 401;
    wait_until("it is refused", SOON, refused).await;
}

#[tokio::test]
async fn a_key_gives_nothing_that_it_has_not() {
    let mut desk = Desk::open(&["admin"]).await;
    let bound = json!({"name": "bound", "scopes": ["admin"], "sources": ["/shop"]});
    let (_, created) = desk.ask(Method::POST, "/v1/keys", Some(&bound)).await;
    desk.key = created["key"].as_str().unwrap().to_owned();
    for sources in [json!([]), json!(["/other"]), json!(["/shop", "/shopping"])] {
        let body = json!({"name": "more", "scopes": ["events"], "sources": sources});
        let (status, problem) = desk.ask(Method::POST, "/v1/keys", Some(&body)).await;
        assert_eq!((status, &problem["code"]), (403, &json!("grant_refused")), "{body}");
    }
    let body = json!({"name": "less", "scopes": ["events"], "sources": ["/shop/orders"]});
    assert_eq!(desk.ask(Method::POST, "/v1/keys", Some(&body)).await.0, 201);
    for (wrong, at) in [
        (json!({"name": "a b", "scopes": ["read"]}), "/name"),
        (json!({"name": "x", "scopes": []}), "/scopes"),
        (json!({"name": "x", "scopes": ["read", "write"]}), "/scopes/1"),
        (json!({"name": "x", "scopes": ["read"], "sources": ["/hookswitch"]}), "/sources/0"),
        (json!({"name": "x", "scopes": ["read"], "rate": 0}), "/rate"),
    ] {
        let (status, problem) = desk.ask(Method::POST, "/v1/keys", Some(&wrong)).await;
        assert_eq!((status, &problem["errors"][0]["at"]), (400, &json!(at)), "{problem}");
    }
}

#[tokio::test]
async fn a_key_with_a_limit_is_told_when_to_come_again() {
    let mut desk = Desk::open(&["admin"]).await;
    let slow = json!({"name": "slow", "scopes": ["read"], "rate": 2});
    let (_, created) = desk.ask(Method::POST, "/v1/keys", Some(&slow)).await;
    let admin = std::mem::replace(&mut desk.key, created["key"].as_str().unwrap().to_owned());
    let mut last = desk.answer(Method::GET, "/v1/hosts", None).await;
    for _ in 0..200 {
        last = desk.answer(Method::GET, "/v1/hosts", None).await;
        if last.status() != 200 {
            break;
        }
    }
    assert_eq!(last.status(), 429);
    assert_eq!(last.headers()["retry-after"], "1");
    assert_eq!(last.json::<Value>().await.unwrap()["code"], "too_many_requests");
    wait_until("it may again", SOON, async || {
        desk.answer(Method::GET, "/v1/hosts", None).await.status() == 200
    })
    .await;
    desk.key = admin;
    assert_eq!(desk.ask(Method::GET, "/v1/hosts", None).await.0, 200, "others are not limited");
    desk.stage.says(&["keys", "create", "slower", "--scope", "read", "--rate", "1"]);
    let keys = desk.walk("/v1/keys").await;
    assert_eq!(keys.iter().find(|key| key["name"] == "slower").unwrap()["rate"], 1);
    assert!(desk.stage.says(&["keys", "list"]).contains("1/s"));
}
