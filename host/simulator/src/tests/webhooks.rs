//! Webhooks: their shape, signature, retries and faults.

use axum::http::StatusCode;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Limits, Running};
use crate::status::Status;

const ANN: &str = "16505551234";

fn named(statuses: &[Value]) -> Vec<&str> {
    statuses.iter().map(|status| status["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_message_is_sent_delivered_and_read() {
    let knobs = json!({"window": "off", "webhook_shape": "2025"});
    let running = Running::start(knobs, Limits::unlimited()).await;
    let body = json!({"messaging_product": "whatsapp", "to": ANN, "type": "text", "text": {"body": "hi"},
        "biz_opaque_callback_data": "0190-note"});
    let (_, answer) = running.send(&body).await;
    let wamid = answer["messages"][0]["id"].as_str().unwrap();
    let statuses = running.hook.until(|hook| Some(hook.statuses(wamid)).filter(|s| s.len() == 3)).await;
    assert_eq!(named(&statuses), ["sent", "delivered", "read"]);
    for status in &statuses {
        assert_eq!(
            (&status["recipient_id"], &status["biz_opaque_callback_data"]),
            (&json!(ANN), &json!("0190-note"))
        );
        assert!(status["timestamp"].as_str().unwrap().parse::<i64>().is_ok());
    }
    assert!(statuses[0]["conversation"]["expiration_timestamp"].is_string());
    assert_eq!(statuses[1]["conversation"].get("expiration_timestamp"), None);
    assert_eq!(statuses[0]["pricing"]["category"], "service");
    assert_eq!(statuses[2].get("pricing"), None);
    let message = running.read(wamid).await;
    let reached: Vec<Status> = message.statuses.iter().map(|reached| reached.status).collect();
    assert_eq!(reached, [Status::Sent, Status::Delivered, Status::Read]);
}

#[tokio::test]
async fn webhooks_are_escaped_and_signed_over_their_bytes() {
    let running = Running::free().await;
    running.simulator.inbound(ANN, "Zoë 👍", "https://x.y/ö <b>").unwrap();
    let (headers, body) = running.hook.until(|hook| hook.posts.lock().unwrap().first().cloned()).await;
    assert!(body.is_ascii());
    assert!(String::from_utf8_lossy(&body).contains(r"https:\/\/x.y\/\u00f6 \u003cb>"));
    let mut mac = Hmac::<Sha256>::new_from_slice(running.simulator.settings().app_secret.as_bytes()).unwrap();
    mac.update(&body);
    let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    assert_eq!(headers["x-hub-signature-256"], expected.as_str());
    let value = &running.hook.values("messages")[0];
    assert_eq!(value["contacts"][0]["profile"]["name"], "Zoë 👍");
    let message = &value["messages"][0];
    assert_eq!((&message["from"], &message["text"]["body"]), (&json!(ANN), &json!("https://x.y/ö <b>")));
}

#[tokio::test]
async fn a_refused_webhook_comes_again_and_nothing_is_lost() {
    let running = Running::free().await;
    *running.hook.answers.lock().unwrap() = vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND];
    let wamid = running.simulator.inbound(ANN, "Ann", "hello").unwrap();
    let bodies = running.hook.until(|hook| Some(hook.bodies()).filter(|bodies| bodies.len() == 3)).await;
    for body in &bodies {
        assert_eq!(body["entry"][0]["changes"][0]["value"]["messages"][0]["id"], wamid.as_str());
    }
    running.told(1).await;
    let stats = running.simulator.stats().webhooks;
    assert_eq!(stats.answers, [(200, 1), (404, 1), (500, 1)].into());
    assert_eq!((stats.delivered, stats.waiting), (1, 0));
}

#[tokio::test]
async fn many_updates_come_in_few_posts() {
    let running = Running::free().await;
    let send_all = async |range: std::ops::Range<u32>| {
        let running = &running;
        let sends = range.map(async |n| running.text(&format!("1650{n:07}"), "hi").await);
        futures_util::future::join_all(sends).await;
    };
    send_all(0..400).await;
    running.told(1_200).await;
    let posts = running.simulator.stats().webhooks.posts;
    assert!(posts < 1_200 / 2, "{posts} posts for 1,200 updates");
    running.simulator.set_knobs(&json!({"webhook_batch": 1})).unwrap();
    send_all(400..420).await;
    running.told(1_260).await;
    assert_eq!(running.simulator.stats().webhooks.posts, posts + 60);
}

#[tokio::test]
async fn a_post_is_no_larger_than_metas() {
    let running = Running::free().await;
    let long = "é".repeat(4096);
    for _ in 0..200 {
        running.simulator.inbound(ANN, "Ann", &long).unwrap();
    }
    running.told(200).await;
    assert!(running.simulator.stats().webhooks.answers.keys().eq(&[200]), "a larger one is refused here");
}

#[tokio::test]
async fn webhooks_can_be_lost_and_doubled() {
    let running = Running::start(json!({"window": "off", "webhooks_lost": 1.0}), Limits::unlimited()).await;
    let lost = running.text(ANN, "lost").await;
    running.read(&lost).await;
    assert_eq!(running.simulator.stats().webhooks.lost, 3);
    running.simulator.set_knobs(&json!({"webhooks_lost": 0.0, "webhooks_doubled": 1.0})).unwrap();
    let doubled = running.text(ANN, "doubled").await;
    let statuses = running.hook.until(|hook| Some(hook.statuses(&doubled)).filter(|s| s.len() == 6)).await;
    assert_eq!(named(&statuses), ["sent", "sent", "delivered", "delivered", "read", "read"]);
    assert!(running.hook.statuses(&lost).is_empty());
}

#[tokio::test]
async fn webhooks_can_be_late_out_of_order_and_without_delivered() {
    let running = Running::free().await;
    // The first update is to be late, those after it not.
    running.simulator.set_knobs(&json!({"webhooks_reordered": 1.0, "delivered_after_ms": 600})).unwrap();
    let wamid = running.text(ANN, "out of order").await;
    let mut changes = running.simulator.changes();
    while running.simulator.messages()[0].statuses.is_empty() {
        changes.changed().await.unwrap();
    }
    running.simulator.set_knobs(&json!({"webhooks_reordered": 0.0})).unwrap();
    let statuses = running.hook.until(|hook| Some(hook.statuses(&wamid)).filter(|s| s.len() == 3)).await;
    assert_eq!(named(&statuses), ["delivered", "read", "sent"]);
    running.simulator.set_knobs(&json!({"delivered_after_ms": 1, "no_delivered": 1.0})).unwrap();
    let wamid = running.text(ANN, "read at once").await;
    let statuses = running.hook.until(|hook| Some(hook.statuses(&wamid)).filter(|s| s.len() == 2)).await;
    assert_eq!(named(&statuses), ["sent", "read"]);
    running.simulator.set_knobs(&json!({"webhooks_late": 1.0, "webhooks_late_ms": 50})).unwrap();
    let wamid = running.text(ANN, "late").await;
    running.hook.until(|hook| Some(hook.statuses(&wamid)).filter(|s| s.len() == 2)).await;
}

#[tokio::test]
async fn the_shape_of_2026_names_the_user_id_and_may_hide_the_number() {
    let running = Running::free().await;
    let user = super::super::ids::user_id(ANN);
    running.simulator.inbound(ANN, "Ann", "hello").unwrap();
    let value = running.hook.until(|hook| hook.values("messages").pop()).await;
    assert_eq!(value["contacts"], json!([{"profile": {"name": "Ann"}, "wa_id": ANN, "user_id": user}]));
    assert_eq!(value["messages"][0]["from_user_id"], user.as_str());
    running.simulator.set_knobs(&json!({"webhook_shape": "2026-phoneless"})).unwrap();
    let wamid = running.text(ANN, "hi").await;
    let status = running.hook.until(|hook| hook.statuses(&wamid).into_iter().next()).await;
    assert_eq!((status.get("recipient_id"), &status["recipient_user_id"]), (None, &json!(user)));
    assert_eq!(status.get("conversation"), None);
    let value = running.hook.values("messages").pop().unwrap();
    assert_eq!(value["contacts"], json!([{"profile": {"name": "Ann"}, "user_id": user}]));
}

#[tokio::test]
async fn users_press_buttons() {
    let running = Running::free().await;
    let asked = running.text(ANN, "well?").await;
    let pressed = json!({"from": ANN, "button": {"payload": "yes", "text": "Yes"}, "reply_to": asked});
    let (status, answer) = running.request("POST", "/_simulator/inbound", Some(&pressed)).await;
    assert_eq!(status, 200, "{answer}");
    let any = json!({"from": ANN, "message": {"type": "interactive", "interactive": {"type": "button_reply",
        "button_reply": {"id": "ok", "title": "OK"}}}});
    let (status, _) = running.request("POST", "/_simulator/inbound", Some(&any)).await;
    assert_eq!(status, 200);
    let messages = running
        .hook
        .until(|hook| {
            let values = hook.values("messages");
            let messages = values.iter().filter_map(|value| value["messages"].as_array()).flatten();
            Some(messages.cloned().collect::<Vec<_>>()).filter(|messages| messages.len() == 2)
        })
        .await;
    assert_eq!(messages[0]["button"], json!({"payload": "yes", "text": "Yes"}));
    assert_eq!(messages[0]["context"]["id"], asked.as_str());
    assert_eq!(messages[1]["interactive"]["button_reply"]["id"], "ok");
}
