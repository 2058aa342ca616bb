//! Several sending numbers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, Host, SOON, Simulator, free_port, wait_until, write_rule};

const ANN: &str = "15550100001";
const USUAL: &str = "106540352242922";
const SALES: &str = "106540352242923";

fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| write_rule(&folder, file, text);
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

struct Stage {
    simulator: Simulator,
    host: Host,
    _database: Database,
    _rules: TempDir,
}

async fn stage() -> Stage {
    let database = Database::create().await;
    let port = free_port();
    let more = format!("{SALES}=15550783882");
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates", "--number", &more]);
    let rules = rules();
    let numbers = format!("{USUAL},sales={SALES}");
    let host =
        Host::start(port, &database, &simulator, rules.path(), &[("WHATSAPP_PHONE_NUMBER_ID", &numbers)]);
    Stage { simulator, host, _database: database, _rules: rules }
}

impl Stage {
    async fn decide(&self, decision: Value) -> String {
        self.host.accept(&json!({"type": "any", "data": decision})).await
    }

    async fn until(&self, id: &str, status: &str) -> Value {
        let find = async || self.host.event(id).await["decisions"][0]["notifications"][0].clone();
        wait_until(status, SOON, async || find().await["status"] == status).await;
        find().await
    }

    /// From which numbers messages came, and as what, in their order.
    async fn sent(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = self.simulator.messages().await;
        messages.iter().map(|m| (text(&m["phone_number_id"]), text(&m["request"]["type"]))).collect()
    }
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
    stage.until(&offer, "read").await;
    let usual = stage.decide(note(json!({}))).await;
    stage.until(&usual, "read").await;
    assert_eq!(stage.sent().await, [sent(SALES, "template"), sent(USUAL, "template")]);

    // Ann writes to sales: there free-form goes, and only there.
    stage.simulator.inbound(&json!({"from": ANN, "to": SALES, "text": "hello"})).await;
    let opened = "SELECT count(*) FROM number_window";
    wait_until("the window is open", SOON, async || stage._database.count(opened).await == 1).await;
    for decision in [note(json!({"from": "sales"})), note(json!({}))] {
        let id = stage.decide(decision).await;
        stage.until(&id, "read").await;
    }
    assert_eq!(stage.sent().await[2..], [sent(SALES, "text"), sent(USUAL, "template")]);

    let id = stage.decide(note(json!({"from": "sails"}))).await;
    let decision = async || stage.host.event(&id).await["decisions"][0].clone();
    wait_until("it fails", SOON, async || decision().await["outcome"] == "failed").await;
    let why = decision().await["reason"].as_str().unwrap().to_owned();
    assert!(why.contains("the sending number \"sails\"") && why.contains("names sales"), "{why}");
}

#[tokio::test]
async fn no_more_users_are_written_to_in_a_day_than_meta_allows() {
    let database = Database::create().await;
    let port = free_port();
    let flags = ["--unlimited", "--unknown-templates", "--messaging-limit", "TIER_3"];
    let simulator = Simulator::start(port, &flags);
    let rules = rules();
    let host = Host::start(port, &database, &simulator, rules.path(), &[]);
    wait_until("the host knows the limit", SOON, async || host.said().contains("TIER_3")).await;
    let stage = Stage { simulator, host, _database: database, _rules: rules };
    let to = |n: usize| json!({"template": "note", "contacts": [format!("1555010000{n}")]});
    for n in [1, 2, 3, 1, 2] {
        let id = stage.decide(to(n)).await;
        stage.until(&id, "read").await;
    }
    let fourth = stage.decide(to(4)).await;
    let waits = stage.until(&fourth, "deferred").await;
    assert_eq!(waits["waits"]["reason"], "daily", "{waits:#}");
    assert!(waits["deliveries"][0]["detail"].as_str().unwrap().contains("3 people in 24 hours"));
    // Who wrote in is no such user.
    stage.simulator.inbound(&json!({"from": "15550100005", "text": "hello"})).await;
    let opened = "SELECT count(*) FROM contact WHERE last_inbound_at IS NOT NULL";
    wait_until("the window is open", SOON, async || stage._database.count(opened).await == 1).await;
    let fifth = stage.decide(to(5)).await;
    stage.until(&fifth, "read").await;
    // A day later there is room.
    stage._database.query("UPDATE daily_user SET at = at - interval '1 day'", &[]).await;
    stage._database.query("UPDATE deferred SET due_at = now()", &[]).await;
    stage.until(&fourth, "read").await;
}

#[tokio::test]
async fn a_number_that_cannot_send_keeps_no_other_waiting() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131031, "to": ANN}]})).await;
    let stopped = stage.decide(note(json!({"from": "sales"}))).await;
    stage.until(&stopped, "retrying").await;
    wait_until("it is told", SOON, async || stage.host.said().contains("the number cannot send")).await;
    for n in 0..20 {
        let to = format!("155501001{n:02}");
        stage.decide(json!({"template": "note", "contacts": [to], "from": "sales"})).await;
    }
    let other = stage.decide(json!({"template": "note", "contacts": ["15550100200"]})).await;
    stage.until(&other, "read").await;
    assert!(stage.sent().await.iter().all(|(number, _)| number == USUAL), "{:?}", stage.sent().await);
}
