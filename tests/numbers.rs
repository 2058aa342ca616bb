//! Several sending numbers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{SOON, Stage, wait_until, write_rule};

const ANN: &str = "15550100001";
const USUAL: &str = "106540352242922";
const SALES: &str = "106540352242923";

fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| write_rule(folder.path(), file, text);
    write(
        "any/routes.yaml",
        "- on: any\n  script: any.rhai\n- on: offer\n  template: offer\n  contacts: [event.data.to]\n",
    );
    write("any/any.rhai", "fn decide(event) { event.data }");
    for (name, more) in [("note", ""), ("offer", "\nfrom: sales")] {
        let front = format!("description: A note\ncategory: utility\nlanguage: en_US{more}");
        write(&format!("any/templates/{name}.j2"), &format!("---\n{front}\n---\nA note for you."));
    }
    let case = "- name: the sales number sends offers\n  event: {type: offer, data: {to: '15550100001'}}\n  expect:\n    \
                - template: offer\n";
    write("any/cases/offer.yaml", case);
    folder
}

async fn stage() -> Stage {
    let more = format!("{SALES}=15550783882");
    Stage::with_rules(rules())
        .simulator(&["--unlimited", "--unknown-templates", "--number", &more])
        .settings(&[("WHATSAPP_PHONE_NUMBER_ID", &format!("{USUAL},sales={SALES}"))])
        .start()
        .await
}

/// From which numbers messages came, and as what, in their order.
async fn senders(stage: &Stage) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = stage.simulator.messages().await;
    messages.iter().map(|m| (text(&m["phone_number_id"]), text(&m["request"]["type"]))).collect()
}

fn note(more: Value) -> Value {
    let mut decision = json!({"template": "note", "contacts": [ANN]});
    decision.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    decision
}

#[tokio::test]
async fn a_template_or_a_rule_names_the_number_and_each_has_its_windows() {
    let stage = stage().await;
    let sent = |number: &str, kind: &str| (number.to_owned(), kind.to_owned());
    let offer = stage.host.accept(&json!({"type": "offer", "data": {"to": ANN}})).await;
    stage.notification(&offer, "read").await;
    let usual = stage.decide(note(json!({}))).await;
    stage.notification(&usual, "read").await;
    assert_eq!(senders(&stage).await, [sent(SALES, "template"), sent(USUAL, "template")]);

    // Ann writes to sales: there free-form goes, and only there.
    stage.simulator.inbound(&json!({"from": ANN, "to": SALES, "text": "hello"})).await;
    let opened = "SELECT count(*) FROM number_window";
    wait_until("the window is open", SOON, async || stage.database.count(opened).await == 1).await;
    for decision in [note(json!({"from": "sales"})), note(json!({}))] {
        let id = stage.decide(decision).await;
        stage.notification(&id, "read").await;
    }
    assert_eq!(senders(&stage).await[2..], [sent(SALES, "text"), sent(USUAL, "template")]);

    let id = stage.decide(note(json!({"from": "sails"}))).await;
    let decision = async || stage.host.event(&id).await["decisions"][0].clone();
    wait_until("it fails", SOON, async || decision().await["outcome"] == "failed").await;
    let why = decision().await["reason"].as_str().unwrap().to_owned();
    assert!(why.contains("unknown sending number \"sails\"") && why.contains("names sales"), "{why}");
}

#[tokio::test]
async fn no_more_users_are_written_to_in_a_day_than_meta_allows() {
    let stage = Stage::with_rules(rules())
        .simulator(&["--unlimited", "--unknown-templates", "--messaging-limit", "TIER_3"])
        .start()
        .await;
    wait_until("the host knows the limit", SOON, async || stage.host.said().contains("TIER_3")).await;
    let to = |n: usize| json!({"template": "note", "contacts": [format!("1555010000{n}")]});
    for n in [1, 2, 3, 1, 2] {
        let id = stage.decide(to(n)).await;
        stage.notification(&id, "read").await;
    }
    let fourth = stage.decide(to(4)).await;
    let waits = stage.notification(&fourth, "deferred").await;
    assert_eq!(waits["waits"]["reason"], "daily", "{waits:#}");
    assert!(waits["deliveries"][0]["detail"].as_str().unwrap().contains("3 people in 24 hours"));
    // Who wrote in is no such user.
    stage.simulator.inbound(&json!({"from": "15550100005", "text": "hello"})).await;
    let opened = "SELECT count(*) FROM contact WHERE last_inbound_at IS NOT NULL";
    wait_until("the window is open", SOON, async || stage.database.count(opened).await == 1).await;
    let fifth = stage.decide(to(5)).await;
    stage.notification(&fifth, "read").await;
    // A day later there is room.
    stage.database.query("UPDATE daily_user SET at = at - interval '1 day'", &[]).await;
    stage.database.query("UPDATE deferred SET due_at = now()", &[]).await;
    stage.notification(&fourth, "read").await;
}

#[tokio::test]
async fn a_number_that_cannot_send_keeps_no_other_waiting() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131031, "to": ANN}]})).await;
    let stopped = stage.decide(note(json!({"from": "sales"}))).await;
    stage.notification(&stopped, "retrying").await;
    wait_until("it is told", SOON, async || stage.host.said().contains("the number cannot send")).await;
    for n in 0..20 {
        let to = format!("155501001{n:02}");
        stage.decide(json!({"template": "note", "contacts": [to], "from": "sales"})).await;
    }
    let other = stage.decide(json!({"template": "note", "contacts": ["15550100200"]})).await;
    stage.notification(&other, "read").await;
    assert!(senders(&stage).await.iter().all(|(number, _)| number == USUAL), "{:?}", senders(&stage).await);
}
