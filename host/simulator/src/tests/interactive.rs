//! Interactive messages: each type of Meta's is taken, or refused for a stated reason.

use serde_json::{Value, json};

use super::Running;

fn interactive(object: Value) -> Value {
    json!({"messaging_product": "whatsapp", "to": "16505551234", "type": "interactive", "interactive": object})
}

fn with(kind: &str, action: Value) -> Value {
    interactive(json!({"type": kind, "body": {"text": "Well?"}, "action": action}))
}

fn card(index: usize, action: Value) -> Value {
    json!({"card_index": index, "type": "cta_url", "body": {"text": "A card"}, "action": action,
        "header": {"type": "image", "image": {"link": "https://example.com/a.jpeg"}}})
}

fn link() -> Value {
    json!({"name": "cta_url", "parameters": {"display_text": "Buy", "url": "https://example.com"}})
}

fn replies(ids: &[&str]) -> Value {
    let button = |id: &&str| json!({"type": "quick_reply", "quick_reply": {"id": id, "title": id}});
    json!({"buttons": ids.iter().map(button).collect::<Vec<_>>()})
}

fn carousel(cards: &[Value]) -> Value {
    with("carousel", json!({"cards": cards}))
}

#[tokio::test]
async fn carousels_have_metas_limits() {
    let running = Running::free().await;
    let two = carousel(&[card(0, link()), card(1, link())]);
    let (status, answer) = running.send(&two).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        running.send(&carousel(&[card(0, replies(&["a", "b"])), card(1, replies(&["c", "d"]))])).await.0,
        200
    );
    let mut headed = two.clone();
    headed["interactive"]["header"] = json!({"type": "text", "text": "No"});
    let mut typed = two.clone();
    typed["interactive"]["action"]["cards"][1]["header"] =
        json!({"type": "video", "video": {"link": "https://example.com/a.mp4"}});
    let mut long = two.clone();
    long["interactive"]["action"]["cards"][0]["body"]["text"] = "x".repeat(161).into();
    let mut lines = two.clone();
    lines["interactive"]["action"]["cards"][0]["body"]["text"] = "a\nb\nc\nd".into();
    let many: Vec<Value> = (0..11).map(|index| card(index.min(9), link())).collect();
    for (why, wrong) in [
        ("one card", carousel(&[card(0, link())])),
        ("eleven cards", carousel(&many)),
        ("an index twice", carousel(&[card(0, link()), card(0, link())])),
        ("an index too high", carousel(&[card(0, link()), card(10, link())])),
        ("other buttons", carousel(&[card(0, link()), card(1, replies(&["a"]))])),
        ("more buttons", carousel(&[card(0, replies(&["a"])), card(1, replies(&["b", "c"]))])),
        ("a button twice", carousel(&[card(0, replies(&["a", "a"])), card(1, replies(&["b", "c"]))])),
        ("a header of the whole", headed),
        ("other headers", typed),
        ("a long text", long),
        ("four lines", lines),
    ] {
        assert_eq!(running.refused(&wrong).await, 131_009, "{why}");
    }
}

#[tokio::test]
async fn what_needs_something_at_meta_says_so_once_it_is_right() {
    let running = Running::free().await;
    let cta = json!({"flow_cta": "Book", "flow_id": "1", "flow_message_version": "3"});
    let item = json!({"product_retailer_id": "p"});
    let product_card = |index: usize| {
        json!({"card_index": index, "type": "product",
        "action": {"product_retailer_id": "p", "catalog_id": "1"}})
    };
    let mut list = with("product_list", json!({"catalog_id": "1", "sections": [{"product_items": [item]}]}));
    list["interactive"]["header"] = json!({"type": "text", "text": "Ours"});
    let right = [
        ("a published flow", with("flow", json!({"name": "flow", "parameters": cta}))),
        (
            "a product catalogue",
            interactive(json!({"type": "product", "action": {"catalog_id": "1",
            "product_retailer_id": "p"}})),
        ),
        ("a product catalogue", list.clone()),
        ("a product catalogue", with("catalog_message", json!({"name": "catalog_message"}))),
        ("a product catalogue", carousel(&[product_card(0), product_card(1)])),
        (
            "calling enabled",
            with(
                "voice_call",
                json!({"name": "voice_call",
            "parameters": {"display_text": "Call", "ttl_minutes": 100.0}}),
            ),
        ),
        ("calling enabled", with("call_permission_request", json!({"name": "call_permission_request"}))),
        (
            "a business in India or Singapore",
            with(
                "address_message",
                json!({"name": "address_message",
            "parameters": {"country": "IN"}}),
            ),
        ),
        ("a payment configuration", with("order_details", json!({"name": "review_and_pay"}))),
    ];
    for (needs, body) in right {
        let (status, answer) = running.send(&body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(131_009)), "{answer}");
        let details = answer["error"]["error_data"]["details"].as_str().unwrap();
        assert!(
            details.contains(needs) && details.ends_with("which the simulator does not have"),
            "{details}"
        );
    }
    list["interactive"].as_object_mut().unwrap().remove("header");
    let wrong = [
        with("flow", json!({"name": "flow", "parameters": {"flow_id": "1"}})),
        with("flow", json!({"name": "flow", "parameters": {"flow_cta": "Book"}})),
        with("product", json!({"catalog_id": "1"})),
        list,
        with("catalog_message", json!({"name": "catalog"})),
        with("voice_call", json!({"name": "voice_call", "parameters": {"ttl_minutes": 43_201}})),
        with("call_permission_request", json!({"name": "call"})),
        with("address_message", json!({"name": "address_message", "parameters": {"country": "DE"}})),
        with("address_message", json!({"name": "address_message"})),
    ];
    for body in wrong {
        let (_, answer) = running.send(&body).await;
        let details = answer["error"]["error_data"]["details"].as_str().unwrap();
        assert!(!details.contains("simulator"), "{body}: {details}");
    }
}

#[tokio::test]
async fn requests_to_the_user_are_taken_and_unknown_types_are_told_all() {
    let running = Running::free().await;
    for (kind, name) in
        [("location_request_message", "send_location"), ("request_contact_info", "request_contact_info")]
    {
        assert_eq!(running.send(&with(kind, json!({"name": name}))).await.0, 200, "{kind}");
        assert_eq!(running.refused(&with(kind, json!({"name": "x"}))).await, 131_009, "{kind}");
    }
    let (status, answer) = running.send(&with("poll", json!({}))).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(100)));
    let message = answer["error"]["message"].as_str().unwrap();
    for kind in [
        "address_message",
        "button",
        "call_permission_request",
        "carousel",
        "catalog_message",
        "cta_url",
        "flow",
        "list",
        "location_request_message",
        "product",
        "product_list",
        "request_contact_info",
        "voice_call",
    ] {
        assert!(message.contains(kind), "{kind}: {message}");
    }
}

#[tokio::test]
async fn an_object_may_be_written_as_a_json_text() {
    let running = Running::free().await;
    let cards = json!([{"name": {"formatted_name": "Ann Lee", "first_name": "Ann"}, "phones": []}]);
    let contacts = json!({"messaging_product": "whatsapp", "to": "16505551234", "type": "contacts",
        "contacts": cards.to_string(), "context": json!({"message_id": "wamid.1"}).to_string()});
    let (status, answer) = running.send(&contacts).await;
    assert_eq!(status, 200, "{answer}");
    let wrong =
        json!({"messaging_product": "whatsapp", "to": "16505551234", "type": "contacts", "contacts": "Ann"});
    assert_eq!(running.refused(&wrong).await, 100);
}
