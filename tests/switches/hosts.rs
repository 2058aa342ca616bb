//! Several hosts, and a host that is killed.

use serde_json::json;

use super::{ANN, note, stage};
use crate::harness::{Host, SOON, free_port, wait_until};

#[tokio::test]
async fn when_the_command_has_returned_no_host_begins_to_send() {
    let stage = stage().await;
    let settings = [("WHATSAPP_MESSAGES_PER_SECOND", "1000")];
    let second = Host::start(free_port(), &stage.database, &stage.simulator, &stage.rules, &settings);
    let shared = "SELECT count(*) FROM (SELECT FROM lane WHERE deadline > now() GROUP BY owner HAVING count(*) = 32) l";
    wait_until("both hold lanes", SOON, async || stage.database.count(shared).await == 2).await;
    let notes: Vec<_> = (0..60)
        .map(|n| json!({"template": "note", "contacts": [format!("15550100{:03}", n + 10)], "context": {"n": n}}))
        .collect();
    // While messages flow through both.
    for (n, note) in notes.iter().enumerate() {
        let host = if n % 2 == 0 { &stage.host } else { &second };
        host.accept(&json!({"type": "any", "data": note})).await;
        if n == 30 {
            stage.says(&["stop", "sending", "--reason", "drill"]);
            let now = "INSERT INTO digest (id, template, key, decision, due_at)
                       VALUES (gen_random_uuid(), 'stopped', '', '', clock_timestamp() + interval '1 day')";
            stage.database.query(now, &[]).await;
        }
    }
    let settled = "SELECT count(*) FROM notification n
                   WHERE EXISTS (SELECT FROM deferred d WHERE d.notification_id = n.id AND d.reason = 'stopped')
                      OR EXISTS (SELECT FROM delivery d WHERE d.notification_id = n.id AND d.status = 'accepted')";
    wait_until("each is held or sent", SOON, async || stage.database.count(settled).await == 60).await;
    let after = "SELECT count(*) FROM delivery d, digest s
                 WHERE d.status = 'sending' AND s.template = 'stopped' AND d.at > s.due_at - interval '1 day'";
    assert_eq!(stage.database.count(after).await, 0, "an intent was made after the stop");
    let held = stage.waiting_for("stopped").await;
    assert!(held >= 29, "{held} are held");
    stage.database.query("DELETE FROM digest WHERE template = 'stopped'", &[]).await;

    stage.says(&["resume", "sending", "--per-second", "1000"]);
    wait_until("all have arrived", SOON, async || stage.read().await == 60).await;
    let mut sent = stage.sent_so_far().await;
    sent.sort();
    sent.dedup();
    assert_eq!((sent.len(), stage.sent_so_far().await.len()), (60, 60));
}

#[tokio::test]
async fn a_host_that_is_killed_while_messages_are_held_loses_none() {
    let mut stage = stage().await;
    stage.says(&["stop", "template", "note", "--reason", "drill"]);
    let id = stage.decide(note(ANN)).await;
    stage.held(&id).await;
    let others: Vec<_> = (0..20)
        .map(|n| json!({"template": "note", "contacts": [format!("15550100{:03}", n + 10)], "context": {"n": n}}))
        .collect();
    for other in others {
        stage.decide(other).await;
    }
    stage.host.kill();
    stage.host.restart();
    wait_until("all are held", SOON * 4, async || stage.waiting_for("stopped").await == 21).await;
    stage.says(&["resume", "template", "note", "--per-second", "100"]);
    wait_until("all have arrived", SOON * 2, async || stage.read().await == 21).await;
    assert_eq!(stage.sent_so_far().await.len(), 21);
}
