//! The system's own events: they go through the same routes, once each, whatever ends in between.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{SOON, Stage, TEXT, wait_until, write_rule};

const TOLD: &str = "SELECT count(*) FROM event WHERE type = 'message.failed' AND source = '/hookswitch'";
const UNTOLD: &str = "SELECT count(*) FROM failure";

/// Says hello to whomever an event names, and tells Ops of failures.
fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| write_rule(folder.path(), file, text);
    write("groups.yaml", "- name: Ops\n  description: Operations\n");
    write(
        "any/routes.yaml",
        "- on: hello\n  template: hello\n  contacts: [event.data.to]\n\
         - on: message.failed\n  template: failed\n  groups: [Ops]\n  context:\n    count: event.data.count\n    \
         to: event.data.contact.whatsapp_id\n    code: event.data.error.code\n\
         - on: number.quality_changed\n  template: quality\n  groups: [Ops]\n  context:\n    limit: event.data.limit\n",
    );
    for (name, body) in [
        ("hello", "Hello"),
        ("failed", "{{ count }} failed with {{ code }}, first to {{ to }}"),
        ("quality", "Now {{ limit }}"),
    ] {
        write(&format!("any/templates/{name}.j2"), &format!("{TEXT}{body}"));
    }
    folder
}

async fn stage() -> Stage {
    Stage::with_rules(rules()).person("ann", "15550100001", &["Ops"]).open_windows().start().await
}

impl Stage {
    async fn hello(&self, to: &str) {
        self.host.accept(&json!({"type": "hello", "data": {"to": to}})).await;
    }

    /// The data of all events that tell of failures, the first first.
    async fn told(&self) -> Vec<Value> {
        let sql = "SELECT data FROM event WHERE type = 'message.failed' ORDER BY received_at, seq";
        let rows = self.database.query(sql, &[]).await;
        rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
    }

    async fn texts(&self) -> Vec<String> {
        self.simulator
            .messages()
            .await
            .iter()
            .map(|m| m["request"]["text"]["body"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn a_message_that_fails_is_told_to_those_whom_a_route_names() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131026, "to": "15550100077"}]})).await;
    stage.hello("15550100077").await;
    let said = "1 failed with 131026, first to 15550100077";
    wait_until("Ops hears of it", SOON, async || stage.texts().await.iter().any(|text| text == said)).await;
    let told = stage.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["template"], "hello");
    assert_eq!(told[0]["event"]["type"], "hello");
    assert_eq!(stage.database.count(UNTOLD).await, 0);
}

#[tokio::test]
async fn a_failure_that_meta_reports_late_is_told_and_one_that_is_tried_again_is_not() {
    let stage = stage().await;
    let errors = json!([{"code": 131026, "to": "15550100077", "webhook": true},
                        {"code": 131000, "to": "15550100078", "webhook": true, "next": 1}]);
    stage.simulator.turn(&json!({"errors": errors})).await;
    stage.hello("15550100078").await;
    stage.hello("15550100077").await;
    wait_until("both are settled", SOON, async || {
        stage.database.count(UNTOLD).await == 0 && stage.failed().await == 2
    })
    .await;
    let told = stage.told().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["contact"]["whatsapp_id"], "15550100077");
}

#[tokio::test]
async fn a_burst_is_few_events_that_count_all_and_failing_notices_raise_none() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131026}]})).await;
    for n in 0..40 {
        stage.hello(&format!("155501001{n:02}")).await;
    }
    wait_until("all have failed, and the first notice too", SOON, async || stage.failed().await == 41).await;
    assert_eq!(stage.database.count(TOLD).await, 1, "one event a minute");

    // The minute is over.
    let over = "UPDATE failure_cause SET told_at = told_at - interval '61 seconds'";
    let counted =
        async || -> i64 { stage.told().await.iter().map(|told| told["count"].as_i64().unwrap()).sum() };
    for _ in 0..3 {
        stage.database.query(over, &[]).await;
        let events = stage.database.count(TOLD).await;
        let looked =
            async || stage.database.count(UNTOLD).await == 0 || stage.database.count(TOLD).await > events;
        wait_until("the rest is told", SOON, looked).await;
    }
    stage.database.query(over, &[]).await;
    wait_until("nothing is left to tell", SOON, async || stage.database.count(UNTOLD).await == 0).await;
    assert_eq!(counted().await, 40, "each failure is counted once, and notices are not");
    assert!(stage.database.count(TOLD).await <= 4);
}

#[tokio::test]
async fn a_crash_between_a_failure_and_its_event_loses_nothing() {
    let mut stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131026, "to": "15550100077"}]})).await;
    stage.hello("15550100077").await;
    wait_until("it has failed", SOON, async || stage.failed().await == 1).await;
    stage.host.kill();
    assert_eq!(
        (stage.database.count(TOLD).await, stage.database.count(UNTOLD).await),
        (0, 1),
        "told too soon to see"
    );
    stage.host.restart();
    wait_until("it is told", SOON, async || stage.database.count(TOLD).await == 1).await;
    let heard = async || stage.texts().await.iter().any(|text| text.starts_with("1 failed"));
    wait_until("Ops hears of it", SOON, heard).await;
}

#[tokio::test]
async fn a_change_of_the_numbers_quality_is_told_once() {
    let stage = stage().await;
    let change = json!({"field": "phone_number_quality_update", "value": {"display_phone_number": "15550783881",
        "event": "DOWNGRADE", "old_limit": "TIER_10K", "current_limit": "TIER_1K"}});
    let body = json!({"object": "whatsapp_business_account",
                      "entry": [{"id": "1", "time": 1_739_321_024, "changes": [change]}]});
    for _ in 0..2 {
        stage.host.post_webhook(&body).await;
    }
    wait_until("Ops hears of it", SOON, async || stage.texts().await == ["Now TIER_1K"]).await;
    assert_eq!(stage.database.count("SELECT count(*) FROM event").await, 1);
}
