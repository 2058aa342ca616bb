//! A key counts for as long as the rule says.

use serde_json::json;

use super::{ANN, note, with};
use crate::harness::{SOON, wait_until};

#[tokio::test]
async fn a_duplicate_names_the_event_before_it() {
    let stage = with(&[]).await;
    let mut decision = note(1, ANN);
    decision["dedupe_key"] = json!("order-7");
    let first = stage.decide(decision.clone()).await;
    stage.notification(&first, "read").await;
    let second = stage.decide(decision.clone()).await;
    let duplicate = stage.decision(&second, "duplicate").await;
    let words = duplicate["reason"].as_str().unwrap();
    let begins = format!("the key \"order-7\" was used for the template note by the event {first} from ");
    assert!(words.starts_with(&begins), "{words}");
    assert!(stage.says(&["explain", &second]).contains(&first));

    // Two decisions for one event with one key.
    let third = stage
        .decide(json!(
            [note(1, ANN), note(2, ANN)]
                .map(|mut decision| {
                    decision["dedupe_key"] = json!("twice");
                    decision
                })
                .to_vec()
        ))
        .await;
    stage.decision(&third, "notify").await;
    let event = stage.host.event(&third).await;
    assert_eq!(event["decisions"][1]["outcome"], "duplicate");
    assert!(event["decisions"][1]["reason"].as_str().unwrap().contains("an earlier rule for this event"));
}

#[tokio::test]
async fn a_key_counts_for_as_long_as_the_rule_says() {
    let route = "- on: short\n  template: note\n  contacts: [event.data.to]\n  dedupe_key: event.data.key\n  \
                 dedupe_for: 1s\n  context:\n    n: 1\n";
    let stage = with(&[("short/routes.yaml", route)]).await;
    let event = json!({"type": "short", "subject": "s", "data": {"to": ANN, "key": "k"}});
    let first = stage.host.accept(&event).await;
    stage.notification(&first, "read").await;
    // By the database's clock, which is this machine's too.
    let over = "SELECT count(*) FROM dedupe WHERE expires_at <= now()";
    wait_until("the key is free", SOON, async || stage.database.count(over).await == 1).await;
    let second = stage.host.accept(&event).await;
    stage.notification(&second, "read").await;
    let third =
        stage.decide(json!({"template": "note", "contacts": [ANN], "context": {"n": 1}, "dedupe_for": "1h"}));
    let failed = stage.decision(&third.await, "failed").await;
    assert!(failed["reason"].as_str().unwrap().contains("`dedupe_for` needs a `dedupe_key`"), "{failed}");
}
