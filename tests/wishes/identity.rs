//! Messages go to where their recipient is reached when they are sent, and to nobody else.

use super::*;

impl Stage {
    async fn writes(&self, from: &str, user_id: Option<&str>, text: &str) {
        let message = json!({"from": from, "from_user_id": user_id, "id": format!("wamid.{from}.{text}"),
            "timestamp": Timestamp::now().as_second().to_string(), "type": "text", "text": {"body": text}});
        let contact = json!({"profile": {"name": "Ann"}, "wa_id": from, "user_id": user_id});
        self.webhook("messages", json!({"contacts": [contact], "messages": [message]})).await;
    }

    /// The time has come for all that waits.
    async fn is_due(&self) {
        self.database.query("UPDATE deferred SET due_at = now()", &[]).await;
    }

    async fn sent_to(&self) -> Vec<String> {
        let to = |message: &Value| message["to"].as_str().unwrap().trim_start_matches('+').to_owned();
        self.simulator.messages().await.iter().map(to).collect()
    }
}

const NEW: &str = "15550100002";

#[tokio::test]
async fn what_waits_follows_the_person() {
    let stage = stage().await;
    let relinked = stage.send("utility", json!({"after": "1h"})).await;
    stage.notification(&relinked, "deferred").await;
    stage.says(&["people", "link", "ann", NEW]);
    stage.is_due().await;
    stage.notification(&relinked, "read").await;
    assert_eq!(stage.sent_to().await, [NEW]);

    let unlinked = stage.send("utility", json!({"after": "1h"})).await;
    stage.notification(&unlinked, "deferred").await;
    stage.says(&["people", "unlink", "ann"]);
    stage.is_due().await;
    let skipped = stage.notification(&unlinked, "skipped").await;
    let why = &skipped["deliveries"].as_array().unwrap().last().unwrap()["detail"];
    assert_eq!(why, "ann has no WhatsApp number linked");
    assert_eq!(stage.sent_to().await, [NEW]);
}

#[tokio::test]
async fn what_waits_follows_the_number() {
    let stage = stage().await;
    stage.writes(ANN, None, "hi").await;
    let person = stage.send("utility", json!({"after": "1h"})).await;
    let contact = stage.send("utility", json!({"after": "1h", "users": [], "contacts": [ANN]})).await;
    stage.notification(&person, "deferred").await;
    stage.notification(&contact, "deferred").await;
    let system = json!({"type": "user_changed_number", "wa_id": NEW, "body": "changed"});
    let now = Timestamp::now().as_second().to_string();
    let message = json!({"from": ANN, "id": "wamid.s", "timestamp": now, "type": "system", "system": system});
    stage.webhook("messages", json!({"messages": [message]})).await;
    stage.is_due().await;
    stage.notification(&person, "read").await;
    stage.notification(&contact, "read").await;
    assert_eq!(stage.sent_to().await, [NEW, NEW]);
}

#[tokio::test]
async fn what_waits_for_the_window_is_woken_by_any_id() {
    let stage = with(&["--window", "off"], &[]).start().await;
    stage.database.add_person("ann", ANN, &["Ops"]).await;
    stage.writes(ANN, Some("US.1"), "hi").await;
    let close = async || {
        stage.database.query("UPDATE contact SET last_inbound_at = now() - interval '2 days'", &[]).await;
    };
    close().await;
    let id = stage.send("utility", json!({"mode": "text"})).await;
    stage.notification(&id, "deferred").await;
    let message = json!({"from_user_id": "US.1", "id": "wamid.u", "type": "text", "text": {"body": "hello"},
        "timestamp": Timestamp::now().as_second().to_string()});
    stage.webhook("messages", json!({"messages": [message]})).await;
    stage.notification(&id, "read").await;

    // The person is linked to another user meanwhile, and that one writes.
    close().await;
    let id = stage.send("utility", json!({"mode": "text"})).await;
    stage.notification(&id, "deferred").await;
    stage.says(&["people", "link", "ann", "US.2"]);
    stage.writes(NEW, Some("US.2"), "hello").await;
    stage.notification(&id, "read").await;
    assert_eq!(stage.sent_to().await, [ANN, NEW]);
}

#[tokio::test]
async fn whoever_gets_a_number_after_somebody_else_is_not_them() {
    let stage = stage().await;
    stage.writes(ANN, Some("US.1"), "hi").await;
    let id = stage.send("utility", json!({"after": "1h"})).await;
    stage.notification(&id, "deferred").await;
    stage.writes(ANN, Some("US.9"), "who is this?").await;
    stage.is_due().await;
    let skipped = stage.notification(&id, "skipped").await;
    let why = &skipped["deliveries"].as_array().unwrap().last().unwrap()["detail"];
    assert!(why.as_str().unwrap().contains("now belongs to another user"), "{why}");
    assert!(stage.sent_to().await.is_empty());
    let list = stage.says(&["people", "list"]);
    assert!(list.contains("number reassigned"), "{list}");

    // Meta tells, late, that it was Ann all along.
    let system = json!({"type": "user_changed_user_id", "previous_user_id": "US.1", "user_id": "US.9", "body": "changed"});
    let now = Timestamp::now().as_second().to_string();
    let message = json!({"id": "wamid.s", "timestamp": now, "type": "system", "system": system});
    stage.webhook("messages", json!({"messages": [message]})).await;
    stage.is_read("utility").await;
    assert_eq!(stage.sent_to().await, [ANN]);
}

#[tokio::test]
async fn an_opt_out_counts_for_what_is_in_memory_already() {
    // One a second: the others are read, and wait for their turn.
    let stage = with(&[], &[("WHATSAPP_MESSAGES_PER_SECOND", "1")]).start().await;
    let contacts: Vec<String> = (0..8).map(|n| format!("1555010010{n}")).collect();
    let decision = json!({"template": "utility", "contacts": contacts, "context": {"n": 1}});
    let id = stage.host.accept(&json!({"type": "any", "data": decision})).await;
    wait_until("the first is sent", SOON, async || !stage.sent_to().await.is_empty()).await;
    for contact in &contacts {
        stage.writes(contact, None, "STOP").await;
    }
    let at_stop = stage.sent_to().await.len();
    wait_until("all are settled", SOON, async || {
        let event = stage.host.event(&id).await;
        let messages = event["decisions"][0]["notifications"].as_array().unwrap().clone();
        messages.iter().all(|message| message["status"] == "skipped" || message["status"] == "read")
    })
    .await;
    let sent = stage.sent_to().await.len();
    // One may have had its intent when its recipient said so.
    assert!(sent <= at_stop + 1 && sent < 8, "{at_stop} and then {sent} of 8");
}
