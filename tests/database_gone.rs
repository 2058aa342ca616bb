//! PostgreSQL killed while events come in and messages go out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use crate::harness::{Database, Host, SOON, Simulator, free_port, rules, wait_until};

#[tokio::test]
async fn what_was_accepted_is_told_though_postgresql_is_killed() {
    let database = Database::on_its_own().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let settings = [("WHATSAPP_MESSAGES_PER_SECOND", "1000"), ("HOOKSWITCH_UNKNOWN_AFTER", "2s")];
    let host = Host::start(port, &database, &simulator, &rules(), &settings);
    let mut accepted = 0;
    let mut refused = 0;
    for n in 0..200 {
        if n == 60 || n == 120 {
            database.kill_server();
        }
        let event = json!({
            "type": "order.payment_status_changed",
            "id": format!("payment-{n}"),
            "data": {"new_status": "paid", "customer": {"wa_id": format!("155501{n:05}")}},
        });
        match host.post_event(&event).await.status().as_u16() {
            202 => accepted += 1,
            503 => refused += 1,
            other => panic!("HTTP {other}"),
        }
    }
    assert!(accepted >= 150, "{accepted} accepted, {refused} told to come again");
    let mut read = 0;
    wait_until("what was accepted is read", SOON * 2, async || {
        let messages = simulator.messages().await;
        let statuses = |message: &serde_json::Value| message["statuses"].to_string();
        let mut to: Vec<String> = messages
            .iter()
            .filter(|message| statuses(message).contains("read"))
            .map(|message| message["to"].as_str().unwrap().to_owned())
            .collect();
        to.sort();
        to.dedup();
        read = to.len();
        read >= accepted
    })
    .await;
    // An event that was told to come again may have been stored all the same.
    assert!(read <= accepted + refused, "{read} read, {accepted} accepted, {refused} refused");
}
