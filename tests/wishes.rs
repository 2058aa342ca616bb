//! When nothing is sent: to those who opted out, in quiet hours, to those who were deactivated meanwhile.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod identity;
mod ways;

use hookswitch_simulator::Settings;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Builder, SOON, Stage, create_key, http, program, wait_until, write_rule};

const ANN: &str = "15550100001";

fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| write_rule(folder.path(), file, text);
    write("groups.yaml", "- name: Ops\n  description: Operations\n");
    write("any/routes.yaml", "- on: any\n  script: any.rhai\n");
    write("any/any.rhai", "fn decide(event) { event.data }");
    for category in ["utility", "marketing"] {
        let front = format!("description: A note\ncategory: {category}\nlanguage: en_US");
        write(
            &format!("any/templates/{category}.j2"),
            &format!("---\n{front}\n---\nNote {{{{ n }}}} for you."),
        );
    }
    folder
}

async fn stage() -> Stage {
    with(&[], &[]).person("ann", ANN, &["Ops"]).start().await
}

fn with(flags: &[&str], settings: &[(&str, &str)]) -> Builder {
    Stage::with_rules(rules())
        .simulator(&[&["--unlimited", "--unknown-templates"], flags].concat())
        .settings(settings)
}

impl Stage {
    /// Posts a change of Meta's webhook, signed, which must be taken.
    async fn webhook(&self, field: &str, mut value: Value) {
        value["messaging_product"] = "whatsapp".into();
        value["metadata"] = json!({"phone_number_id": Settings::default().phone_number_id});
        let change = json!({"field": field, "value": value});
        self.host.post_webhook(&json!({"entry": [{"id": "1", "changes": [change]}]})).await;
    }

    async fn send(&self, template: &str, more: Value) -> String {
        let mut decision = json!({"template": template, "users": ["ann"], "context": {"n": 1}});
        decision.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.host.accept(&json!({"type": "any", "data": decision})).await
    }

    /// Sends a message of this template; it is skipped for this reason.
    async fn is_skipped(&self, template: &str, why: &str) {
        let id = self.send(template, json!({})).await;
        let skipped = self.notification(&id, "skipped").await;
        let said = skipped["deliveries"][0]["detail"].as_str().unwrap();
        assert!(said.contains(why), "{said}");
    }

    async fn is_read(&self, template: &str) {
        let id = self.send(template, json!({})).await;
        self.notification(&id, "read").await;
    }

    async fn ann_writes(&self, text: &str) {
        let wishes = "SELECT count(*) FROM opt_out o JOIN contact c ON c.id = o.contact_id
                      WHERE c.wa_id = '15550100001' AND NOT o.came_back";
        let before = self.database.count(wishes).await;
        self.simulator.inbound(&json!({"from": ANN, "name": "Ann", "text": text})).await;
        wait_until("it is recorded", SOON, async || self.database.count(wishes).await != before).await;
    }
}

#[tokio::test]
async fn who_writes_stop_gets_nothing_until_they_write_start() {
    let stage = stage().await;
    stage.is_read("utility").await;
    stage.ann_writes(" Stop! ").await;
    stage.is_skipped("utility", "they wrote \"Stop!\"").await;
    let listed = stage.says(&["contacts", "list"]);
    assert!(listed.contains("opted out on 20"), "{listed}");
    stage.ann_writes("START").await;
    stage.is_read("utility").await;
}

#[tokio::test]
async fn a_stop_that_meta_repeats_does_not_undo_the_start_after_it() {
    let stage = stage().await;
    let writes = async |text: &str, second: i64| {
        let message = json!({"from": ANN, "id": format!("wamid.{second}"), "timestamp": second.to_string(),
            "type": "text", "text": {"body": text}});
        stage.webhook("messages", json!({"messages": [message]})).await;
    };
    let out = async || stage.database.count("SELECT count(*) FROM opt_out WHERE NOT came_back").await;
    let now = Timestamp::now().as_second();
    writes("STOP", now - 20).await;
    assert_eq!(out().await, 1);
    let checked = program(&["check", "--json"]).env("DATABASE_URL", stage.database.url()).output().unwrap();
    assert!(String::from_utf8_lossy(&checked.stdout).contains("people.opted_out"));
    writes("START", now - 10).await;
    assert_eq!(out().await, 0);
    writes("STOP", now - 20).await;
    assert_eq!(out().await, 0);
    stage.is_read("utility").await;
    writes("STOP", now).await;
    assert_eq!(out().await, 1);
}

#[tokio::test]
async fn what_waits_is_not_sent_to_who_opts_out_meanwhile() {
    let stage = stage().await;
    let id = stage.send("utility", json!({"after": "1h"})).await;
    stage.notification(&id, "deferred").await;
    stage.ann_writes("STOP").await;
    stage.database.query("UPDATE deferred SET due_at = now()", &[]).await;
    let skipped = stage.notification(&id, "skipped").await;
    assert!(skipped["waits"].is_null(), "{skipped:#}");
    assert!(stage.simulator.messages().await.is_empty());
}

#[tokio::test]
async fn metas_refusal_of_marketing_is_remembered_and_leaves_the_rest() {
    for webhook in [false, true] {
        let stage = stage().await;
        stage.simulator.turn(&json!({"errors": [{"code": 131050, "next": 1, "webhook": webhook}]})).await;
        let id = stage.send("marketing", json!({})).await;
        stage.notification(&id, "failed").await;
        stage.is_skipped("marketing", "opted out of marketing messages").await;
        stage.is_read("utility").await;
        stage.says(&["contacts", "opt-in", ANN]);
        stage.is_read("marketing").await;
    }
}

#[tokio::test]
async fn an_operator_opts_somebody_out_over_the_command_line_and_http() {
    let stage = stage().await;
    stage.says(&["contacts", "opt-out", "+1 555 010 0001", "--marketing"]);
    stage.is_skipped("marketing", "set by an operator").await;
    stage.is_read("utility").await;
    let key = create_key(&stage.database, "desk", &["admin"]);
    let url = format!("{}/v1/contacts/{ANN}/opt-out", stage.host.url());
    let put = http().put(&url).bearer_auth(&key).json(&json!({})).send().await.unwrap();
    assert_eq!(put.status(), 204);
    stage.is_skipped("utility", "set by an operator").await;
    let contacts =
        http().get(format!("{}/v1/contacts", stage.host.url())).bearer_auth(&key).send().await.unwrap();
    let contacts: Value = contacts.json().await.unwrap();
    assert_eq!(contacts["data"][0]["opt_out"]["scope"], "all");
    assert_eq!(http().delete(&url).bearer_auth(&key).send().await.unwrap().status(), 204);
    stage.is_read("utility").await;
    let wrong =
        program(&["contacts", "opt-out", "12"]).env("DATABASE_URL", stage.database.url()).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
}

#[tokio::test]
async fn in_quiet_hours_only_what_is_urgent_goes_out() {
    let stage = stage().await;
    let clock =
        |hours: i64| (Timestamp::now() + SignedDuration::from_hours(hours)).strftime("%H:%M").to_string();
    let hours = format!("{}-{}", clock(-2), clock(2));
    stage.says(&["people", "quiet", "ann", &hours, "--time-zone", "Etc/UTC"]);
    assert!(stage.says(&["people", "list"]).contains(&hours));
    let id = stage.send("utility", json!({})).await;
    let waits = stage.notification(&id, "deferred").await;
    assert_eq!(waits["waits"]["reason"], "quiet");
    let why = waits["deliveries"][0]["detail"].as_str().unwrap();
    assert!(
        why.starts_with("waits until 20") && why.ends_with(&format!("quiet hours {hours} Etc/UTC")),
        "{why}"
    );
    let urgent = stage.send("utility", json!({"priority": "urgent"})).await;
    stage.notification(&urgent, "read").await;

    // They end.
    stage.says(&["people", "quiet", "ann", "--off"]);
    stage.notification(&id, "read").await;
    let mut wrong = program(&["people", "quiet", "ann", "10_11", "--time-zone", "Mars"]);
    let wrong = wrong.env("DATABASE_URL", stage.database.url()).output().unwrap();
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("expected quiet hours, for example 21:00-06:30"),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn who_is_deactivated_while_a_message_waits_does_not_get_it() {
    let stage = stage().await;
    let id = stage.send("utility", json!({"after": "1h"})).await;
    stage.notification(&id, "deferred").await;
    stage.says(&["people", "deactivate", "ann"]);
    stage.database.query("UPDATE deferred SET due_at = now()", &[]).await;
    let skipped = stage.notification(&id, "skipped").await;
    let rows = skipped["deliveries"].as_array().unwrap();
    assert_eq!(rows.last().unwrap()["detail"], "ann is deactivated");
}
