//! How a message goes out: free-form, as a Meta template, or not before the recipient writes in.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use hookswitch_simulator::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{SOON, Stage, wait_until, write_rule};

const ANN: &str = "15550100001";
const BODY: &str = "The workshop has a note for you: {{ text }} is what it says.";

/// Whatever an event says is the decision; the templates are `auto`, `text`, and those with a policy.
fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| write_rule(folder.path(), file, text);
    write("any/routes.yaml", "- on: any\n  script: any.rhai\n");
    write("any/any.rhai", "fn decide(event) { event.data }");
    for (name, front) in [
        ("note", "mode: auto"),
        ("chat", "mode: text"),
        ("careful", "mode: text\non_unknown: hold"),
        ("fleeting", "mode: text\non_unknown: drop"),
    ] {
        let front = format!("description: A note\ncategory: utility\nlanguage: en_US\n{front}");
        write(&format!("any/templates/{name}.j2"), &format!("---\n{front}\n---\n{BODY}\n"));
    }
    folder
}

async fn stage() -> Stage {
    let account = Settings::default().waba_id;
    Stage::with_rules(rules())
        .simulator(&["--unlimited"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str()), ("HOOKSWITCH_UNKNOWN_AFTER", "2s")])
        .start()
        .await
}

async fn send(stage: &Stage, template: &str, text: &str) -> String {
    let decision = json!({"template": template, "contacts": [ANN], "context": {"text": text}});
    stage.host.accept(&json!({"type": "any", "subject": "s", "data": decision})).await
}

async fn ann_writes(stage: &Stage) {
    stage.simulator.inbound(&json!({"from": ANN, "name": "Ann", "text": "hello"})).await;
    let heard = format!("SELECT count(*) FROM contact WHERE wa_id = '{ANN}' AND last_inbound_at IS NOT NULL");
    wait_until("the host has heard of it", SOON, async || stage.database.count(&heard).await == 1).await;
}

fn push(stage: &Stage) {
    let account = Settings::default();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
    command.env_clear().args(["templates", "push", "--yes", "--rules"]).arg(&stage.rules);
    command.env("WHATSAPP_API_URL", stage.simulator.api_url());
    command.env("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id);
    let pushed = command.env("WHATSAPP_ACCESS_TOKEN", account.access_token).output().unwrap();
    assert!(pushed.status.success(), "{}", String::from_utf8_lossy(&pushed.stderr));
}

async fn in_use(stage: &Stage, name: Option<&str>) {
    let sql = "SELECT name FROM meta_template_switch WHERE template = 'note' ORDER BY ordinal DESC LIMIT 1";
    let find = async || {
        let rows = stage.database.query(sql, &[]).await;
        rows.first().map(|row| row.get::<_, Option<String>>(0))
    };
    let name = Some(name.map(str::to_owned));
    wait_until("the version is in use", SOON, async || find().await == name).await;
}

fn unknown(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
    command.env_clear().arg("unknown").args(arguments).env("DATABASE_URL", stage.database.url());
    command.output().unwrap()
}

async fn kinds(stage: &Stage) -> Vec<String> {
    let messages = stage.simulator.messages().await;
    messages.iter().map(|message| message["request"]["type"].as_str().unwrap().to_owned()).collect()
}

fn rows(notification: &Value) -> Vec<(i64, String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = notification["deliveries"].as_array().unwrap().iter();
    rows.map(|row| (row["attempt"].as_i64().unwrap(), text(row, "status"), text(row, "detail"))).collect()
}

#[tokio::test]
async fn what_cannot_go_out_yet_waits_for_the_recipient_and_keeps_nobody_waiting() {
    let stage = stage().await;
    let chat = send(&stage, "chat", "one").await;
    let note = send(&stage, "note", "two").await;
    let waits = stage.notification(&chat, "deferred").await;
    assert!(rows(&waits)[0].2.contains("waits for the recipient to write in"), "{waits:#}");
    let waits = stage.notification(&note, "deferred").await;
    assert!(rows(&waits)[0].2.contains("approve a version"), "{waits:#}");
    assert_eq!(waits["waits"]["reason"], "window");
    assert!(stage.simulator.messages().await.is_empty());

    // Once it is approved, the one that may go as a template goes; the other still waits.
    push(&stage);
    stage.notification(&note, "read").await;
    assert_eq!(kinds(&stage).await, ["template"]);
    assert_eq!(stage.notification(&chat, "deferred").await["waits"]["reason"], "window");

    ann_writes(&stage).await;
    stage.notification(&chat, "read").await;
    let third = send(&stage, "note", "three").await;
    stage.notification(&third, "read").await;
    assert_eq!(kinds(&stage).await, ["template", "text", "text"], "the window is open now");
}

#[tokio::test]
async fn what_waits_for_a_window_expires_with_its_reason() {
    let stage = stage().await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(12);
    let decision = json!({"template": "chat", "contacts": [ANN], "context": {"text": "now or never"},
        "expires_at": soon.to_string()});
    let id = stage.host.accept(&json!({"type": "any", "data": decision})).await;
    let expired = stage.notification(&id, "expired").await;
    assert!(rows(&expired)[0].2.contains("waits for the recipient to write in"), "{expired:#}");
    assert!(stage.simulator.messages().await.is_empty());
}

#[tokio::test]
async fn a_window_that_meta_closed_makes_a_template_of_it_once() {
    for webhook in [false, true] {
        let stage = stage().await;
        push(&stage);
        in_use(&stage, Some("note")).await;
        ann_writes(&stage).await;
        stage.simulator.turn(&json!({"errors": [{"code": 131047, "next": 1, "webhook": webhook}]})).await;
        let id = send(&stage, "note", "hello").await;
        let read = stage.notification(&id, "read").await;
        let sent: Vec<_> = rows(&read).into_iter().filter(|row| row.1 == "sending").collect();
        assert_eq!(sent.len(), 2, "{read:#}");
        assert!(sent[0].2.starts_with("free-form"), "{read:#}");
        assert!(sent[1].2.starts_with("as the Meta template note"), "{read:#}");
    }
}

#[tokio::test]
async fn a_paused_template_is_parked_and_its_messages_wait() {
    let stage = stage().await;
    push(&stage);
    in_use(&stage, Some("note")).await;
    // Meta pauses it, and its webhook about that is lost.
    stage.simulator.turn(&json!({"template_review_ms": 0, "errors": [{"code": 132015, "next": 1}]})).await;
    let first = send(&stage, "note", "one").await;
    let waits = stage.notification(&first, "deferred").await;
    let told = rows(&waits);
    assert!(told.iter().any(|row| row.1 == "retrying" && row.2.contains("132015")), "{waits:#}");
    let second = send(&stage, "note", "two").await;
    let waits = stage.notification(&second, "deferred").await;
    assert!(rows(&waits)[0].2.contains("refused the template"), "{waits:#}");
    assert!(stage.simulator.messages().await.is_empty(), "nothing goes out as it");

    // Free-form they may go.
    ann_writes(&stage).await;
    stage.notification(&first, "read").await;
    stage.notification(&second, "read").await;
    assert_eq!(kinds(&stage).await, ["text", "text"]);
}

#[tokio::test]
async fn what_nobody_can_tell_is_decided_by_its_template_or_by_an_operator() {
    let stage = stage().await;
    ann_writes(&stage).await;
    stage.simulator.turn(&json!({"errors": [{"http_status": 504, "next": 4}]})).await;
    let dropped = send(&stage, "fleeting", "one").await;
    let failed = stage.notification(&dropped, "failed").await;
    assert!(rows(&failed).last().unwrap().2.contains("its template says drop"), "{failed:#}");

    let mut held = Vec::new();
    for text in ["resend me", "drop me"] {
        let id = send(&stage, "careful", text).await;
        let waits = async || stage.host.event(&id).await["decisions"][0]["notifications"][0].clone();
        wait_until("it waits for an operator", SOON, async || waits().await["waits"]["reason"] == "hold")
            .await;
        let notification = waits().await["id"].as_str().unwrap().to_owned();
        held.push((id, notification));
    }
    let listed = unknown(&stage, &["list", "--json"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    for (_, notification) in &held {
        assert!(listed.contains(notification), "{listed}");
    }
    assert!(unknown(&stage, &["drop", &held[1].1]).status.success());
    assert!(stage.notification(&held[1].0, "failed").await["waits"].is_null());
    stage.simulator.turn(&json!({"errors": []})).await;
    assert!(unknown(&stage, &["resend", "--all"]).status.success());
    stage.notification(&held[0].0, "read").await;
    assert_eq!(stage.simulator.messages().await.len(), 1);
    assert!(String::from_utf8_lossy(&unknown(&stage, &["list"]).stdout).starts_with("No messages"));
    let again = unknown(&stage, &["resend", &held[0].1]);
    assert_eq!(again.status.code(), Some(1), "{}", String::from_utf8_lossy(&again.stderr));
}

#[tokio::test]
async fn a_message_that_meta_holds_for_its_quality_shows_as_held_until_it_is_released() {
    let stage = stage().await;
    push(&stage);
    in_use(&stage, Some("note")).await;
    stage.simulator.turn(&json!({"held_for_quality": 1.0, "held_ms": 1_500})).await;
    let id = send(&stage, "note", "hello").await;
    stage.notification(&id, "held").await;
    let read = stage.notification(&id, "read").await;
    let statuses: Vec<String> = rows(&read).into_iter().map(|row| row.1).collect();
    assert_eq!(statuses, ["sending", "accepted", "held", "sent", "delivered", "read"], "{read:#}");
}

#[tokio::test]
async fn a_held_message_that_meta_drops_waits_for_another_version_or_the_window() {
    let stage = stage().await;
    push(&stage);
    in_use(&stage, Some("note")).await;
    let errors = json!([{"code": 132015, "next": 1, "webhook": true}]);
    stage.simulator.turn(&json!({"held_for_quality": 1.0, "held_ms": 500, "errors": errors})).await;
    let id = send(&stage, "note", "hello").await;
    let dropped = "SELECT count(*) FROM delivery WHERE status = 'failed' AND code = 132015";
    wait_until("it is dropped", SOON, async || stage.database.count(dropped).await == 1).await;
    ann_writes(&stage).await;
    stage.notification(&id, "read").await;
    assert_eq!(kinds(&stage).await.last().map(String::as_str), Some("text"));
}
