//! What rules ask the world: answered as then, counted where it was not asked then, and asked only if that is allowed.

use axum::{Router, routing::get};
use serde_json::{Value, json};

use super::{Past, ROUTE, rules};
use crate::harness::{CACHE, component, write_file};

#[tokio::test]
async fn what_was_asked_then_is_answered_as_then_and_what_was_not_is_not_guessed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/hello", get(async || "hello"));
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let plugins = tempfile::tempdir().unwrap();
    let manifest = format!(
        "id: asker\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Tests\non: [ask.*]\non_failure: skip\nhttp: [\"http://{address}\"]\n"
    );
    write_file(plugins.path(), "asker/plugin.yaml", manifest.as_bytes());
    write_file(plugins.path(), "asker/asker.wasm", component());
    let folder = plugins.path().to_str().unwrap();
    let settings = [
        ("HOOKSWITCH_PLUGINS", folder.to_owned()),
        ("HOOKSWITCH_PLUGIN_CACHE", CACHE.to_owned()),
        ("HOOKSWITCH_PLUGIN_GRANTS", format!("asker=http://{address}")),
        ("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", address.to_string()),
    ];
    let old = rules(&[("notes/routes.yaml", ROUTE)]);
    let past = Past::with(old.path(), &settings).await;
    let ask = json!({"type": "ask.it", "data": {"do": "http", "url": format!("http://{address}/hello")}});
    past.happened(&[ask]).await;
    let reason = past.database.query("SELECT reason FROM decision", &[]).await[0].get::<_, String>(0);
    assert_eq!(reason, "answered 200 hello");
    let asks_more = |replay: &Value| replay["totals"]["not_compared"]["asks_more"].as_u64().unwrap();

    let same = past.replay(old.path());
    assert_eq!((asks_more(&same), &same["totals"]["changed"]), (0, &json!(0)), "{same}");

    // As if the rules of then had not asked.
    past.database.query("UPDATE decision SET asked = NULL", &[]).await;
    let unknown = past.replay(old.path());
    assert_eq!((asks_more(&unknown), &unknown["totals"]["changed"]), (1, &json!(0)), "{unknown}");
    assert_eq!(unknown["report"]["questions"], json!([format!("GET http://{address}/hello")]));
    let status = |more: &[&str]| {
        let folder = old.path().to_str().unwrap();
        let arguments = [&["replay", "--since", "1h", "--fail-on-change", "--rules", folder], more].concat();
        past.run(&arguments).status.code()
    };
    assert_eq!(status(&[]), Some(1), "what is not known may change");
    let asked = past.replay_with(old.path(), &["--network"]);
    assert_eq!((asks_more(&asked), &asked["totals"]["changed"]), (0, &json!(0)), "{asked}");
    assert_eq!(status(&["--network"]), Some(0));
    serving.abort();
}
