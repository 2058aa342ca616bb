//! Without a key, no entry; with one, what its scopes allow.

use hookswitch::{
    http::{ApiKey, Scope},
    store::StoreError,
};

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
    assert_eq!(host.get("/v1/events/o%2F1").await.status(), 200);
    assert_eq!(problem(host.post_json(&order(2)).await).await.0, 403);
    host.as_other("chief", &[Scope::Admin]).await;
    accepted(host.post_json(&order(2)).await).await;
    assert_eq!(host.get("/v1/events/o%2F2").await.status(), 200);
}

#[tokio::test]
async fn a_revoked_key_is_none_and_its_name_is_free() {
    let mut host = Host::start().await;
    assert!(host.store.revoke_key("shop").await.unwrap());
    assert_eq!(problem(host.post_json(&order(1)).await).await.0, 401);
    assert!(!host.store.revoke_key("shop").await.unwrap(), "it is revoked already");
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
