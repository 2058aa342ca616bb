//! Messages are withdrawn by their key while they wait, by later events and by operators.

use serde_json::{Value, json};

use super::{ANN, note, text, with};
use crate::harness::{SOON, Stage, assert_described, create_key, http, wait_until};

const BOB: &str = "15550100002";

fn later(key: &str, to: &str) -> Value {
    let mut decision = note(1, to);
    decision["after"] = json!("1h");
    decision["key"] = json!(key);
    decision
}

impl Stage {
    /// Why the first message of an event was not sent.
    async fn why_not(&self, id: &str) -> String {
        let notification = self.notification(id, "skipped").await;
        let deliveries = notification["deliveries"].as_array().unwrap();
        deliveries.iter().find(|row| row["status"] == "skipped").unwrap()["detail"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn waiting(&self) -> i64 {
        self.database.count("SELECT count(*) FROM deferred").await
    }
}

#[tokio::test]
async fn a_later_event_cancels_what_waits() {
    let stage = with(&[]).await;
    let visit = stage.decide(later("visit 7", ANN)).await;
    let other = stage.decide(later("visit 8", ANN)).await;
    stage.notification(&visit, "deferred").await;
    stage.notification(&other, "deferred").await;

    let cancelled = stage.decide(json!({"cancel": "visit 7", "reason": "the customer called"})).await;
    let decision = stage.decision(&cancelled, "cancel").await;
    assert_eq!(decision["reason"], "the customer called");
    assert_eq!(decision["decision"], json!({"cancel": ["visit 7"], "reason": "the customer called"}));
    assert_eq!(stage.why_not(&visit).await, format!("cancelled by event {cancelled} (any): key visit 7"));
    wait_until("it waits no more", SOON, async || stage.waiting().await == 1).await;
    stage.notification(&other, "deferred").await;

    // What comes after the cancel is another visit.
    let again = stage.decide(later("visit 7", ANN)).await;
    stage.notification(&again, "deferred").await;
    let explained = stage.says(&["explain", &visit]);
    assert!(explained.contains(&format!("cancelled by event {cancelled}")), "{explained}");
}

#[tokio::test]
async fn a_later_event_with_the_same_key_replaces_what_waits_and_a_duplicate_does_not() {
    let stage = with(&[]).await;
    let mut decision = later("visit 7", ANN);
    decision["dedupe_key"] = json!("7 at nine");
    let first = stage.decide(decision.clone()).await;
    stage.notification(&first, "deferred").await;
    let repeated = stage.decide(decision).await;
    stage.decision(&repeated, "duplicate").await;

    // Two decisions of one event share a key.
    let second = stage.decide(json!([later("visit 7", ANN), later("visit 7", BOB)])).await;
    let why = stage.why_not(&first).await;
    assert_eq!(why, format!("replaced by event {second} (any), which has the same key: visit 7"));
    wait_until("both wait", SOON, async || stage.waiting().await == 2).await;
    assert_eq!(stage.host.event(&second).await["decisions"][1]["notifications"][0]["status"], "deferred");
}

#[tokio::test]
async fn a_cancel_counts_that_was_routed_before_what_it_cancels() {
    let stage = with(&[]).await;
    // As if another host had routed an event of another lane first.
    let overtakes =
        "INSERT INTO withdrawal (key, event_seq, reason) VALUES ('visit 7', 1000000, 'cancelled by event 9')";
    stage.database.query(overtakes, &[]).await;
    let at_once =
        stage.decide(json!({"template": "note", "contacts": [ANN], "context": {"n": 1}, "key": "visit 7"}));
    let later = stage.decide(later("visit 7", BOB));
    let (at_once, later) = (at_once.await, later.await);
    assert_eq!(stage.why_not(&at_once).await, "cancelled by event 9");
    assert_eq!(stage.why_not(&later).await, "cancelled by event 9");
    assert!(stage.simulator.messages().await.is_empty());
    let kept = "SELECT event_seq FROM withdrawal";
    assert_eq!(stage.database.query(kept, &[]).await[0].get::<_, i64>(0), 1_000_000);
}

#[tokio::test]
async fn what_is_about_to_be_sent_is_withdrawn_too() {
    let stage = with(&[]).await;
    let keyed =
        |n| json!({"template": "note", "contacts": [ANN], "context": {"n": n}, "key": format!("note {n}")});
    // One of a recipient's messages is on its way at a time: the others stand behind it.
    stage.simulator.turn(&json!({"latency_ms": 8_000})).await;
    let mut ids = vec![stage.decide(keyed(0)).await];
    stage.notification(&ids[0], "sending").await;
    stage.simulator.turn(&json!({"latency_ms": 0})).await;
    for n in 1..4 {
        ids.push(stage.decide(keyed(n)).await);
    }
    let cancel = stage.decide(json!({"cancel": ["note 0", "note 2", "note 3"]})).await;
    for id in &ids[2..] {
        assert!(stage.why_not(id).await.starts_with(&format!("cancelled by event {cancel}")));
    }
    // What the phone has stays as it is.
    stage.notification(&ids[0], "read").await;
    stage.notification(&ids[1], "read").await;
    assert_eq!(stage.simulator.messages().await.len(), 2);
}

#[tokio::test]
async fn others_get_it_where_nobody_can_be_reached() {
    let stage = with(&[(
        "groups.yaml",
        "- {name: Ops, description: Operations}\n- {name: Night, description: Nobody}\n",
    )])
    .await;
    let alarm = |groups: Value, others: Value| json!({"template": "note", "groups": groups, "else": others, "context": {"n": 1}});
    let alone = stage.decide(alarm(json!(["Night"]), json!({"groups": ["Ops"]}))).await;
    let told = stage.notification(&alone, "read").await;
    assert_eq!(told["username"], "ann");
    let decision = stage.decision(&alone, "notify").await;
    let said =
        "the group Night does not exist; none of its recipients can be reached, so those of `else` get it";
    assert_eq!(decision["reason"], said);

    let reached = stage.decide(alarm(json!(["Ops"]), json!({"contacts": [BOB]}))).await;
    stage.notification(&reached, "read").await;
    assert_eq!(stage.decision(&reached, "notify").await["notifications"].as_array().unwrap().len(), 1);

    let nobody = stage.decide(alarm(json!(["Night"]), json!({"users": ["eve"]}))).await;
    stage.decision(&nobody, "nobody").await;
    assert_eq!(stage.why_not(&nobody).await, "no person named eve");
    let wrong = stage.decide(alarm(json!(["Night"]), json!({"group": ["Ops"]}))).await;
    let failed = stage.decision(&wrong, "failed").await;
    assert!(
        failed["reason"].as_str().unwrap().contains("else: unknown key `group`: did you mean `groups`?"),
        "{failed}"
    );
}

#[tokio::test]
async fn others_get_it_where_all_have_opted_out() {
    let stage = with(&[]).await;
    let alarm =
        json!({"template": "note", "groups": ["Ops"], "else": {"contacts": [BOB]}, "context": {"n": 1}});
    let told = async |id: &str| {
        let decision = stage.decision(id, "notify").await;
        let of_one = |it: &Value| (it["recipient"].as_str().map(str::to_owned), it["status"] == "skipped");
        let told = decision["notifications"].as_array().unwrap().iter().map(of_one).collect::<Vec<_>>();
        (told, decision["reason"].as_str().unwrap_or_default().to_owned())
    };
    let reached = stage.decide(alarm.clone()).await;
    stage.notification(&reached, "read").await;
    assert_eq!(told(&reached).await, (vec![(Some(ANN.to_owned()), false)], String::new()));

    // Of marketing alone: the note is none.
    stage.says(&["contacts", "opt-out", ANN, "--marketing"]);
    let reached = stage.decide(alarm.clone()).await;
    stage.notification(&reached, "read").await;
    assert_eq!(told(&reached).await.0.len(), 1);

    stage.says(&["contacts", "opt-out", ANN]);
    let others = stage.decide(alarm.clone()).await;
    assert!(stage.why_not(&others).await.starts_with("opted out on 20"));
    let said = "none of its recipients can be reached, so those of `else` get it";
    let all = vec![(Some(ANN.to_owned()), true), (Some(BOB.to_owned()), false)];
    assert_eq!(told(&others).await, (all, said.to_owned()));
    let explained = stage.says(&["explain", &others]);
    assert!(explained.contains(said) && explained.contains("set by an operator"), "{explained}");
    wait_until("the other has it", SOON, async || {
        let messages = stage.simulator.messages().await;
        messages.iter().filter(|message| message["to"] == BOB).count() == 1
    })
    .await;

    stage.says(&["contacts", "opt-in", ANN]);
    let back = stage.decide(alarm).await;
    stage.notification(&back, "read").await;
    assert_eq!(told(&back).await.0.len(), 1);
}

#[tokio::test]
async fn an_operator_withdraws_by_key() {
    let stage = with(&[]).await;
    let visit = stage.decide(later("visit 7", ANN)).await;
    let other = stage.decide(later("visit 8", ANN)).await;
    stage.notification(&visit, "deferred").await;
    stage.notification(&other, "deferred").await;
    assert!(stage.says(&["explain", &visit]).contains("visit 7"));
    let listed: Value = serde_json::from_str(&stage.says(&["waiting", "list", "--json"])).unwrap();
    assert_eq!((&listed["reason"], &listed["count"]), (&json!("send_at"), &json!(2)));
    let said = stage.says(&["waiting", "withdraw", "visit 7", "--reason", "called off"]);
    assert_eq!(said, "Withdrew 1 message.\n");
    let why = stage.why_not(&visit).await;
    assert!(why.starts_with("withdrawn by ") && why.ends_with(" (called off): key visit 7"), "{why}");
    assert!(stage.says(&["actions"]).contains("waiting.withdraw"));
    let none = stage.run(&["waiting", "withdraw", "visit 9"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("no message with the key visit 9 waited"));
    assert_eq!(stage.run(&["waiting", "withdraw", &"x".repeat(201)]).status.code(), Some(2));

    let key = create_key(&stage.database, "desk", &["read", "operate"]);
    let withdraw = async |body: Value| {
        let url = format!("{}/v1/waiting/withdraw", stage.host.url());
        let answer = http().post(url).bearer_auth(&key).json(&body).send().await.unwrap();
        let (status, kind) =
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned());
        let body = answer.json().await.unwrap();
        assert_described("POST", "/v1/waiting/withdraw", status, Some(&kind), &body);
        (status, body)
    };
    assert_eq!(withdraw(json!({"key": "visit 8"})).await, (200, json!({"count": 1})));
    assert_eq!(stage.why_not(&other).await, "withdrawn by desk: key visit 8");
    assert_eq!(withdraw(json!({"key": ""})).await.0, 400);
    assert_eq!(withdraw(json!({"kee": "visit 8"})).await.0, 400);
}
