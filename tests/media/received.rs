//! Files that people send are fetched by who may see them.

use hookswitch_simulator::Settings;
use reqwest::Response;
use serde_json::{Value, json};

use super::{ANN, upload};
use crate::{
    console::Browser,
    harness::{SOON, Stage, assert_described, create_key, http, program, wait_until},
};

const ROOF: &[u8] = b"\xff\xd8\xff\xe0 the roof";

async fn stage() -> Stage {
    let route =
        "- on: message.received\n  when: skip(\"for the record\")\n  template: note\n  groups: [Ops]\n";
    Stage::builder().rules(&[("inbox/routes.yaml", route)]).start().await
}

/// Somebody sends a file; returns Meta's id of it.
async fn send(stage: &Stage, kind: &str, mime_type: &str, name: Option<&str>) -> String {
    let id = upload(&stage.simulator, mime_type, ROOF).await;
    let file = json!({"id": id, "mime_type": mime_type, "sha256": "…", "filename": name});
    stage.simulator.inbound(&json!({"from": ANN, "message": {"type": kind, kind: file}})).await;
    let named = format!("SELECT count(*) FROM event WHERE data LIKE '%\"id\":\"{id}\"%'");
    wait_until("it is an event", SOON, async || stage.database.count(&named).await == 1).await;
    id
}

async fn get(stage: &Stage, key: &str, id: &str) -> Response {
    http().get(format!("{}/v1/media/{id}", stage.host.url())).bearer_auth(key).send().await.unwrap()
}

async fn refused(stage: &Stage, key: &str, id: &str) -> (u16, Value) {
    let answer = get(stage, key, id).await;
    let (status, media_type) = (answer.status().as_u16(), answer.headers()["content-type"].clone());
    let body: Value = answer.json().await.unwrap();
    assert_described("GET", &format!("/v1/media/{id}"), status, media_type.to_str().ok(), &body);
    (status, body["code"].clone())
}

#[tokio::test]
async fn a_file_is_streamed_to_who_may_see_it() {
    let stage = stage().await;
    let id = send(&stage, "document", "application/pdf", Some("Plan \"A\".pdf")).await;
    let key = create_key(&stage.database, "office", &["read", "personal"]);
    let answer = get(&stage, &key, &id).await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/pdf");
    assert_eq!(header("content-disposition"), "attachment; filename*=UTF-8''Plan%20%22A%22%2Epdf");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("content-length"), ROOF.len().to_string());
    assert_eq!(answer.bytes().await.unwrap(), ROOF);

    let only_reads = create_key(&stage.database, "reader", &["read"]);
    assert_eq!(refused(&stage, &only_reads, &id).await.0, 403);
    let unnamed = upload(&stage.simulator, "image/jpeg", ROOF).await;
    assert_eq!(refused(&stage, &key, &unnamed).await, (404, json!("media_unknown")), "no event names it");
    assert_eq!(refused(&stage, &key, "%00").await.0, 400);

    let account = Settings::default();
    let gone = http().delete(format!("{}/{id}", stage.simulator.api_url())).bearer_auth(account.access_token);
    assert_eq!(gone.send().await.unwrap().status(), 200);
    assert_eq!(refused(&stage, &key, &id).await, (410, json!("media_gone")));
}

#[tokio::test]
async fn a_file_is_fetched_on_the_command_line_and_in_the_console() {
    let stage = stage().await;
    let id = send(&stage, "image", "image/jpeg", None).await;
    let event: String = stage.database.query("SELECT id FROM event", &[]).await[0].get(0);
    let browser = Browser::log_in(&stage, "office", &["read", "personal"]).await;
    let path = format!("/event?id={event}");
    let page = browser.page(&path).await;
    assert!(page.contains(&format!("href=\"/media/{id}\"")), "{page}");
    let answer = browser.get(&format!("/media/{id}")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert_eq!(answer.bytes().await.unwrap(), ROOF);
    let reader = Browser::log_in(&stage, "reader", &["read"]).await;
    assert!(!reader.page(&path).await.contains("/media/"));
    assert_eq!(reader.get(&format!("/media/{id}")).send().await.unwrap().status(), 403);

    let file = stage.rules.join("../roof.jpg");
    let fetch = || {
        let mut command = program(&["media", "get", &id, "--output"]);
        command
            .arg(&file)
            .env("DATABASE_URL", stage.database.url())
            .env("WHATSAPP_API_URL", stage.simulator.api_url())
            .env("WHATSAPP_ACCESS_TOKEN", Settings::default().access_token);
        command.output().unwrap()
    };
    let output = fetch();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("(image/jpeg, 13 bytes)"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), ROOF);
    let again = String::from_utf8(fetch().stderr).unwrap();
    assert!(again.contains("cannot write"), "it replaces no file: {again}");
    std::fs::remove_file(&file).unwrap();
}
