//! Messages that are held: of each kind, by what is known of them when they are to be sent.

use serde_json::json;

use super::{ANN, BOB, note, stage, text};
use crate::harness::{SOON, Stage, wait_until};

impl Stage {
    /// Stops something, has a message held that it covers, and one sent that it does not; then resumes it.
    async fn holds(&self, what: &[&str], covered: serde_json::Value, free: Option<serde_json::Value>) {
        let before = self.sent_so_far().await.len();
        let stop = [&["stop"], what, &["--reason", "a typo in the link"]].concat();
        let said = self.says(&stop);
        assert!(
            said.starts_with("Stopped ") && said.contains("Its messages are held. Undo: hookswitch resume ")
        );
        let id = self.decide(covered).await;
        let why = self.held(&id).await;
        assert!(why.contains(" is stopped by ") && why.ends_with(": a typo in the link"), "{why}");
        let explained = self.says(&["explain", &id]);
        assert!(explained.contains("held since 20") && explained.contains(&why), "{explained}");
        if let Some(free) = free {
            let id = self.decide(free).await;
            self.notification(&id, "read").await;
        }
        let listed = self.stopped();
        assert_eq!((listed.len(), &listed[0]["held_messages"]), (1, &json!(1)), "{listed:?}");
        let sent = self.sent_so_far().await.len();

        let said = self.says(&[&["resume"], what].concat());
        assert!(said.contains("1 held message will go on, at most 20 per second."), "{said}");
        self.notification(&id, "read").await;
        assert_eq!(self.sent_so_far().await.len(), sent + 1);
        assert!(sent >= before);
        wait_until("nothing is stopped any more", SOON, async || self.stopped().is_empty()).await;
    }
}

#[tokio::test]
async fn each_kind_holds_what_it_covers_and_nothing_else() {
    let stage = stage().await;
    let to_user = |user: &str| json!({"template": "note", "users": [user], "context": {"n": 1}});
    let to_group = |group: &str| json!({"template": "note", "groups": [group], "context": {"n": 1}});
    let both = json!({"template": "note", "groups": ["Night Shift", "Ops"], "context": {"n": 1}});
    let number = hookswitch_simulator::Settings::default().phone_number_id;
    let other_rule = json!({"template": "note", "contacts": [BOB], "context": {"n": 1}});

    stage.holds(&["template", "note"], note(ANN), None).await;
    stage.holds(&["person", "ann"], to_user("ann"), Some(to_user("bob"))).await;
    // By the number, as people are looked for.
    stage.holds(&["person", "+1 555 010 0001"], to_user("ann"), Some(note(BOB))).await;
    // Bob is named, or is in another group, too.
    stage.holds(&["group", "Night Shift"], to_group("Night Shift"), Some(to_user("bob"))).await;
    stage.holds(&["group", "Night Shift"], to_group("Night Shift"), Some(both)).await;
    stage.holds(&["number", &number], note(ANN), None).await;
    stage.holds(&["rule", "any/any.rhai"], note(ANN), None).await;
    let place = stage.database.query("SELECT max(rule) FROM decision", &[]).await[0].get::<_, String>(0);
    assert!(place.starts_with("any/any.rhai:"), "{place}");
    stage.holds(&["rule", &place], other_rule, None).await;
    stage.holds(&["sending"], note(ANN), None).await;
    let acts = stage.says(&["actions"]);
    assert!(acts.contains("switch.stop") && acts.contains("switch.resume"), "{acts}");
}

#[tokio::test]
async fn whoever_is_reached_by_stopped_groups_only_waits() {
    let stage = stage().await;
    stage.says(&["stop", "group", "Night Shift", "--reason", "drill"]);
    let both = json!({"template": "note", "groups": ["Ops", "Night Shift"], "context": {"n": 1}});
    let id = stage.decide(both.clone()).await;
    wait_until("both have it", SOON, async || stage.read().await == 2).await;
    stage.says(&["stop", "group", "Ops", "--reason", "drill"]);
    let waits = stage.decide(both).await;
    wait_until("both wait", SOON, async || stage.waiting_for("stopped").await == 2).await;
    assert_eq!(stage.host.event(&id).await["decisions"][0]["notifications"][1]["status"], "read");

    // Of the two groups that stop bob, one is left.
    stage.says(&["resume", "group", "Night Shift"]);
    wait_until("bob has it", SOON, async || stage.read().await == 3).await;
    stage.says(&["resume", "group", "Ops"]);
    wait_until("ann has it", SOON, async || stage.read().await == 4).await;
    let statuses = stage.host.event(&waits).await["decisions"][0]["notifications"].clone();
    assert_eq!((&statuses[0]["status"], &statuses[1]["status"]), (&json!("read"), &json!("read")));
}

#[tokio::test]
async fn a_group_that_is_renamed_stays_stopped() {
    let stage = stage().await;
    stage.says(&["stop", "group", "Night Shift", "--reason", "drill"]);
    let to = |group: &str| json!({"template": "note", "groups": [group], "context": {"n": 1}});
    let before = stage.decide(to("Night Shift")).await;
    stage.held(&before).await;
    stage.says(&["groups", "rename", "Night Shift", "Nights"]);
    let after = stage.decide(to("Nights")).await;
    assert!(stage.held(&after).await.starts_with("group Nights is stopped by "));
    stage.says(&["resume", "group", "Nights"]);
    stage.notification(&after, "read").await;
    assert!(stage.held(&before).await.starts_with("group Night Shift "));
    stage.says(&["resume", "group", "Night Shift"]);
    stage.notification(&before, "read").await;
}

#[tokio::test]
async fn a_stop_counts_for_what_waits_already() {
    let stage = stage().await;
    let mut later = note(ANN);
    later["after"] = json!("3s");
    let id = stage.decide(later).await;
    stage.notification(&id, "deferred").await;
    stage.says(&["stop", "template", "note", "--reason", "drill"]);
    let why = stage.held(&id).await;
    assert!(why.starts_with("template note is stopped by ") && why.ends_with(": drill"), "{why}");
    assert!(stage.sent_so_far().await.is_empty());
    let waiting = stage.says(&["waiting", "list"]);
    assert!(
        waiting.contains("stopped") && waiting.contains("hookswitch stopped lists what is stopped"),
        "{waiting}"
    );
}

#[tokio::test]
async fn names_that_nothing_has_are_refused() {
    let stage = stage().await;
    let refused = |arguments: &[&str], status: i32, said: &str| {
        let output = stage.run(arguments);
        let wrong = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {wrong}");
        assert!(wrong.contains(said), "{arguments:?}: {wrong}");
    };
    let stop = |kind, name| ["stop", kind, name, "--reason", "drill"];
    refused(&stop("template", "noet"), 2, "error: unknown template \"noet\"\ndid you mean `note`?");
    refused(&stop("group", "Night shift"), 2, "did you mean `Night Shift`?");
    refused(&stop("person", "anne"), 2, "error: unknown person \"anne\"\ndid you mean `ann`?");
    refused(&stop("person", "15550199999"), 2, "unknown person");
    refused(&stop("rule", "any/any.rhay"), 2, "did you mean `any/any.rhai`?");
    refused(&stop("plugin", "moody"), 2, "unknown plugin \"moody\"");
    refused(&stop("number", "sales"), 2, "digits only");
    refused(&["stop", "sending", "everything", "--reason", "drill"], 2, "known: all");
    refused(&["stop", "template", "--reason", "drill"], 2, "the name of the template is missing");
    refused(&["stop", "message", "x", "--reason", "drill"], 2, "must be rule, template, group");
    refused(&["stop", "template", "note"], 2, "--reason");
    refused(&["stop", "template", "note", "--reason", " "], 2, "a reason has 1 to 200 characters, got 0");
    refused(&["resume", "template", "note"], 1, "template note is not stopped");
    stage.says(&["stop", "template", "note", "--reason", "drill"]);
    refused(&["resume", "template", "noet"], 1, "did you mean `note`?");
    refused(&["resume", "template", "note", "--per-second", "0"], 2, "0 is not in 1..=1000");
    assert_eq!(stage.says(&["stopped"]).lines().count(), 2);
}
