#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::{Recipient, Request, request};

fn code(body: &Value) -> u32 {
    request(body).map(|_| 0).unwrap_or_else(|error| error.code)
}

/// A send to a number, with these fields.
fn to(fields: Value) -> Value {
    let mut body = json!({"messaging_product": "whatsapp", "to": "+1 (650) 555-1234"});
    for (key, value) in fields.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn text(body: impl Into<Value>) -> Value {
    to(json!({"type": "text", "text": {"body": body.into()}}))
}

fn interactive(object: Value) -> Value {
    to(json!({"type": "interactive", "interactive": object}))
}

fn buttons(titles: &[&str]) -> Value {
    let buttons: Vec<Value> = titles
        .iter()
        .map(|t| json!({"type": "reply", "reply": {"id": format!("id-{t}"), "title": t}}))
        .collect();
    interactive(json!({"type": "button", "body": {"text": "Well?"}, "action": {"buttons": buttons}}))
}

fn list(rows: usize) -> Value {
    let rows: Vec<Value> = (0..rows).map(|n| json!({"id": n.to_string(), "title": "Row"})).collect();
    interactive(json!({"type": "list", "body": {"text": "Choose"},
        "action": {"button": "Open", "sections": [{"rows": rows}]}}))
}

fn parameter(text: &str) -> Value {
    to(json!({"type": "template", "template": {"name": "x", "language": {"code": "en_US"},
        "components": [{"type": "BODY", "parameters": [{"type": "text", "text": text}]}]}}))
}

#[test]
fn recipients_are_read_as_meta_reads_them() {
    let recipient = |body: &Value| match request(body).unwrap() {
        Request::Message(message) => message.recipient,
        Request::Read => Recipient::default(),
    };
    let by_number = recipient(&text("hi"));
    assert_eq!(by_number.wa_id.as_deref(), Some("16505551234"));
    assert_eq!(by_number.input, "+1 (650) 555-1234");
    let user = "US.13491208655302741918";
    let by_user = json!({"messaging_product": "whatsapp", "recipient": user, "text": {"body": "hi"}});
    let by_user = recipient(&by_user);
    assert_eq!((by_user.wa_id.as_deref(), by_user.user_id.as_deref()), (None, Some(user)));
    let mut both = text("hi");
    both["recipient"] = user.into();
    assert_eq!(recipient(&both).input, "+1 (650) 555-1234", "to wins");
    for wrong in ["{{Recipient-Phone-Number}}", "12", "1234567890123456", "a6505551234"] {
        let mut body = text("hi");
        body["to"] = wrong.into();
        assert_eq!(code(&body), 131_009, "{wrong}");
    }
    assert_eq!(code(&json!({"messaging_product": "whatsapp", "text": {"body": "hi"}})), 100);
    assert_eq!(code(&to(json!({"recipient_type": "group", "text": {"body": "hi"}}))), 131_009);
}

#[test]
fn missing_wrong_and_unknown_fields_have_metas_codes() {
    assert_eq!(code(&json!([])), 100);
    assert_eq!(code(&json!({"to": "16505551234", "text": {"body": "hi"}})), 100);
    assert_eq!(code(&to(json!({"type": "text"}))), 131_008);
    assert_eq!(code(&to(json!({"type": "text", "text": {}}))), 131_008);
    assert_eq!(code(&text("")), 131_008);
    assert_eq!(code(&text(5)), 100);
    assert_eq!(code(&to(json!({"type": "poll", "poll": {}}))), 131_051);
    assert_eq!(code(&to(json!({"text": {"body": "type is text by default"}}))), 0);
    assert_eq!(code(&to(json!({"text": {"body": "hi"}, "unknown": 1}))), 0);
    assert_eq!(code(&to(json!({"text": {"body": "hi"}, "context": {}}))), 131_008);
}

#[test]
fn lengths_are_counted_in_characters() {
    assert_eq!(code(&text("ж".repeat(4096))), 0);
    assert_eq!(code(&text("ж".repeat(4097))), 100);
    let data = |n: usize| to(json!({"text": {"body": "hi"}, "biz_opaque_callback_data": "x".repeat(n)}));
    assert_eq!(code(&data(512)), 0);
    assert_eq!(code(&data(513)), 100);
}

#[test]
fn buttons_and_lists_have_metas_limits() {
    assert_eq!(code(&buttons(&["Yes", "No", "Later"])), 0);
    assert_eq!(code(&buttons(&[])), 131_008);
    assert_eq!(code(&buttons(&["1", "2", "3", "4"])), 131_009);
    assert_eq!(code(&buttons(&["Yes", "Yes"])), 131_009);
    assert_eq!(code(&buttons(&["twenty characters xxx"])), 131_009);
    assert_eq!(code(&list(10)), 0);
    assert_eq!(code(&list(11)), 131_009);
    let mut long = list(1);
    long["interactive"]["footer"] = json!({"text": "x".repeat(61)});
    assert_eq!(code(&long), 131_009);
    let mut image = list(1);
    image["interactive"]["header"] = json!({"type": "image", "image": {"id": "1"}});
    assert_eq!(code(&image), 131_009, "a list has a text header only");
    let link = json!({"type": "cta_url", "body": {"text": "See"}, "action": {"name": "cta_url",
        "parameters": {"display_text": "Open", "url": "https://example.com"}}});
    assert_eq!(code(&interactive(link)), 0);
}

#[test]
fn media_needs_one_source() {
    let image = |image: Value| code(&to(json!({"type": "image", "image": image})));
    assert_eq!(image(json!({"id": "1"})), 0);
    assert_eq!(image(json!({"link": "https://example.com/a.png", "caption": "Look"})), 0);
    assert_eq!(image(json!({})), 131_008);
    assert_eq!(image(json!({"id": "1", "link": "https://example.com/a.png"})), 131_009);
    assert_eq!(image(json!({"link": "ftp://example.com"})), 100);
    assert_eq!(image(json!({"id": "1", "caption": "x".repeat(1025)})), 131_009);
    assert_eq!(code(&to(json!({"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": ""}}))), 0);
    assert_eq!(code(&to(json!({"type": "location", "location": {"latitude": 91, "longitude": 0}}))), 131_009);
    assert_eq!(code(&to(json!({"type": "contacts", "contacts": [{"name": {}}]}))), 131_008);
}

#[test]
fn template_parameters_are_one_clean_line() {
    assert_eq!(code(&parameter("Ann")), 0);
    assert_eq!(code(&parameter("four    spaces")), 0);
    for wrong in ["two\nlines", "a\ttab", "five     spaces"] {
        assert_eq!(code(&parameter(wrong)), 132_018, "{wrong:?}");
    }
    assert_eq!(code(&parameter("")), 131_008);
}

#[test]
fn a_message_is_marked_as_read_at_the_same_place() {
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1",
        "typing_indicator": {"type": "text"}});
    assert!(matches!(request(&read), Ok(Request::Read)));
    assert_eq!(code(&json!({"messaging_product": "whatsapp", "status": "read"})), 131_008);
    assert_eq!(
        code(&json!({"messaging_product": "whatsapp", "status": "sent", "message_id": "wamid.1"})),
        100
    );
}
