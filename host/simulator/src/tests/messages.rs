//! Sending: what is taken, what is refused, and why.

use serde_json::json;

use super::{Limits, PATIENCE, Running, template_to, text_to};

const ANN: &str = "16505551234";

#[tokio::test]
async fn a_text_is_taken_in_metas_shape_whatever_the_version() {
    let running = Running::free().await;
    for path in
        ["/v19.0/106540352242922/messages", "/v27.0/106540352242922/messages", "/106540352242922/messages"]
    {
        let (status, answer) = running.request("POST", path, Some(&text_to("+1 650-555-1234", "hi"))).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["contacts"], json!([{"input": "+1 650-555-1234", "wa_id": ANN}]));
        assert!(answer["messages"][0]["id"].as_str().unwrap().starts_with("wamid.HBgL"));
        assert_eq!(answer["messages"][0].get("message_status"), None);
    }
    let (_, answer) = running.send(&template_to(ANN, "hello_world", json!([]))).await;
    assert_eq!(answer["messages"][0]["message_status"], "accepted");
}

#[tokio::test]
async fn without_the_token_or_at_a_wrong_place_nothing_is_taken() {
    let running = Running::free().await;
    let url = format!("{}/v23.0/106540352242922/messages", running.address);
    let bare = running.client.post(&url).json(&text_to(ANN, "hi")).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    assert_eq!(bare.headers()["facebook-api-version"], "v23.0");
    let wrong =
        running.client.post(&url).bearer_auth("wrong").json(&text_to(ANN, "hi")).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let wrong: serde_json::Value = wrong.json().await.unwrap();
    assert_eq!(wrong["error"]["code"], 190);
    assert_eq!(wrong["error"]["type"], "OAuthException");
    let (status, answer) = running.request("POST", "/v23.0/123/messages", Some(&text_to(ANN, "hi"))).await;
    assert_eq!(status, 400);
    assert_eq!((&answer["error"]["code"], &answer["error"]["error_subcode"]), (&json!(100), &json!(33)));
    let (status, answer) = running.request("GET", "/v23.0/a/b/c", None).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(2500)));
    assert!(running.simulator.messages().is_empty());
}

#[tokio::test]
async fn the_number_has_a_rate_and_each_recipient_has_one_too() {
    let running = Running::start(
        json!({"window": "off"}),
        Limits { messages_per_second: Some(50), ..Limits::default() },
    )
    .await;
    let mut codes = Vec::new();
    for n in 0..50 {
        codes.push(running.send(&text_to(ANN, &n.to_string())).await.1["error"]["code"].as_u64());
    }
    assert!(codes[..45].iter().all(Option::is_none), "45 at once to one recipient: {codes:?}");
    assert!(codes[45..].iter().all(|code| *code == Some(131_056)), "{codes:?}");
    let one = Running::start(
        json!({"window": "off"}),
        Limits { messages_per_second: Some(1), ..Limits::default() },
    )
    .await;
    one.text(ANN, "first").await;
    assert_eq!(one.refused(&text_to("16505550000", "second")).await, 130_429);
}

#[tokio::test]
async fn the_window_opens_when_the_user_writes_and_closes_again() {
    let running = Running::start(json!({}), Limits::unlimited()).await;
    assert_eq!(running.refused(&text_to(ANN, "cold")).await, 131_047);
    running.simulator.inbound(ANN, "Ann", "hello").unwrap();
    running.text(ANN, "warm").await;
    running.simulator.set_knobs(&json!({"window_seconds": 0})).unwrap();
    assert_eq!(running.refused(&text_to(ANN, "cold again")).await, 131_047);
    running.simulator.set_knobs(&json!({"window": "async"})).unwrap();
    let wamid = running.text(ANN, "taken, and fails").await;
    let failed = running.hook.until(|hook| hook.statuses(&wamid).pop()).await;
    assert_eq!((&failed["status"], &failed["errors"][0]["code"]), (&json!("failed"), &json!(131_047)));
    assert_eq!(running.read(&wamid).await.statuses[0].code, Some(131_047));
}

#[tokio::test]
async fn some_recipients_cannot_be_reached() {
    let knobs = json!({"window": "off", "not_on_whatsapp": ["16505550001"], "errors": [
        {"code": 131_049, "to": "16505550002", "webhook": true},
        {"http_status": 502, "to": "16505550003"},
        {"code": 2, "next": 2},
    ]});
    let running = Running::start(knobs, Limits::unlimited()).await;
    let own = running.simulator.settings().display_phone_number.clone();
    assert_eq!(running.refused(&text_to(&own, "to myself")).await, 131_021);
    let broken = running.client.post(format!("{}/106540352242922/messages", running.address));
    let token = &running.simulator.settings().access_token;
    let broken = broken.bearer_auth(token).json(&text_to("16505550003", "hi")).send().await.unwrap();
    assert_eq!(broken.status(), 502);
    assert!(broken.text().await.unwrap().starts_with("<html>"));
    let capped = running.text("16505550002", "fails later").await;
    assert_eq!(running.read(&capped).await.statuses[0].code, Some(131_049));
    let (status, _) = running.send(&text_to(ANN, "first of the next two")).await;
    assert_eq!(status, 503);
    assert_eq!(running.refused(&text_to(ANN, "second")).await, 2);
    running.text(ANN, "third").await;
    assert_eq!(running.refused(&text_to("16505550001", "no WhatsApp")).await, 131_026);
    let stats = running.simulator.stats();
    assert_eq!((stats.accepted, stats.broken), (2, 1));
    assert_eq!(stats.refused, [(2, 2), (131_021, 1), (131_026, 1)].into());
}

#[tokio::test]
async fn a_lost_answer_leaves_the_message_taken() {
    let running = Running::start(json!({"window": "off", "lost_answers": 1.0}), Limits::unlimited()).await;
    let mut changes = running.simulator.changes();
    let body = text_to(ANN, "taken");
    let lost = running.send(&body);
    let taken = async {
        while running.simulator.messages().is_empty() {
            changes.changed().await.unwrap();
        }
    };
    tokio::select! {
        answer = lost => panic!("an answer came: {answer:?}"),
        taken = tokio::time::timeout(PATIENCE, taken) => taken.unwrap(),
    }
    assert_eq!(running.simulator.stats().lost_answers, 1);
}

#[tokio::test]
async fn a_user_id_is_an_address_too() {
    let running = Running::free().await;
    running.simulator.inbound(ANN, "Ann", "hello").unwrap();
    let user = super::super::ids::user_id(ANN);
    let to_user =
        json!({"messaging_product": "whatsapp", "recipient": user, "type": "text", "text": {"body": "hi"}});
    let (status, answer) = running.send(&to_user).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["contacts"], json!([{"input": user, "user_id": user}]));
    assert_eq!(running.simulator.messages()[0].to, ANN, "the simulator knows whose it is");
}

#[tokio::test]
async fn the_control_api_lists_clears_and_counts() {
    let running =
        Running::start(json!({"window": "off"}), Limits { keep_messages: 3, ..Limits::unlimited() }).await;
    for n in 0..5 {
        running.text(&format!("1650555000{n}"), &n.to_string()).await;
    }
    let (_, all) = running.request("GET", "/_simulator/messages", None).await;
    assert_eq!(all["data"].as_array().unwrap().len(), 3, "only the last three are kept");
    assert_eq!(all["data"][0]["request"]["text"]["body"], "2");
    assert_eq!((&all["data"][0]["type"], &all["last"]), (&json!("text"), &json!(5)));
    let (_, after) = running.request("GET", "/_simulator/messages?after=3&limit=1", None).await;
    assert_eq!((&after["data"][0]["seq"], &after["last"]), (&json!(4), &json!(4)));
    let (_, to) = running.request("GET", "/_simulator/messages?to=16505550004", None).await;
    assert_eq!(to["data"][0]["to"], "16505550004");
    running.request("DELETE", "/_simulator/messages", None).await;
    assert!(running.simulator.messages().is_empty());
    let (_, stats) = running.request("GET", "/_simulator/stats", None).await;
    assert_eq!(stats["accepted"], 5);
    let (status, answer) = running.request("POST", "/_simulator/knobs", Some(&json!({"latncy_ms": 1}))).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("latncy_ms"), "{answer}");
    let (status, knobs) = running.request("POST", "/_simulator/knobs", Some(&json!({"latency_ms": 1}))).await;
    assert_eq!((status, &knobs["latency_ms"], &knobs["window"]), (200, &json!(1), &json!("off")));
    let (status, _) = running.request("POST", "/_simulator/inbound", Some(&json!({"from": ANN}))).await;
    assert_eq!(status, 400, "nothing was written");
    assert_eq!(running.request("GET", "/_simulator/messages?form=1", None).await.0, 400);
    assert_eq!(running.request("GET", "/_simulator/message", None).await.0, 404);
}
