//! A plugin's life: dropped in, replaced by a bad one, failing, resumed.

use std::fs;

use serde_json::json;

use super::{Folders, Stage, component};
use crate::harness::{SOON, program, wait_until};

#[tokio::test]
async fn a_plugin_that_is_dropped_in_decides_without_a_restart() {
    let stage = Stage::set(Folders::new(), &[]).await;
    let event = json!({"type": "good.day", "data": {}});
    assert_eq!(stage.decided(&event).await["outcome"], "no_route");
    stage.folders.plugin("friendly", "good.*", "");
    wait_until("the plugin is live", SOON, async || stage.host.said().contains("plugins=1")).await;
    let decision = stage.decided(&json!({"type": "good.day", "id": "g-1", "data": {}})).await;
    assert_eq!((&decision["outcome"], &decision["engine"]), (&json!("notify"), &json!("plugin")));
    assert_eq!(decision["rule"], "plugins/friendly/plugin.yaml:1");
    let arrived = "SELECT count(*) FROM delivery WHERE status = 'read'";
    wait_until("its message is read", SOON, async || stage.database.count(arrived).await == 1).await;
    assert_eq!(decision["notifications"][0]["message"]["body"], "This is from g-1, all right.");
    assert_eq!(stage.simulator.messages().await.len(), 1);

    // A bad one is refused, and the old one stays.
    stage.folders.write("plugins/friendly/friendly.wasm", &component()[..1_000]);
    wait_until("the bad one is refused", SOON, async || stage.host.said().contains("not a valid component"))
        .await;
    let decision = stage.decided(&json!({"type": "good.day", "id": "g-2", "data": {}})).await;
    assert_eq!(decision["outcome"], "notify");
}

#[tokio::test]
async fn events_that_a_plugin_failed_on_are_kept_and_decided_again() {
    let folders = Folders::new();
    folders.plugin("moody", "mood.*", "on_failure: park");
    let stage = Stage::set(folders, &[]).await;
    let id = stage.host.accept(&json!({"type": "mood.bad", "id": "m-1", "data": {"do": "panic"}})).await;
    wait_until("the event is parked", SOON, async || {
        stage.host.event(&id).await["decisions"][0]["outcome"] == "parked"
    })
    .await;
    assert_eq!(stage.database.count("SELECT count(*) FROM parked").await, 1);
    // A new revision that handles such events, as its author would bring it: a route that does not ask it.
    stage.folders.plugin("moody", "mood.*", "on_failure: skip");
    wait_until("the new one is live", SOON, async || stage.host.said().contains("new rules are live")).await;
    let resume = |arguments: &[&str]| {
        let output = program(arguments).env("DATABASE_URL", stage.database.url()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(resume(&["plugin", "parked"]).contains("moody   1       20"));
    assert!(resume(&["plugin", "resume", "moody"]).contains("Re-running 1 event of moody."));
    wait_until("it is decided again", SOON, async || {
        stage.host.event(&id).await["decisions"][1]["outcome"] == "skip"
    })
    .await;
    assert_eq!(stage.database.count("SELECT count(*) FROM parked").await, 0);
    assert_eq!(stage.database.count("SELECT count(*) FROM decision").await, 2);
}

#[tokio::test]
async fn a_revision_that_keeps_failing_gives_way_to_the_last_good_one() {
    let folders = Folders::new();
    folders.plugin("shaky", "shake.*", "on_failure: skip");
    let stage = Stage::set(folders, &[]).await;
    let event = |what: &str| json!({"type": "shake.it", "data": {"do": what}});
    assert_eq!(stage.decided(&event("nothing")).await["outcome"], "notify");
    // The same component with a section that says nothing: another revision.
    let mut other = component().to_vec();
    other.extend([0, 3, 1, b'x', 0]);
    let manifest =
        "id: shaky\nversion: 2.0.0\ncontract: \"1.0\"\nowner: Tests\non: [shake.*]\non_failure: skip\n";
    stage.folders.write("plugins/shaky/plugin.yaml", manifest.as_bytes());
    stage.folders.write("plugins/shaky/shaky.wasm", &other);
    wait_until("the new revision is live", SOON, async || {
        stage.decided(&event("say")).await;
        stage.host.said().contains("version=\"2.0.0\"")
    })
    .await;
    for _ in 0..5 {
        assert_eq!(stage.decided(&event("panic")).await["outcome"], "skip");
    }
    assert!(stage.host.said().contains("failed 5 times in a row and is parked"));
    let told = "SELECT count(*) FROM event WHERE type = 'plugin.parked' AND source = '/hookswitch'
                AND data::jsonb @> '{\"plugin\": \"shaky\", \"version\": \"2.0.0\", \"resumed\": \"1.0.0\"}'";
    wait_until("rules are told", SOON, async || stage.database.count(told).await == 1).await;
    let said_before = stage.host.said().len();
    assert_eq!(stage.decided(&event("say")).await["outcome"], "skip");
    wait_until("the good revision speaks", SOON, async || {
        stage.host.said()[said_before..].contains("version=\"1.0.0\"")
    })
    .await;
}

#[tokio::test]
async fn failures_that_a_plugin_answers_do_not_park_it() {
    let folders = Folders::new();
    folders.plugin("strict", "strict.*", "on_failure: skip");
    let stage = Stage::set(folders, &[]).await;
    let event = |what: &str| json!({"type": "strict.it", "data": {"do": what}});
    for _ in 0..7 {
        let failed = stage.decided(&event("fail")).await;
        assert_eq!(failed["reason"], "the plugin strict failed: this event is not good", "{failed:#}");
    }
    assert_eq!(stage.decided(&event("nothing")).await["outcome"], "notify");
    assert!(!stage.host.said().contains("is parked"));
}

#[tokio::test]
async fn a_route_can_name_a_plugin_and_what_it_asked_is_recorded() {
    let folders = Folders::new();
    folders.plugin("named", "", "config: {key-0: 7}\non_failure: skip");
    folders.write(
        "rules/notes/routes.yaml",
        b"- on: asked.*\n  when: event.data.ask == true\n  plugin: named\n",
    );
    let stage = Stage::set(folders, &[]).await;
    let not_asked = stage.decided(&json!({"type": "asked.not", "data": {"ask": false}})).await;
    assert_eq!(not_asked["outcome"], "skip");
    let asked = stage.decided(&json!({"type": "asked.yes", "data": {"ask": true, "do": "questions"}})).await;
    assert!(asked["reason"].as_str().unwrap().contains("asked more than 100"), "{asked}");
    assert_eq!(asked["asked"].as_array().unwrap().len(), 100);
    assert_eq!(asked["asked"][0], json!({"port": "config", "question": "key-0", "answer": 7}));
}

#[test]
fn the_same_event_is_decided_the_same_in_another_process() {
    let folders = Folders::new();
    folders.plugin("steady", "good.*", "");
    let event = folders.plugins().join("event.json");
    fs::write(&event, r#"{"type": "good.day", "id": "same", "time": "2026-11-23T09:00:00Z", "data": {}}"#)
        .unwrap();
    let decided = || {
        let output = program(&["plugin", "try", "--at", "2026-11-23T09:00:00Z", "--rules"])
            .arg(folders.rules())
            .arg(&event)
            .envs(folders.settings())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let first = decided();
    assert!(String::from_utf8_lossy(&first).contains("This is from same"));
    assert_eq!(decided(), first);
}
