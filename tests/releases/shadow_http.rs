//! Shadows over HTTP and in the console.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Fleet, rules};
use crate::harness::{SOON, assert_described, create_key, http, wait_until};

#[tokio::test]
async fn a_shadow_is_started_shown_stopped_and_a_condition_over_http() {
    let fleet = Fleet::new().await;
    let [old, new] = ["One", "Two"].map(|text| fleet.create(rules(text).path()));
    fleet.says(&["release", "activate", &old]);
    let data = tempfile::tempdir().unwrap();
    let host = fleet.host(data.path(), None);
    fleet.lives_on(&old, 1).await;
    fleet.database.add_person("ana", "263770000001", &["Ops"]).await;
    let [boss, reader] = [("boss", ["admin"]), ("reader", ["read"])]
        .map(|(name, scopes)| create_key(&fleet.database, name, &scopes));
    let call = async |method: Method, path: &str, body: Value, key: &str| {
        let request = http().request(method.clone(), format!("{}{path}", host.url())).bearer_auth(key);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        let (status, media) = (answer.status().as_u16(), answer.headers().get("content-type").cloned());
        let answer: Value = answer.json().await.unwrap();
        assert_described(
            method.as_str(),
            path,
            status,
            media.as_ref().map(|of| of.to_str().unwrap()),
            &answer,
        );
        (status, answer)
    };
    let (status, none) = call(Method::GET, "/v1/shadow", Value::Null, &boss).await;
    assert_eq!((status, &none["code"]), (404, &json!("shadow_unknown")));
    let (status, none) = call(Method::DELETE, "/v1/shadow", Value::Null, &boss).await;
    assert_eq!((status, &none["code"]), (404, &json!("shadow_unknown")));
    let start = format!("/v1/releases/{new}/shadow");
    for wrong in [
        json!({"for": "soon"}),
        json!({"for": "31d"}),
        json!({"for": "1h", "share": 100}),
        json!({"for": "1h", "note": ""}),
        json!({}),
    ] {
        assert_eq!(call(Method::POST, &start, wrong.clone(), &boss).await.0, 400, "{wrong}");
    }
    assert_eq!(call(Method::POST, &start, json!({"for": "1h"}), &reader).await.0, 403);
    let (status, started) = call(Method::POST, &start, json!({"for": "1h", "note": "why"}), &boss).await;
    assert_eq!((status, &started["release"], &started["lanes"]), (201, &json!(new), &json!(64)), "{started}");
    let (status, again) = call(Method::POST, &start, json!({"for": "1h"}), &boss).await;
    assert_eq!((status, &again["code"]), (409, &json!("shadow_under_way")));

    host.accept(&json!({"type": "note", "data": {}})).await;
    let compared = async || call(Method::GET, "/v1/shadow", Value::Null, &boss).await.1["compared"] == 1;
    wait_until("it is compared", SOON, compared).await;
    let found = call(Method::GET, "/v1/shadow", Value::Null, &boss).await.1;
    assert_eq!(found["report"]["examples"][0]["now"]["recipient"], "263770000001", "{found}");
    assert_eq!(found["events"][0]["changes"]["words"], 1, "{found}");
    let found = call(Method::GET, "/v1/shadow", Value::Null, &reader).await.1.to_string();
    assert!(!found.contains("263770000001") && found.contains("…0001") && !found.contains("Two"), "{found}");

    let activate = format!("/v1/releases/{new}/activate");
    let (status, refused) = call(Method::POST, &activate, json!({"when_shadow_clean": {}}), &boss).await;
    assert_eq!((status, &refused["code"]), (409, &json!("shadow_not_clean")), "{refused}");
    assert!(refused["errors"].as_array().unwrap().len() >= 2, "{refused}");
    let limits = json!({"differences": 1, "events": 1, "slower_percent": 1000});
    let (status, activated) =
        call(Method::POST, &activate, json!({"when_shadow_clean": limits}), &boss).await;
    assert_eq!((status, &activated["changed"]), (200, &json!(true)), "{activated}");
    fleet.shadow_is("it has ended", |found| found["ended"]["by"] == "activation").await;

    let start = format!("/v1/releases/{old}/shadow");
    assert_eq!(call(Method::POST, &start, json!({"for": "1h", "share": 25}), &boss).await.1["lanes"], 16);
    let (status, stopped) = call(Method::DELETE, "/v1/shadow", Value::Null, &boss).await;
    assert_eq!(
        (status, &stopped["ended"]["by"], &stopped["ended"]["why"]),
        (200, &json!("stopped"), &json!("boss"))
    );
}
