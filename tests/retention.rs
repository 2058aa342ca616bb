//! What is old goes, and nothing else; who is to be forgotten is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::harness::{SOON, Stage, wait_until};

const ANN: &str = "15550100001";

/// A host that drops what is older than 90 days, as it does where nothing is said.
async fn stage() -> Stage {
    let stage = Stage::builder().person("ann", ANN, &["Ops"]).start().await;
    // Hers is the only contact.
    stage.database.query("UPDATE contact SET last_inbound_at = now()", &[]).await;
    stage
}

impl Stage {
    async fn note(&self, n: usize, subject: &str, more: Value) -> String {
        let mut decision = json!({"template": "note", "users": ["ann"], "context": {"n": n}});
        decision.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.host.accept(&json!({"type": "any", "subject": subject, "data": decision})).await
    }

    async fn count(&self, table: &str) -> i64 {
        self.database.count(&format!("SELECT count(*) FROM {table}")).await
    }

    async fn are_read(&self, count: i64) {
        let read = "(SELECT DISTINCT notification_id FROM delivery WHERE status = 'read') AS r";
        wait_until("messages are read", SOON, async || self.count(read).await == count).await;
    }

    /// Stops the host, lets 100 days go by, and starts it again.
    async fn much_later(&mut self) {
        self.host.terminate();
        for (table, column) in [("event", "received_at"), ("delivery", "at"), ("notification", "created_at")]
        {
            let sql = format!("UPDATE {table} SET {column} = {column} - interval '100 days'");
            self.database.query(&sql, &[]).await;
        }
        self.host.restart();
    }

    fn forget(&self, person: &str) -> (bool, String) {
        let output = self.run(&["people", "forget", person, "--yes"]);
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        (output.status.success(), said.concat())
    }
}

#[tokio::test]
async fn what_is_old_and_settled_goes_and_nothing_is_done_again() {
    let mut stage = stage().await;
    for n in 0..40 {
        stage.note(n, &format!("subject-{}", n % 4), json!({})).await;
    }
    stage.are_read(40).await;
    let waits = stage.note(40, "subject-0", json!({"after": "200d"})).await;
    let one = "SELECT count(*) FROM deferred";
    wait_until("one waits", SOON, async || stage.database.count(one).await == 1).await;
    // The newest of the lanes of events and of messages; what follows one that waits.
    let last = stage.note(41, "subject-0", json!({})).await;
    stage.are_read(41).await;

    stage.much_later().await;
    // Of each of four subjects the newest stays (or of their lanes, where two share one), and what waits.
    wait_until("the old ones are gone", SOON, async || stage.count("event").await <= 5).await;
    let lanes = stage.database.count("SELECT count(DISTINCT lane) FROM event").await;
    assert_eq!(stage.count("event").await, lanes + 1);
    for (table, orphans) in [
        ("decision", "(lane, event_seq) NOT IN (SELECT lane, seq FROM event)"),
        ("notification", "(event_lane, event_seq) NOT IN (SELECT lane, seq FROM event)"),
        ("delivery", "notification_id NOT IN (SELECT id FROM notification)"),
    ] {
        assert_eq!(stage.count(&format!("{table} WHERE {orphans}")).await, 0, "{table}");
        assert!(stage.count(table).await > 0, "{table}");
    }
    assert_eq!(stage.host.event(&waits).await["decisions"][0]["notifications"][0]["status"], "deferred");
    assert_eq!(stage.host.event(&last).await["decisions"][0]["notifications"][0]["status"], "read");

    // The lanes go on where they were.
    let new = stage.note(42, "subject-0", json!({})).await;
    let status =
        async || stage.host.event(&new).await["decisions"][0]["notifications"][0]["status"] == "read";
    wait_until("a new one is read", SOON, status).await;
    assert_eq!(stage.simulator.messages().await.len(), 42, "none is sent twice");
}

#[tokio::test]
async fn what_is_young_stays_and_late_reports_of_what_is_gone_go() {
    let mut stage = stage().await;
    stage.note(1, "s", json!({})).await;
    stage.are_read(1).await;
    stage.much_later().await;
    // As it was before the time went by.
    stage.database.query("UPDATE event SET received_at = now()", &[]).await;
    let report = "INSERT INTO delivery (notification_id, attempt, status, at) VALUES
                      ('01800000-0000-7000-8000-000000000001', 1, 'read', now() - interval '99 days'),
                      ('01800000-0000-7000-8000-000000000002', 1, 'read', now())";
    stage.database.query(report, &[]).await;
    stage.host.restart();
    let late = "delivery WHERE notification_id = '01800000-0000-7000-8000-000000000001'";
    wait_until("the late report is gone", SOON, async || stage.count(late).await == 0).await;
    assert_eq!(
        stage.count("delivery WHERE notification_id < '01900000-0000-7000-8000-000000000000'").await,
        1
    );
    assert_eq!((stage.count("event").await, stage.count("notification").await), (1, 1));
}

#[tokio::test]
async fn a_person_is_forgotten_and_counts_stay_true() {
    let stage = stage().await;
    stage.database.query("UPDATE person SET name = 'Ann Smith'", &[]).await;
    let about_her = json!({"context": {"n": 1, "who": "Ann Smith, +1 555 010-0001"}});
    let event = stage.note(1, "contact-15550100001", about_her).await;
    let other = stage.note(2, "s", json!({})).await;
    stage.are_read(2).await;
    let waits = stage.note(3, "s", json!({"after": "1d"})).await;
    wait_until("one waits", SOON, async || stage.count("deferred").await == 1).await;
    let counts = async || {
        let mut counts = Vec::new();
        for table in ["event", "decision", "notification", "person", "membership"] {
            counts.push(stage.count(table).await);
        }
        counts
    };
    let before = counts().await;

    let (done, said) = stage.forget("+1 (555) 010-0001");
    assert!(done && said.contains("3 messages and 1 event."), "{said}");
    assert_eq!(counts().await, before);
    assert_eq!((stage.count("contact").await, stage.count("deferred").await), (0, 0));
    for sql in [
        "SELECT concat_ws(' ', subject, data, extensions) FROM event",
        "SELECT concat_ws(' ', decision, asked, reason) FROM decision",
        "SELECT concat_ws(' ', recipient, name, message) FROM notification",
        "SELECT concat_ws(' ', wamid, detail) FROM delivery",
        "SELECT name FROM person",
    ] {
        for row in stage.database.query(sql, &[]).await {
            let text: &str = row.get(0);
            let personal = ["Smith", "15550100001", "555 010", "Note 1", "wamid"];
            assert!(!personal.iter().any(|word| text.contains(word)), "{sql}: {text}");
        }
    }
    let history = stage.host.event(&event).await;
    assert_eq!(history["data"], json!({"erased": true}));
    let notification = &history["decisions"][0]["notifications"][0];
    assert_eq!((&notification["status"], &notification["username"]), (&json!("read"), &json!("ann")));
    assert_eq!(notification["message"]["body"], "(erased)");
    assert_ne!(stage.host.event(&other).await["data"], json!({"erased": true}), "it was not about her");
    assert_eq!(stage.host.event(&waits).await["decisions"][0]["notifications"][0]["status"], "skipped");

    let (done, said) = stage.forget("nobody");
    assert!(!done && said.contains("no person or contact known as"), "{said}");
}

#[tokio::test]
async fn an_event_about_a_customer_is_erased_in_whoevers_messages() {
    let stage = stage().await;
    // The number is only in the rule's answer; staff are told as well.
    let writes = "INSERT INTO contact (wa_id, last_inbound_at) VALUES ('15550100077', now())";
    stage.database.query(writes, &[]).await;
    let order = json!({"contacts": ["+1 555 010 0077"], "users": ["ann"]});
    let event = stage.note(1, "s", order).await;
    stage.are_read(2).await;
    let (done, said) = stage.forget("15550100077");
    assert!(done && said.contains("1 message and 1 event."), "{said}");
    let history = stage.host.event(&event).await;
    for notification in history["decisions"][0]["notifications"].as_array().unwrap() {
        assert_eq!(notification["message"]["body"], "(erased)");
        let staff = notification["username"] == "ann";
        assert_eq!(notification["recipient"], if staff { json!(ANN) } else { Value::Null });
    }
    assert_eq!(stage.count("contact").await, 1, "Ann's stays");
}
