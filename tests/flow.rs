//! The main job: an event posted over HTTP becomes a WhatsApp message that is read.

use serde_json::{Value, json};

use crate::harness::{Database, Host, SOON, Simulator, free_port, rules, wait_until};

const ANN: &str = "15550100001";

fn order(number: usize) -> Value {
    json!({
        "type": "order.created",
        "source": "/shop",
        "id": format!("order-{number}"),
        "data": {"order": {
            "id": number,
            "name": "Solar kit",
            "order_number": format!("HN-{number}"),
            "amount": 1200.5,
            "customer": {"full_name": "Tariro Moyo"},
        }},
    })
}

/// An event that tells a customer of its own: Meta's limit lets one recipient get 45 messages at once, no more.
fn payment(number: usize) -> Value {
    json!({
        "type": "order.payment_status_changed",
        "source": "/shop",
        "id": format!("payment-{number}"),
        "data": {"order": {"order_number": format!("HN-{number}")}, "new_status": "paid",
                 "customer": {"wa_id": format!("155501{number:05}")}},
    })
}

/// A host with one person to tell, and the simulator that it sends to.
async fn stage() -> (Database, Simulator, Host) {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let host = Host::start(
        port,
        &database,
        &simulator,
        &rules(),
        &[("WHATSAPP_MESSAGES_PER_SECOND", "1000"), ("HOOKSWITCH_UNKNOWN_AFTER", "3s")],
    );
    database.add_person("ann", ANN, &["System Admins"]).await;
    (database, simulator, host)
}

/// How many different notifications the delivery log has in this state.
async fn deliveries(database: &Database, status: &str) -> i64 {
    let sql = "SELECT count(DISTINCT notification_id) FROM delivery WHERE status = $1::text::delivery_status";
    database.query(sql, &[&status]).await[0].get(0)
}

#[tokio::test]
async fn an_event_becomes_a_message_that_is_read() {
    let (database, simulator, host) = stage().await;
    let id = host.accept(&order(1)).await;
    wait_until("the message is read", SOON, async || deliveries(&database, "read").await == 1).await;
    let messages = simulator.messages().await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0]["to"], ANN);
    assert!(host.event(&id).await.to_string().contains("read"));
}

#[tokio::test]
async fn an_event_posted_twice_is_told_once() {
    let (database, simulator, host) = stage().await;
    let first = host.accept(&order(1)).await;
    assert_eq!(host.accept(&order(1)).await, first);
    let mut other = order(1);
    other["data"]["order"]["amount"] = json!(7);
    assert_eq!(host.post_event(&other).await.status(), 409);
    host.accept(&order(2)).await;
    wait_until("two messages are read", SOON, async || deliveries(&database, "read").await == 2).await;
    assert_eq!(simulator.messages().await.len(), 2);
}

#[tokio::test]
async fn nothing_accepted_is_lost_by_a_kill() {
    let (database, _simulator, mut host) = stage().await;
    let mut accepted = 0;
    for number in 0..200 {
        if number == 100 {
            host.kill();
        }
        let event = payment(number).to_string().into_bytes();
        match host.post(event, "application/json").await {
            Ok(answer) if answer.status() == 202 => accepted += 1,
            _ => break,
        }
    }
    assert_eq!(accepted, 100);
    host.restart();
    wait_until("each accepted event's message is read", SOON, async || {
        deliveries(&database, "read").await == accepted
    })
    .await;
}

#[tokio::test]
async fn webhooks_told_twice_and_in_disorder_change_nothing() {
    let (database, simulator, host) = stage().await;
    simulator.turn(&json!({"webhooks_doubled": 1.0, "webhooks_reordered": 0.5})).await;
    for number in 0..10 {
        host.accept(&order(number)).await;
    }
    wait_until("ten messages are read", SOON, async || deliveries(&database, "read").await == 10).await;
    assert_eq!(simulator.messages().await.len(), 10);
}

#[tokio::test]
async fn a_user_who_writes_opens_their_window() {
    let (database, simulator, _host) = stage().await;
    simulator.inbound(&json!({"from": ANN, "name": "Ann", "text": "hello"})).await;
    let open = "SELECT count(*) FROM contact WHERE last_inbound_at IS NOT NULL";
    wait_until("the window is open", SOON, async || database.count(open).await == 1).await;
}

#[tokio::test]
async fn a_host_that_is_told_to_stop_stops() {
    let (_database, _simulator, mut host) = stage().await;
    assert!(host.terminate().success());
}
