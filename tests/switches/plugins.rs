//! A plugin that is stopped is not called.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{CACHE, SOON, Stage, component, wait_until, write_file};

const MANIFEST: &str = "id: friendly\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Tests\non: [good.*]\n";

async fn stage() -> (Stage, TempDir) {
    let plugins = tempfile::tempdir().unwrap();
    write_file(plugins.path(), "friendly/plugin.yaml", MANIFEST.as_bytes());
    write_file(plugins.path(), "friendly/friendly.wasm", component());
    let folder = plugins.path().display().to_string();
    let note = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\nmode: text\n---\nThis is from {{ name }}.";
    let stage = Stage::builder()
        .settings(&[("HOOKSWITCH_PLUGINS", &folder), ("HOOKSWITCH_PLUGIN_CACHE", CACHE)])
        .rules(&[("any/templates/note.j2", note)])
        .person("ann", "15550100001", &["Ops"])
        .open_windows()
        .start()
        .await;
    (stage, plugins)
}

async fn good_day(stage: &Stage) -> String {
    stage.host.accept(&json!({"type": "good.day", "data": {}})).await
}

async fn calls(stage: &Stage) -> Value {
    let key = crate::harness::create_key(&stage.database, &uuid::Uuid::now_v7().to_string(), &["admin"]);
    let answer = crate::harness::http().get(format!("{}/v1/plugins", stage.host.url())).bearer_auth(key);
    let answer: Value = answer.send().await.unwrap().json().await.unwrap();
    answer["data"][0]["calls"].clone()
}

#[tokio::test]
async fn its_events_wait_or_are_skipped() {
    let (stage, _plugins) = stage().await;
    let first = good_day(&stage).await;
    stage.notification(&first, "read").await;
    let before = calls(&stage).await;

    let plugins = ["--plugins", _plugins.path().to_str().unwrap()];
    let stop = |more: &[&str]| {
        stage.says(&[&["stop", "plugin", "friendly", "--reason", "a loop"], more, &plugins].concat())
    };
    assert!(stop(&[]).starts_with("Stopped plugin friendly."));
    let waits = good_day(&stage).await;
    let decision = stage.decision(&waits, "parked").await;
    let why = decision["reason"].as_str().unwrap();
    assert!(why.starts_with("plugin friendly is stopped by ") && why.ends_with(": a loop"), "{why}");
    assert!(stage.says(&["explain", &waits]).contains(why));
    assert_eq!(stage.stopped()[0]["held_events"], 1);
    // What failed is resumed by another command, which leaves this alone.
    assert!(stage.says(&["plugin", "resume", "friendly"]).contains("0 events"));
    let check = String::from_utf8(stage.run(&["check"]).stdout).unwrap();
    assert!(check.contains("1 event waits") && !check.contains("which failed on them"), "{check}");

    let said = stage.says(&["resume", "plugin", "friendly"]);
    assert!(said.contains("and 1 event will go on"), "{said}");
    let again = async || stage.host.event(&waits).await["decisions"][1].clone();
    wait_until("it is decided", SOON, async || again().await["notifications"][0]["status"] == "read").await;
    wait_until("nothing is stopped", SOON, async || stage.stopped().is_empty()).await;
    assert_eq!(calls(&stage).await, json!(before.as_u64().unwrap() + 1), "it was called once more");

    stop(&["--drop"]);
    let skipped = good_day(&stage).await;
    let decision = stage.decision(&skipped, "skip").await;
    assert!(decision["reason"].as_str().unwrap().starts_with("plugin friendly is stopped by "), "{decision}");
    assert_eq!(stage.database.count("SELECT count(*) FROM parked").await, 0);
    stage.says(&["resume", "plugin", "friendly"]);
    let last = good_day(&stage).await;
    stage.notification(&last, "read").await;
}

#[tokio::test]
async fn what_it_decided_before_is_held_too() {
    let (stage, _plugins) = stage().await;
    // Nothing goes out: the message waits where it would be sent.
    stage.says(&["stop", "template", "note", "--reason", "first"]);
    let id = good_day(&stage).await;
    stage.held(&id).await;
    stage.says(&[
        "stop",
        "plugin",
        "friendly",
        "--reason",
        "second",
        "--plugins",
        _plugins.path().to_str().unwrap(),
    ]);
    stage.says(&["resume", "template", "note"]);
    let why =
        async || stage.host.event(&id).await["decisions"][0]["notifications"][0]["waits"]["stopped"].clone();
    wait_until("it waits for the plugin", SOON, async || {
        why().await.as_str().is_some_and(|why| why.starts_with("plugin friendly "))
    })
    .await;
    stage.says(&["resume", "plugin", "friendly"]);
    stage.notification(&id, "read").await;
}
