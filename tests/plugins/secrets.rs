//! A plugin uses what the operator grants, sends no more than is recorded, and no secret comes back.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    http::HeaderMap,
    routing::{any, get},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Folders, Stage};
use crate::harness::program;

const KEY: &str = "open sesame/42+\"quoted\"";

/// A service that repeats what it got, and counts.
async fn service(asked: Arc<AtomicUsize>) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let key = |headers: &HeaderMap| headers["x-key"].to_str().unwrap().to_owned();
    let routes = Router::new()
        .route("/plain", get(async move |headers: HeaderMap| ([("x-echo", key(&headers))], key(&headers))))
        .route("/json", get(async move |headers: HeaderMap| Json(json!({"got": key(&headers)}))))
        .route(
            "/base64",
            get(async move |headers: HeaderMap| STANDARD.encode(format!("u:{}", key(&headers)))),
        )
        .route(
            "/count",
            any(async move |_: Bytes| {
                asked.fetch_add(1, Ordering::Relaxed);
                "a".repeat(5_000)
            }),
        );
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

#[tokio::test]
async fn what_is_not_granted_is_denied_and_what_is_secret_stays_so() {
    let asked = Arc::new(AtomicUsize::new(0));
    let address = service(asked.clone()).await;
    let folders = Folders::new();
    let more = format!(
        "http: [\"http://{address}\"]\non_failure: skip\nlimits: {{time: 10s, memory: 64MiB}}\nsecrets: [DOOR]"
    );
    for id in ["granted", "half", "not"] {
        folders.plugin(id, &format!("{id}.*"), &more);
    }
    let grants =
        format!("granted:DOOR=http://{address}, half=http://{address},half:DOOR=https://elsewhere.invalid");
    let host = address.to_string();
    let settings = [
        ("HOOKSWITCH_PLUGIN_GRANTS", grants.as_str()),
        ("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", host.as_str()),
        ("HOOKSWITCH_SECRET_DOOR", KEY),
    ];
    let stage = Stage::set(folders, &settings).await;
    let ask = async |id: &str, path: &str, key: &str| {
        let data = json!({"do": "http", "url": format!("http://{address}{path}"), "key": key});
        stage.decided(&json!({"type": format!("{id}.it"), "data": data})).await
    };
    for path in ["/plain", "/json", "/base64"] {
        let decision = ask("granted", path, "Bearer {{secret:DOOR}}").await;
        assert!(decision["reason"].as_str().unwrap().contains("[secret DOOR]"), "{path}: {decision:#}");
        let text = decision.to_string();
        assert!(
            !text.contains("sesame") && !text.contains(&STANDARD.encode("sesame")[..6]),
            "{path}: {text}"
        );
    }
    let stored = "SELECT count(*) FROM decision WHERE asked LIKE '%sesame%' OR reason LIKE '%sesame%'";
    assert_eq!(stage.database.count(stored).await, 0);
    assert!(!stage.host.said().contains("sesame"));

    let denied = async |id: &str, key: &str, told: &str| {
        let decision = ask(id, "/plain", key).await;
        assert!(decision["reason"].as_str().unwrap().contains(told), "{id}: {decision:#}");
    };
    denied("not", "none", &format!("HOOKSWITCH_PLUGIN_GRANTS lacks not=http://{address}")).await;
    denied("half", "{{secret:DOOR}}", &format!("HOOKSWITCH_PLUGIN_GRANTS lacks half:DOOR=http://{address}"))
        .await;
    assert!(ask("half", "/plain", "none").await["reason"].as_str().unwrap().contains("answered 200"));
    assert!(
        stage.host.said().contains(&format!("add to HOOKSWITCH_PLUGIN_GRANTS: not:DOOR=http://{address}"))
    );

    // No request goes out that is not recorded, and the record is bounded.
    let much = json!({"do": "ask-much", "url": format!("http://{address}/count"), "times": 300});
    let decision = stage.decided(&json!({"type": "granted.it", "id": "much", "data": much})).await;
    assert_eq!(asked.load(Ordering::Relaxed), 100, "{}", decision["reason"]);
    assert_eq!(decision["asked"].as_array().unwrap().len(), 100);
    let size = stage.database.query("SELECT max(length(asked)) FROM decision", &[]).await[0].get::<_, i32>(0);
    assert!(size < 400_000, "{size}");
    let last: &Value = &decision["asked"][99]["answer"]["not_kept"];
    assert!(last["bytes"].as_u64().unwrap() > 5_000 && last["sha256"].is_string(), "{last}");
    let output = program(&["rules", "replay", "much", "--rules"])
        .arg(stage.folders.rules())
        .envs(stage.folders.settings())
        .env("DATABASE_URL", stage.database.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && said.contains("cannot be replayed"), "{said}");
}

#[test]
fn names_that_no_environment_has_and_grants_that_are_none_are_refused() {
    let check = |more: &str, grants: &str| {
        let folders = Folders::new();
        folders.plugin("odd", "x.*", more);
        let output = program(&["rules", "check", "--rules"])
            .arg(folders.rules())
            .envs(folders.settings())
            .env("HOOKSWITCH_PLUGIN_GRANTS", grants)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for name in ["a-b", "a.b", "\"a b\"", "Ü", "\"A=B\""] {
        let (code, said) = check(&format!("secrets: [{name}]"), "");
        assert!(code == Some(1) && said.contains("is not a valid secret name"), "{name}: {said}");
    }
    let (code, said) = check("", "odd");
    assert!(code == Some(1) && said.contains("`odd` is not a grant"), "{said}");
    let (code, said) = check("http: [\"https://api.example.com\"]\nsecrets: [KEY]", "");
    assert!(
        code == Some(0) && said.contains("HOOKSWITCH_PLUGIN_GRANTS: odd:KEY=https://api.example.com:443"),
        "{said}"
    );
    let (code, said) =
        check("http: [\"https://api.example.com\"]\nsecrets: [KEY]", "odd:KEY=https://api.example.com");
    assert!(code == Some(0) && !said.contains("GRANTS"), "{said}");
}

#[test]
fn tools_that_build_plugins_get_no_secrets() {
    let folders = Folders::new();
    folders.plugin("built", "x.*", "");
    folders.write("plugins/built/Cargo.toml", b"");
    let (tools, told) = (folders.plugins().join("../tools"), folders.plugins().join("../told"));
    for tool in ["cargo", "rustup"] {
        let script = format!("#!/bin/sh\nenv >> {}\n", told.display());
        folders.write(&format!("tools/{tool}"), script.as_bytes());
        fs::set_permissions(tools.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let output = program(&["plugin", "build", "built"])
        .envs(folders.settings())
        .envs([
            ("PATH", path.as_str()),
            ("HOOKSWITCH_SECRET_DOOR", "sesame"),
            ("WHATSAPP_ACCESS_TOKEN", "sesame"),
        ])
        .envs([("DATABASE_URL", "postgresql://u:sesame@h/d"), ("LANG", "C.UTF-8")])
        .output()
        .unwrap();
    let told = fs::read_to_string(told).unwrap();
    assert!(told.contains("LANG=C.UTF-8") && !told.contains("sesame"), "{told}");
    assert!(!output.status.success());
}
