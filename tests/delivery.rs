//! What becomes of messages: retries, order, times, and who gets none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::harness::{SOON, Stage, wait_until};

const ANN: &str = "15550100001";

async fn stage() -> Stage {
    let settings = [("HOOKSWITCH_UNKNOWN_AFTER", "2s")];
    Stage::builder().settings(&settings).person("ann", ANN, &["Ops"]).open_windows().start().await
}

fn note(n: i64, to: &str) -> Value {
    json!({"template": "note", "contacts": [to], "context": {"n": n}})
}

fn statuses(notification: &Value) -> Vec<(i64, String)> {
    let rows = notification["deliveries"].as_array().unwrap().iter();
    rows.map(|row| (row["attempt"].as_i64().unwrap(), row["status"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn what_may_work_later_is_tried_again() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131000, "next": 2}]})).await;
    let id = stage.decide(note(1, ANN)).await;
    let read = stage.notification(&id, "read").await;
    let retried = statuses(&read).into_iter().filter(|(_, status)| status == "retrying");
    assert_eq!(retried.map(|(attempt, _)| attempt).collect::<Vec<_>>(), [1, 2], "{read:#}");
    let refused =
        read["deliveries"].as_array().unwrap().iter().find(|row| row["status"] == "retrying").unwrap();
    assert_eq!(refused["code"], 131_000);
    assert_eq!(stage.simulator.messages().await.len(), 1);
}

#[tokio::test]
async fn what_will_never_work_is_not_tried_again() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131026}]})).await;
    let id = stage.decide(note(1, ANN)).await;
    let failed = stage.notification(&id, "failed").await;
    assert_eq!(statuses(&failed), [(1, "sending".to_owned()), (1, "failed".to_owned())]);
    assert_eq!(failed["deliveries"][1]["code"], 131_026);
    assert!(failed["deliveries"][1]["detail"].as_str().unwrap().contains("131026"));
}

#[tokio::test]
async fn one_recipients_order_is_kept_through_retries_and_nobody_else_waits() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131016, "next": 1}]})).await;
    let first = stage.decide(note(1, ANN)).await;
    let mut rest = Vec::new();
    for n in 2..=6 {
        rest.push(stage.decide(note(n, ANN)).await);
    }
    let other = stage.decide(note(100, "15550100002")).await;
    for id in rest.iter().chain([&first, &other]) {
        stage.notification(id, "read").await;
    }
    let bodies: Vec<String> = stage
        .simulator
        .messages()
        .await
        .iter()
        .filter(|message| message["to"] == ANN)
        .map(|message| message["request"]["text"]["body"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(bodies, ["Note 1", "Note 2", "Note 3", "Note 4", "Note 5", "Note 6"]);
}

#[tokio::test]
async fn urgent_and_normal_messages_overtake_what_waits_in_the_log() {
    let mut stage = stage().await;
    // Nothing goes out while the log grows.
    stage.simulator.turn(&json!({"errors": [{"code": 131057, "next": 1}]})).await;
    let first = stage.decide(note(0, ANN)).await;
    stage.notification(&first, "retrying").await;
    let contacts =
        |from: usize| -> Vec<String> { (from..from + 100).map(|n| format!("155502{n:05}")).collect() };
    stage.database.query(
        "INSERT INTO contact (wa_id, last_inbound_at) SELECT '155502' || lpad(n::text, 5, '0'), now() FROM generate_series(0, 4999) n",
        &[],
    )
    .await;
    for from in (0..4_000).step_by(100) {
        let bulk = json!({"template": "note", "contacts": contacts(from), "priority": "bulk", "context": {"n": from}});
        stage.decide(bulk).await;
    }
    let prior = |n: i64, to: &str, priority: &str| {
        let mut note = note(n, to);
        note["priority"] = json!(priority);
        note
    };
    // Some to people for whom nothing else waits, some to the recipients of the last that wait.
    let prior = [
        (-1, "15550204500", "urgent"),
        (-2, "15550203999", "urgent"),
        (-3, "15550204501", "normal"),
        (-4, "15550203998", "normal"),
    ]
    .map(|(n, to, priority)| (n, to, prior(n, to, priority)));
    let mut ids = Vec::new();
    for (.., decision) in &prior {
        ids.push(stage.decide(decision.clone()).await);
    }
    let written = async || stage.database.count("SELECT count(*) FROM notification").await;
    wait_until("all are planned", SOON, async || written().await == 4_005).await;
    stage.host.restart();
    for id in &ids {
        stage.notification(id, "read").await;
    }
    let sent = stage.simulator.messages().await;
    let place = |to: &str, n: i64| {
        let body = format!("Note {n}");
        sent.iter().position(|m| m["to"] == to && m["request"]["text"]["body"] == body.as_str()).unwrap()
    };
    for (n, to, _) in prior {
        assert!(place(to, n) < 1_500, "{n} to {to}: {}", place(to, n));
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_concerns_itself_only() {
    let stage = stage().await;
    let first = stage.decide(note(1, ANN)).await;
    stage.notification(&first, "read").await;
    for message in
        ["no JSON", "{\"mode\":\"hologram\",\"body\":\"x\",\"template\":\"t\",\"language\":\"en_US\"}"]
    {
        let copy = "INSERT INTO notification (lane, id, event_lane, event_seq, ordinal, recipient, phone_number_id,
                        template, priority, message, reason)
                    SELECT lane, gen_random_uuid(), event_lane, event_seq, ordinal, recipient, phone_number_id,
                        template, priority, $1::text, 'test' FROM notification ORDER BY seq LIMIT 1";
        stage.database.query(copy, &[&message]).await;
    }
    let second = stage.decide(note(2, ANN)).await;
    stage.notification(&second, "read").await;
    let count = async |status: &str, like: &str| {
        let sql =
            format!("SELECT count(*) FROM delivery WHERE status = '{status}' AND detail LIKE '{like}%'");
        stage.database.count(&sql).await
    };
    wait_until("the first has failed", SOON, async || {
        count("failed", "cannot be read by this version: its message:").await == 1
    })
    .await;
    wait_until("the second waits for a newer host", SOON, async || {
        count("deferred", "waits for a host of a version that can read it: its message: unknown variant")
            .await
            == 1
    })
    .await;
}

#[tokio::test]
async fn a_send_whose_answer_is_lost_is_explained_by_its_webhook_and_not_doubled() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"lost_answers": 1.0})).await;
    let id = stage.decide(note(1, ANN)).await;
    let read = stage.notification(&id, "read").await;
    assert!(!statuses(&read).iter().any(|(_, status)| status == "accepted"), "{read:#}");
    assert_eq!(stage.simulator.messages().await.len(), 1);
}

#[tokio::test]
async fn a_send_that_nothing_explains_is_sent_again() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"http_status": 504, "next": 1}]})).await;
    let id = stage.decide(note(1, ANN)).await;
    let read = stage.notification(&id, "read").await;
    let begun: Vec<_> = statuses(&read).into_iter().take(3).collect();
    let expected = [(1, "sending"), (1, "unknown"), (2, "sending")];
    assert_eq!(begun, expected.map(|(attempt, status)| (attempt, status.to_owned())));
    assert_eq!(stage.simulator.messages().await.len(), 1);
}

#[tokio::test]
async fn a_refusal_after_an_unknown_outcome_is_tried_again_too() {
    let stage = stage().await;
    let errors = json!([{"http_status": 504, "next": 1}, {"code": 131016, "next": 1}]);
    stage.simulator.turn(&json!({"errors": errors})).await;
    let id = stage.decide(note(1, ANN)).await;
    let read = stage.notification(&id, "read").await;
    let statuses = statuses(&read);
    for expected in [(1, "unknown"), (2, "retrying"), (3, "read")] {
        assert!(statuses.contains(&(expected.0, expected.1.to_owned())), "{statuses:?}");
    }
}

#[tokio::test]
async fn a_failure_that_a_webhook_tells_is_tried_again_where_that_helps() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131000, "next": 1, "webhook": true}]})).await;
    let id = stage.decide(note(1, ANN)).await;
    let read = stage.notification(&id, "read").await;
    let statuses = statuses(&read);
    assert!(statuses.contains(&(1, "failed".to_owned())), "{statuses:?}");
    assert!(statuses.contains(&(2, "read".to_owned())), "{statuses:?}");
}

#[tokio::test]
async fn times_are_kept() {
    let stage = stage().await;
    let mut later = note(1, ANN);
    later["after"] = json!("1h");
    let waits = stage.decide(later).await;
    let mut soon = note(2, ANN);
    soon["after"] = json!("1s");
    let soon = stage.decide(soon).await;
    let mut late = note(3, ANN);
    late["expires_at"] = json!("2020-01-01T00:00:00Z");
    let late = stage.decide(late).await;
    let at_once = stage.decide(note(4, ANN)).await;

    stage.notification(&at_once, "read").await;
    stage.notification(&late, "expired").await;
    stage.notification(&soon, "read").await;
    let waiting = stage.notification(&waits, "deferred").await;
    assert!(waiting["deliveries"][0]["detail"].as_str().unwrap().starts_with("waits until "), "{waiting}");
    assert_eq!(stage.simulator.messages().await.len(), 2);
}

#[tokio::test]
async fn a_key_is_told_once() {
    let stage = stage().await;
    let mut decision = note(1, ANN);
    decision["dedupe_key"] = json!("order-7");
    let first = stage.decide(decision.clone()).await;
    stage.notification(&first, "read").await;
    let second = stage.decide(decision).await;
    let outcome = async || stage.host.event(&second).await["decisions"][0]["outcome"].clone();
    wait_until("the second is a duplicate", SOON, async || outcome().await == "duplicate").await;
    assert_eq!(stage.simulator.messages().await.len(), 1);
}

#[tokio::test]
async fn who_cannot_be_reached_is_recorded_with_words() {
    let stage = stage().await;
    let unlinked =
        "INSERT INTO person (username, name, active) VALUES ('zoe', 'Zoe', true), ('max', 'Max', false)";
    stage.database.query(unlinked, &[]).await;
    let decision =
        json!({"template": "note", "users": ["zoe", "max", "eve"], "contacts": ["12"], "context": {"n": 1}});
    let id = stage.decide(decision).await;
    stage.notification(&id, "skipped").await;
    let event = stage.host.event(&id).await;
    assert_eq!(event["decisions"][0]["outcome"], "nobody");
    let why: Vec<&str> = event["decisions"][0]["notifications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["deliveries"][0]["detail"].as_str().unwrap())
        .collect();
    assert_eq!(
        why,
        [
            "zoe has no WhatsApp number linked",
            "max is deactivated",
            "no person named eve",
            "\"12\" has 2 digits instead of 7 to 15; write it with its country code, for example +263 77 123 4567, or as a \
             WhatsApp user id, for example US.13491208655302741918",
        ]
    );
}
