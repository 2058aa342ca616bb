//! Without a key, no entry; with one, what its scopes allow.

use hookswitch::{
    http::{ApiKey, Scope},
    store::StoreError,
};

use serde_json::{Value, json};

use super::{Host, accepted, order, problem};

impl Host {
    async fn as_other(&mut self, name: &str, scopes: &[Scope]) {
        self.key = ApiKey::create(&self.store, name, scopes).await.unwrap();
    }
}

#[tokio::test]
async fn without_a_key_there_is_no_entry() {
    let mut host = Host::start().await;
    let none = host.http.post(format!("{}/v1/events", host.url)).json(&order(1)).send().await.unwrap();
    assert_eq!(none.headers()["www-authenticate"], "Bearer");
    assert_eq!(problem(none).await.0, 401);
    let mut unknown = host.key.clone();
    unknown.replace_range(10..14, "AAAA");
    for key in ["", "hsk_", "hsk_short", &unknown] {
        host.key = key.to_owned();
        assert_eq!(problem(host.post_json(&order(1)).await).await.0, 401, "{key}");
        assert_eq!(problem(host.get("/v1/events/1").await).await.0, 401, "{key}");
    }
    assert_eq!(host.logged().await, 0);
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_say() {
    let mut host = Host::start().await;
    host.as_other("producer", &[Scope::Events]).await;
    accepted(host.post_json(&order(1)).await).await;
    let (status, body) = problem(host.get("/v1/events/o%2F1").await).await;
    assert_eq!(status, 403);
    assert!(body["detail"].as_str().unwrap().contains("lacks the scope read"), "{body}");
    host.as_other("reader", &[Scope::Read]).await;
    let read = host.get("/v1/events/o%2F1").await;
    assert_eq!(read.status(), 200);
    let event: Value = read.json().await.unwrap();
    assert_eq!((&event["id"], &event["data"]), (&json!("o/1"), &Value::Null), "{event}");
    assert_eq!(problem(host.post_json(&order(2)).await).await.0, 403);
    host.as_other("chief", &[Scope::Admin]).await;
    accepted(host.post_json(&order(2)).await).await;
    assert_eq!(host.get("/v1/events/o%2F2").await.status(), 200);
}

#[tokio::test]
async fn a_revoked_key_is_none_and_its_name_is_free() {
    let mut host = Host::start().await;
    assert!(host.store.revoke_key("shop", None).await.unwrap());
    assert_eq!(problem(host.post_json(&order(1)).await).await.0, 401);
    assert!(!host.store.revoke_key("shop", None).await.unwrap(), "it is revoked already");
    host.as_other("shop", &[Scope::Events]).await;
    accepted(host.post_json(&order(1)).await).await;
    let taken = ApiKey::create(&host.store, "shop", &[Scope::Admin]).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
}

#[tokio::test]
async fn only_a_hash_is_stored() {
    let host = Host::start().await;
    let row = host.database.query("SELECT api_key::text FROM api_key", &[]).await;
    assert!(!row[0].get::<_, String>(0).contains(&host.key));
}

#[tokio::test]
async fn the_systems_source_is_nobodys() {
    let mut host = Host::start().await;
    for scopes in [&[Scope::Events][..], &[Scope::Admin]] {
        host.as_other(&format!("key-{}", scopes[0]), scopes).await;
        for source in ["/hookswitch", "/hookswitch/", "/hookswitch/x", "/%68ookswitch", "/a/../Hookswitch"] {
            let forged = json!({"type": "message.failed", "id": "1", "source": source, "data": {}});
            let (status, body) = problem(host.post_json(&forged).await).await;
            assert_eq!((status, &body["code"]), (403, &json!("reserved_source")), "{source}");
        }
    }
    assert_eq!(host.logged().await, 0);
}

#[tokio::test]
async fn a_bound_key_speaks_for_its_sources_only() {
    let mut host = Host::start().await;
    let sources = ["/shop".to_owned(), "/till".to_owned()];
    host.key = ApiKey::bound(&host.store, "bound", &[Scope::Events], &sources).await.unwrap();
    let event = |source: &str| json!({"specversion": "1.0", "type": "t", "id": source, "source": source});
    for source in ["/shop", "/shop/orders", "/till"] {
        accepted(host.post_json(&event(source)).await).await;
    }
    let plain = accepted(host.post_json(&json!({"type": "t", "data": {}})).await).await;
    assert_eq!(plain["source"], "/shop");
    let batch = json!([event("/shop/2"), event("/erp")]).to_string();
    let batch = problem(host.post("application/cloudevents-batch+json", batch).await).await;
    assert_eq!((batch.0, &batch.1["errors"][0]["at"]), (403, &json!("/1/source")), "{batch:?}");
    for source in ["/erp", "/shopping", "/shop/../erp"] {
        let (status, body) = problem(host.post_json(&event(source)).await).await;
        assert_eq!((status, &body["code"]), (403, &json!("source_not_allowed")), "{source}");
    }
    let binary = host.request(reqwest::Method::POST, "/v1/events").header("ce-specversion", "1.0");
    let binary = binary.header("ce-type", "t").header("ce-id", "b").header("ce-source", "/erp");
    assert_eq!(problem(binary.send().await.unwrap()).await.0, 403);
}
