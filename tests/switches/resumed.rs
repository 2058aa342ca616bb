//! What was held is sent: at a pace, in its order, unless it has expired or something else has stopped it, too.

use std::collections::BTreeMap;

use serde_json::json;

use super::{ANN, BOB, note, stage};
use crate::harness::{SOON, Stage, wait_until};

fn numbered(n: usize, to: &str) -> serde_json::Value {
    json!({"template": "note", "contacts": [to], "context": {"n": n}})
}

#[tokio::test]
async fn held_messages_are_sent_at_a_pace_each_recipients_in_their_order() {
    let stage = stage().await;
    let people: Vec<String> = (0..10).map(|n| format!("15550100{:03}", n + 10)).collect();
    stage.says(&["stop", "template", "note", "--reason", "drill"]);
    for n in 0..30 {
        stage.decide(numbered(n, &people[n % 10])).await;
    }
    wait_until("all are held", SOON, async || stage.waiting_for("stopped").await == 30).await;
    let said = stage.says(&["resume", "template", "note", "--per-second", "4"]);
    assert!(said.contains("30 held messages will go on, at most 4 per second."), "{said}");
    // New ones go at once, but behind those of the same recipient.
    let new = stage.decide(numbered(40, ANN)).await;
    stage.notification(&new, "read").await;
    assert!(stage.waiting_for("stopped").await + stage.waiting_for("resumed").await > 10);
    for n in 30..40 {
        stage.decide(numbered(n, &people[n % 10])).await;
    }
    wait_until("all have arrived", SOON * 2, async || stage.read().await == 41).await;

    let mut of: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for message in stage.simulator.messages().await {
        let body =
            message["request"]["text"]["body"].as_str().unwrap().strip_prefix("Note ").unwrap().to_owned();
        of.entry(message["to"].as_str().unwrap().to_owned()).or_default().push(body.parse().unwrap());
    }
    for person in &people {
        let got = &of[person];
        assert!(got.len() == 4 && got.is_sorted(), "{person}: {got:?}");
    }
    // The places of 30 messages at 4 a second are 7.25 seconds from the first to the last; a poll sends what is due by then.
    let took = "SELECT extract(epoch FROM max(at) - min(at))::bigint FROM (
                    SELECT at FROM delivery d JOIN notification n ON n.id = d.notification_id
                    WHERE d.status = 'sending' ORDER BY n.seq LIMIT 30) s";
    let took = stage.database.count(took).await;
    assert!(took >= 5, "it took {took} s");
    wait_until("nothing is stopped any more", SOON, async || stage.stopped().is_empty()).await;
}

#[tokio::test]
async fn what_has_expired_is_never_sent() {
    let stage = stage().await;
    stage.says(&["stop", "sending", "--reason", "drill"]);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let mut short = note(ANN);
    short["expires_at"] = json!(soon.to_string());
    let short = stage.decide(short).await;
    let long = stage.decide(note(BOB)).await;
    stage.held(&short).await;
    stage.held(&long).await;
    // Without being resumed.
    stage.notification(&short, "expired").await;
    stage.says(&["resume", "sending"]);
    stage.notification(&long, "read").await;
    assert_eq!(stage.sent_so_far().await, [BOB]);
}

#[tokio::test]
async fn what_two_switches_cover_waits_for_both() {
    let stage = stage().await;
    stage.says(&["stop", "template", "note", "--reason", "first"]);
    let ann = stage.decide(json!({"template": "note", "users": ["ann"], "context": {"n": 1}})).await;
    let bob = stage.decide(json!({"template": "note", "users": ["bob"], "context": {"n": 1}})).await;
    stage.held(&bob).await;
    assert!(stage.held(&ann).await.starts_with("template note "));
    stage.says(&["stop", "person", "ann", "--reason", "second"]);
    stage.says(&["resume", "template", "note"]);
    stage.notification(&bob, "read").await;
    let why =
        async || stage.host.event(&ann).await["decisions"][0]["notifications"][0]["waits"]["stopped"].clone();
    wait_until("it waits for the other", SOON, async || {
        why().await.as_str().is_some_and(|why| why.ends_with("second"))
    })
    .await;
    assert!(why().await.as_str().unwrap().starts_with("person ann is stopped by "));
    assert_eq!(stage.sent_so_far().await, [BOB]);
    stage.says(&["resume", "person", "ann"]);
    stage.notification(&ann, "read").await;
}

#[tokio::test]
async fn what_is_written_as_held_after_the_end_is_sent_all_the_same() {
    let stage: Stage = stage().await;
    stage.says(&["stop", "template", "note", "--reason", "drill"]);
    let id = stage.decide(note(ANN)).await;
    stage.held(&id).await;
    // As if a host had read the switch before it was resumed, and written afterwards.
    stage.database.query("DELETE FROM switch", &[]).await;
    stage.notification(&id, "read").await;
    wait_until("nothing is stopped", SOON, async || stage.stopped().is_empty()).await;
}
