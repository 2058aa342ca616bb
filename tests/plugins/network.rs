//! Requests of plugins: redirects are not followed, slow services are left, private addresses need the operator.

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::Redirect,
    routing::get,
};
use serde_json::json;

use super::{Folders, Stage};
use crate::harness::program;

#[tokio::test]
async fn requests_go_only_where_manifest_and_operator_allow() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new()
        .route("/hello", get(async || "hello"))
        .route("/key", get(async |headers: HeaderMap| headers["x-key"].to_str().unwrap().len().to_string()))
        .route("/redirect", get(async || Redirect::temporary("http://127.0.0.1:1/")))
        .route("/never", get(async || -> StatusCode { std::future::pending().await }));
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let folders = Folders::new();
    let http =
        format!("http: [\"http://{address}\"]\non_failure: skip\nlimits: {{time: 300ms}}\nsecrets: [DOOR]");
    folders.plugin("asker", "ask.*", &http);
    let settings = [
        ("HOOKSWITCH_PLUGIN_GRANTS", format!("asker:DOOR=http://{address}")),
        ("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", address.to_string()),
        ("HOOKSWITCH_SECRET_DOOR", "open sesame".to_owned()),
        ("HOOKSWITCH_SECRET_OTHER", "not for this plugin".to_owned()),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let stage = Stage::set(folders, &settings).await;
    let ask = async |path: &str| {
        let event =
            json!({"type": "ask.it", "data": {"do": "http", "url": format!("http://{address}{path}")}});
        stage.decided(&event).await
    };
    let hello = ask("/hello").await;
    assert_eq!(hello["reason"], "answered 200 hello", "{hello:#}");
    assert_eq!(hello["asked"][0]["port"], "http");
    assert_eq!(hello["asked"][0]["answer"]["Ok"]["body"], "hello");
    assert!(ask("/redirect").await["reason"].as_str().unwrap().starts_with("answered 307"));
    // A secret goes out in a header, and into no log or table.
    let key = async |key: &str| {
        let data = json!({"do": "http", "url": format!("http://{address}/key"), "key": key});
        stage.decided(&json!({"type": "ask.it", "data": data})).await
    };
    let sent = key("Bearer {{secret:DOOR}}").await;
    assert_eq!(sent["reason"], format!("answered 200 {}", "Bearer open sesame".len()));
    assert!(!sent.to_string().contains("sesame") && !stage.host.said().contains("sesame"));
    let other = key("{{secret:OTHER}}").await;
    assert!(other["reason"].as_str().unwrap().contains("uses the secret OTHER"), "{other:#}");
    let never = ask("/never").await;
    assert!(never["reason"].as_str().unwrap().contains("Timeout"), "{never:#}");
    serving.abort();

    // With the service gone, what it answered then decides the same, a thousand times.
    let gone = ask("/hello").await;
    assert!(gone["reason"].as_str().unwrap().contains("Failed"), "{gone:#}");
    let id =
        stage.database.query("SELECT id FROM event ORDER BY seq LIMIT 1", &[]).await[0].get::<_, String>(0);
    let output = program(&["rules", "replay", &id, "--times", "1000", "--rules"])
        .arg(stage.folders.rules())
        .envs(stage.folders.settings())
        .env("DATABASE_URL", stage.database.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("plugins/asker/plugin.yaml:1: same"), "{said}");
}
