//! Dead letters: listed, sent again at a bounded rate, put aside.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{SOON, Stage, wait_until};

async fn stage() -> Stage {
    Stage::builder().person("ann", "15550100001", &["Ops"]).open_windows().start().await
}

impl Stage {
    /// Lets this many messages fail: to Ann, or to customers.
    async fn fail(&self, code: i32, count: usize, to: impl Fn(usize) -> Value) -> Vec<String> {
        self.simulator.turn(&json!({"errors": [{"code": code}]})).await;
        let before = self.failed().await;
        let mut events = Vec::new();
        for n in 0..count {
            let mut decision = to(n);
            decision["template"] = "note".into();
            decision["context"] = json!({"n": n});
            events.push(self.host.accept(&json!({"type": "any", "data": decision})).await);
        }
        wait_until("all have failed", SOON, async || self.failed().await == before + count as i64).await;
        self.simulator.turn(&json!({"errors": []})).await;
        events
    }

    fn listed(&self, filter: &[&str]) -> Vec<Value> {
        let arguments = [&["failed", "list", "--json"], filter].concat();
        self.says(&arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn customer(n: usize) -> Value {
    json!({"contacts": [format!("155501001{n:02}")]})
}

#[tokio::test]
async fn what_failed_is_listed_by_filter() {
    let stage = stage().await;
    stage.fail(131_026, 2, customer).await;
    stage.fail(131_051, 1, |_| json!({"users": ["ann"]})).await;
    assert_eq!(stage.listed(&[]).len(), 3);
    assert_eq!(stage.listed(&["--code", "131026"]).len(), 2);
    let to_ann = stage.listed(&["--person", "ann"]);
    assert_eq!(to_ann.len(), 1);
    assert_eq!((&to_ann[0]["code"], &to_ann[0]["template"]), (&json!(131_051), &json!("note")));
    assert_eq!(stage.listed(&["--person", "+1 (555) 010-0101"]).len(), 1);
    assert_eq!(stage.listed(&["--template", "other"]).len(), 0);
    assert_eq!(stage.listed(&["--since", "1h"]).len(), 3);
    assert_eq!(stage.listed(&[to_ann[0]["id"].as_str().unwrap()]), to_ann);
    let table = stage.says(&["failed", "list", "--limit", "1"]);
    assert!(
        table.contains("131026: ") && table.contains("1 of 3 messages; use --limit for more."),
        "{table}"
    );
}

#[tokio::test]
async fn a_redriven_message_is_a_new_one_that_names_the_old() {
    let stage = stage().await;
    let event = stage.fail(131_026, 1, |_| json!({"users": ["ann"]})).await.remove(0);
    stage.fail(131_051, 1, customer).await;
    // She is reached elsewhere now.
    stage.database.query("UPDATE contact SET wa_id = '15550100299' WHERE wa_id = '15550100001'", &[]).await;
    assert!(stage.says(&["failed", "redrive", "--code", "131026"]).contains("Resent 1 message."));
    wait_until("it is read", SOON, async || stage.read().await == 1).await;

    let history = stage.host.event(&event).await;
    let [old, new] = history["decisions"][0]["notifications"].as_array().unwrap().as_slice() else {
        panic!("{history:#}")
    };
    assert_eq!((&old["status"], &new["status"]), (&json!("failed"), &json!("read")));
    assert_eq!((&old["dead_letter"]["redriven_as"], &new["redrive_of"]), (&new["id"], &old["id"]));
    assert_eq!(new["recipient"], "15550100299");
    let (mut old, mut new) = (old["message"].clone(), new["message"].clone());
    // The delay of the new one counts from its redrive.
    assert!(old["cause"]["received_at"].is_string(), "{old}");
    assert_eq!(new["cause"], json!({"again": true}));
    old["cause"].take();
    new["cause"].take();
    assert_eq!(old, new);
    let page = stage.says(&["explain", &event]);
    assert!(page.contains("redriven") && page.contains("replaces"), "{page}");

    assert_eq!(stage.listed(&[]).len(), 1, "the other one is left");
    assert!(stage.says(&["failed", "redrive", "--code", "131026"]).starts_with("Resent 0 messages"), "once");
}

#[tokio::test]
async fn the_rate_is_kept_and_what_fails_again_is_a_dead_letter_again() {
    let stage = stage().await;
    stage.fail(131_026, 20, customer).await;
    stage.simulator.turn(&json!({"errors": [{"code": 131026, "next": 5}]})).await;
    let began = Instant::now();
    let said = stage.says(&["failed", "redrive", "--all", "--rate", "10"]);
    // The first step of two is at once.
    assert!(began.elapsed() >= Duration::from_millis(1_800), "{:?}", began.elapsed());
    assert!(said.starts_with("Resent 20 messages"), "{said}");
    wait_until("each is settled", SOON, async || stage.read().await == 15 && stage.failed().await == 25)
        .await;
    assert_eq!(stage.listed(&[]).len(), 5);
    assert!(stage.says(&["failed", "redrive", "--all", "--rate", "1000"]).starts_with("Resent 5 messages"));
    wait_until("all are read", SOON, async || stage.read().await == 20).await;
    assert_eq!(stage.listed(&[]).len(), 0);
}

#[tokio::test]
async fn what_may_not_be_sent_any_more_is_left() {
    let stage = stage().await;
    stage.fail(131_026, 1, |_| json!({"users": ["ann"]})).await;
    stage.fail(131_026, 1, customer).await;
    stage.database.query("UPDATE person SET active = false", &[]).await;
    let past = "UPDATE notification SET expires_at = now() WHERE username IS NULL";
    stage.database.query(past, &[]).await;
    let said = stage.says(&["failed", "redrive", "--all"]);
    assert!(said.contains("Resent 0 messages") && said.contains("Skipped 2 messages"), "{said}");
    assert_eq!(stage.listed(&[]).len(), 2);
}

#[tokio::test]
async fn what_is_discarded_counts_no_more_and_its_history_keeps_it() {
    let stage = stage().await;
    let event = stage.fail(131_026, 1, customer).await.remove(0);
    let bare = stage.run(&["failed", "discard"]);
    assert_eq!(bare.status.code(), Some(2), "nothing is chosen");
    assert!(String::from_utf8_lossy(&bare.stderr).contains("or --all"));
    let said = stage.says(&["failed", "discard", "--code", "131026", "--reason", "a wrong number"]);
    assert!(said.starts_with("Discarded 1 message."), "{said}");
    assert_eq!(stage.listed(&[]).len(), 0);
    let notification = &stage.host.event(&event).await["decisions"][0]["notifications"][0];
    assert_eq!(notification["status"], "failed");
    assert_eq!(notification["dead_letter"]["reason"], "a wrong number");
    assert!(stage.says(&["explain", &event]).contains("a wrong number"));
    assert!(stage.says(&["failed", "redrive", "--all"]).starts_with("Resent 0 messages"));
}

#[tokio::test]
async fn what_operators_did_is_recorded_with_its_messages() {
    let stage = stage().await;
    let event = stage.fail(131_026, 3, customer).await.remove(0);
    assert!(stage.says(&["actions", "--action", "failed.redrive"]).starts_with("No actions."));
    assert!(stage.says(&["failed", "redrive", "--code", "1"]).starts_with("Resent 0 messages"));
    assert!(
        stage.says(&["actions", "--action", "failed.redrive"]).starts_with("No actions."),
        "it changed nothing"
    );

    stage.says(&["failed", "redrive", "--code", "131026", "--rate", "5"]);
    let listed = |filter: &[&str]| -> Vec<Value> {
        let arguments = [&["actions", "--json"], filter].concat();
        stage.says(&arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let actions = listed(&["--action", "failed.redrive"]);
    assert_eq!(actions.len(), 1, "one action, of several steps: {actions:?}");
    let action = &actions[0];
    assert_eq!(
        (&action["action"], &action["way"], &action["count"], &action["what"]),
        (&json!("failed.redrive"), &json!("cli"), &json!(3), &json!({"code": 131_026}))
    );
    let who = action["who"].as_str().unwrap();
    assert!(who.contains("database role "), "{who}");
    assert_eq!(listed(&["--who", who])[0], actions[0]);
    assert_eq!(listed(&["--who", "somebody"]).len(), 0);
    assert_eq!(listed(&["--action", "failed.discard"]).len(), 0);

    let old = &stage.host.event(&event).await["decisions"][0]["notifications"][0];
    assert_eq!(old["actions"], json!([action]));
    let page = stage.says(&["explain", &event]);
    assert!(page.contains("failed.redrive by ") && page.contains(who), "{page}");
}
