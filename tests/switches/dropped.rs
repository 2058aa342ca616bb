//! Messages that are dropped.

use serde_json::{Value, json};

use super::{ANN, note, stage};
use crate::harness::{SOON, Stage, wait_until};

impl Stage {
    async fn dropped(&self, id: &str) -> String {
        let notification = self.notification(id, "skipped").await;
        let rows = notification["deliveries"].as_array().unwrap();
        let row = rows.iter().find(|row| row["status"] == "skipped").unwrap();
        row["detail"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn each_kind_drops_what_it_covers() {
    let stage = stage().await;
    let to_ann = json!({"template": "note", "users": ["ann"], "context": {"n": 1}});
    let to_ops = json!({"template": "note", "groups": ["Ops"], "context": {"n": 1}});
    let number = hookswitch_simulator::Settings::default().phone_number_id;
    let first = stage.decide(note(ANN)).await;
    stage.notification(&first, "read").await;
    let cases: [(&[&str], Value); 6] = [
        (&["template", "note"], note(ANN)),
        (&["person", "ann"], to_ann),
        (&["group", "Ops"], to_ops),
        (&["number", &number], note(ANN)),
        (&["rule", "any/any.rhai"], note(ANN)),
        (&["sending"], note(ANN)),
    ];
    for (what, decision) in cases {
        let said = stage.says(&[&["stop"], what, &["--drop", "--reason", "never again"]].concat());
        assert!(said.contains("Its messages are dropped."), "{said}");
        let id = stage.decide(decision).await;
        let why = stage.dropped(&id).await;
        assert!(why.contains(" is stopped by ") && why.ends_with(": never again"), "{what:?}: {why}");
        assert!(stage.says(&["explain", &id]).contains(&why));
        stage.says(&[&["resume"], what].concat());
    }
    assert_eq!(stage.sent_so_far().await.len(), 1);
    let id = stage.decide(note(ANN)).await;
    stage.notification(&id, "read").await;
}

#[tokio::test]
async fn a_stop_that_drops_drops_what_is_held() {
    let stage = stage().await;
    stage.says(&["stop", "template", "note", "--reason", "a typo"]);
    let id = stage.decide(note(ANN)).await;
    stage.held(&id).await;
    stage.says(&["stop", "template", "note", "--drop", "--reason", "too old by now"]);
    let why = stage.dropped(&id).await;
    assert!(why.starts_with("template note is stopped by ") && why.ends_with(": too old by now"), "{why}");
    let stopped = stage.stopped();
    assert_eq!((stopped.len(), &stopped[0]["messages"]), (1, &json!("dropped")));
    wait_until("nothing waits", SOON, async || {
        stage.database.count("SELECT count(*) FROM deferred").await == 0
    })
    .await;
    stage.says(&["resume", "template", "note"]);
    let id = stage.decide(note(ANN)).await;
    stage.notification(&id, "read").await;
    assert_eq!(stage.sent_so_far().await.len(), 1);
}
