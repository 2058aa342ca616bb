#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value as Json, json};

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn read(body: &str) -> Webhook {
    parse(body.as_bytes(), NOW).unwrap()
}

fn post(value: Json) -> Webhook {
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    read(&body.to_string())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Reads exactly one update and skips nothing.
fn only(webhook: Webhook) -> Update {
    assert_eq!(webhook.skipped, 0);
    assert_eq!(webhook.updates.len(), 1, "{webhook:?}");
    webhook.updates.into_iter().next().unwrap()
}

macro_rules! example {
    ($name:literal) => {
        only(read(include_str!(concat!("../testdata/webhooks/", $name, ".json"))))
    };
}

/// Type, text and time of Meta's example message.
fn inbound(update: Update) -> (String, Option<String>, Timestamp) {
    let Update::Inbound(inbound) = update else { panic!("{update:?}") };
    assert_eq!(inbound.from.as_deref(), Some("16505551234"));
    assert_eq!(inbound.name.as_deref(), inbound.name.as_ref().map(|_| "Sheena Nelson"));
    assert_eq!(inbound.phone_number_id.as_deref(), Some("106540352242922"));
    assert!(inbound.wamid.starts_with("wamid.") && inbound.opens_window());
    (inbound.kind, inbound.content.text, inbound.at)
}

#[test]
fn each_of_metas_messages_is_taken() {
    let text = |t: &str| Some(t.to_owned());
    for (update, kind, said, second) in [
        (example!("button-message"), "button", text("Unsubscribe"), 1_750_091_045),
        (example!("contact-sharing-message"), "contacts", None, 1_744_344_496),
        (example!("image-message"), "image", text("Taj Mahal"), 1_744_344_496),
        (example!("interactive-button-reply-message"), "interactive", text("Cancel"), 1_750_025_136),
        (
            example!("interactive-list-reply-message"),
            "interactive",
            text("Priority Mail Express"),
            1_749_854_575,
        ),
        (example!("location-message"), "location", None, 1_744_344_496),
        (example!("order-message"), "order", None, 1_750_096_325),
        (example!("reaction-message"), "reaction", None, 1_749_419_544),
        (
            example!("text-message-from-click-to-whatsapp-ad"),
            "text",
            text("Hello! Can I get more info on this?"),
            1_750_275_992,
        ),
        (
            example!("text-message-with-context-product-inquiry"),
            "text",
            text("Is this still available?"),
            1_750_016_800,
        ),
        (example!("text-message"), "text", text("Does it come in another color?"), 1_749_416_383),
        (example!("unsupported-message"), "unsupported", None, 1_750_090_702),
    ] {
        assert_eq!(inbound(update), (kind.to_owned(), said, at(second)));
    }
}

#[test]
fn metas_other_webhooks_are_taken() {
    assert_eq!(example!("group-create-message"), Update::Other("group_lifecycle_update".to_owned()));
    assert_eq!(example!("group-remove-participants"), Update::Other("group_participants_update".to_owned()));
    assert_eq!(example!("group-settings-update"), Update::Other("group_settings_update".to_owned()));
    assert_eq!(
        example!("system-message"),
        Update::Identity(IdentityChange {
            old_wa_id: Some("16505551234".to_owned()),
            old_user_id: None,
            wa_id: Some("12195555358".to_owned()),
            user_id: None,
            at: at(1_750_269_342),
        })
    );
}

#[test]
fn metas_failures_are_taken() {
    let seen: Json = serde_json::from_str(include_str!("../testdata/error-webhooks.json")).unwrap();
    let Update::Status(status) = only(read(&seen["real_failed_status_131050"].to_string())) else {
        panic!("no status")
    };
    assert_eq!((status.status, status.at), (Status::Failed, at(1_750_224_806)));
    assert_eq!(status.recipient_id.as_deref(), Some("16505551234"));
    let error = status.error.unwrap();
    assert_eq!(error.code, 131050);
    assert!(error.details.unwrap().starts_with("Unable to deliver the message."));

    // It has no id: nothing to be done with it.
    let media = post(seen["media_errors_inside_message_chatwoot"].clone());
    assert_eq!((media.updates.len(), media.skipped), (0, 1));
}

#[test]
fn a_status_of_2026_is_taken() {
    let update = only(post(json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1", "phone_number_id": "2"},
        "contacts": [{"profile": {"name": "Pablo", "username": "@pablo"}, "user_id": "US.134"}],
        "statuses": [{"id": "wamid.1", "status": "delivered", "timestamp": 1_750_030_073,
            "recipient_user_id": "US.134", "biz_opaque_callback_data": "0198:1",
            "pricing": {"billable": true, "pricing_model": "PMP", "type": "regular", "category": "service"}}],
    })));
    let expected = StatusUpdate {
        wamid: "wamid.1".to_owned(),
        status: Status::Delivered,
        at: at(1_750_030_073),
        recipient_id: None,
        user_id: Some("US.134".to_owned()),
        callback_data: Some("0198:1".to_owned()),
        error: None,
    };
    assert_eq!(update, Update::Status(expected));
}

#[test]
fn a_message_of_2026_needs_no_number() {
    let Update::Inbound(inbound) = only(post(json!({
        "contacts": [{"profile": {"name": "Pablo"}, "user_id": "US.134"}],
        "messages": [{"from_user_id": "US.134", "id": "wamid.1", "timestamp": "1750030073", "type": "hologram"}],
    }))) else {
        panic!("no message")
    };
    assert_eq!((inbound.from, inbound.user_id.as_deref()), (None, Some("US.134")));
    assert_eq!((inbound.name.as_deref(), inbound.kind.as_str()), (Some("Pablo"), "hologram"));
}

#[test]
fn a_changed_user_id_is_read_from_the_text_where_it_stands_nowhere_else() {
    let update = only(post(json!({"messages": [{"id": "wamid.1", "type": "system", "system": {
        "type": "user_changed_user_id", "user_id": "US.2", "wa_id": "16505551234",
        "body": "User Who changed from Oslo changed from US.1 to US.2"}}]})));
    let expected = IdentityChange {
        old_wa_id: None,
        old_user_id: Some("US.1".to_owned()),
        wa_id: Some("16505551234".to_owned()),
        user_id: Some("US.2".to_owned()),
        at: NOW,
    };
    assert_eq!(update, Update::Identity(expected));
}

#[test]
fn one_bad_item_costs_only_itself() {
    let webhook = post(json!({
        "metadata": 7,
        "contacts": ["nobody", {"profile": {"name": "Ana"}, "wa_id": "16505550001"}],
        "messages": [
            {"from": "16505550001", "id": "wamid.1", "type": "text", "text": 5},
            {"from": "16505550001", "type": "text"},
            {"from": "somebody", "from_user_id": "else", "id": "wamid.2", "type": "text"},
            {"from": "16505550002", "id": "wamid.3", "type": "text", "text": {"body": "hi"}},
        ],
        "statuses": [
            {"id": "wamid.4", "status": "sent", "timestamp": "soon"},
            {"id": "wamid.5"},
            {"id": "wamid.6", "status": "warning"},
            null,
        ],
        "errors": [{"code": 131031, "title": "locked"}, {"title": "no code"}],
    }));
    let shown: Vec<String> = webhook
        .updates
        .iter()
        .map(|update| match update {
            Update::Status(status) => format!("{} {} {}", status.wamid, status.status, status.at),
            Update::Inbound(inbound) => {
                format!(
                    "{} {:?} {:?}",
                    inbound.wamid,
                    inbound.name.as_deref(),
                    inbound.content.text.as_deref()
                )
            }
            Update::Error(error) => format!("{} {}", error.code, error.title),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "wamid.4 sent 1970-01-01T00:00:00Z",
            "Other(\"messages/statuses/warning\")",
            "131031 locked",
            "wamid.1 Some(\"Ana\") None",
            "wamid.3 None Some(\"hi\")",
        ]
    );
    // The metadata, a contact, two messages, two statuses, an error.
    assert_eq!(webhook.skipped, 7);
}

#[test]
fn what_postgres_cannot_hold_does_not_come_through() {
    let Update::Inbound(inbound) = only(post(json!({
        "contacts": [{"profile": {"name": "Zo\u{0}e"}, "wa_id": "+16505551234"}],
        "messages": [{"from": 16_505_551_234_u64, "id": "wamid\u{0}.1", "timestamp": "1", "type": "text"}],
    }))) else {
        panic!("no message")
    };
    assert_eq!((inbound.wamid.as_str(), inbound.name.as_deref()), ("wamid.1", Some("Zoe")));
    assert_eq!(inbound.from.as_deref(), Some("16505551234"));
}

#[test]
fn edits_and_groups_open_no_window() {
    for (kind, group, opens) in [("text", None, true), ("edit", None, false), ("text", Some("g"), false)] {
        let update = only(post(json!({"messages": [
            {"from": "16505551234", "id": "w", "type": kind, "group_id": group}]})));
        let Update::Inbound(inbound) = update else { panic!("{update:?}") };
        assert_eq!(inbound.opens_window(), opens, "{kind} {group:?}");
    }
}

#[test]
fn other_shapes_are_no_webhooks() {
    for body in ["", "hello", "[]", "{}", r#"{"entry":{}}"#, r#"{"entry":[}"#] {
        assert!(parse(body.as_bytes(), NOW).is_err(), "{body}");
    }
    assert_eq!(read(r#"{"entry":[]}"#), Webhook::default());
    assert_eq!(read(r#"{"entry":[{"changes":5}]}"#).skipped, 1);
    let deep = format!(
        r#"{{"entry":[{{"changes":[{{"field":"messages","value":{}1{}}}]}}]}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(read(&deep).skipped, 1);
}

#[test]
fn a_template_that_meta_has_changed_is_named() {
    let change = |field: &str| {
        let value = json!({"event": "PAUSED", "message_template_id": 1, "message_template_name": "t_v2", "reason": null});
        let body = json!({"entry": [{"changes": [{"field": field, "value": value}]}]});
        parse(body.to_string().as_bytes(), Timestamp::UNIX_EPOCH).unwrap().updates
    };
    for field in ["message_template_status_update", "template_category_update"] {
        assert_eq!(change(field), [Update::Template("t_v2".to_owned())]);
    }
    assert_eq!(change("flows"), [Update::Other("flows".to_owned())]);
}

#[test]
fn what_happens_to_the_account_is_told() {
    let told = |field: &str, value: Json| {
        let body = json!({"entry": [{"changes": [{"field": field, "value": value}]}]});
        parse(body.to_string().as_bytes(), Timestamp::UNIX_EPOCH).unwrap().updates
    };
    for (field, value, what) in [
        ("account_update", json!({"event": "DISABLED_UPDATE", "ban_info": {}}), Some("DISABLED_UPDATE")),
        ("account_review_update", json!({"decision": "REJECTED"}), Some("REJECTED")),
        (
            "account_alerts",
            json!({"alert_severity": "CRITICAL", "alert_type": "OBA_DENIED"}),
            Some("OBA_DENIED"),
        ),
        ("security", json!({"event": "PIN_CHANGED", "requester": "1"}), Some("PIN_CHANGED")),
        ("business_capability_update", json!({"max_phone_numbers_per_business": 2}), None),
    ] {
        assert_eq!(told(field, value), [Update::Account(field, what.map(str::to_owned))], "{field}");
    }
}

#[test]
fn a_changed_user_id_has_a_webhook_of_its_own() {
    let body = |update: serde_json::Value| {
        let value =
            json!({"metadata": {"phone_number_id": "106"}, "user_id_update": [update, {"user_id": 7}]});
        json!({"entry": [{"changes": [{"field": "user_id_update", "value": value}]}]}).to_string()
    };
    let change = |old_wa_id: Option<&str>, old_user_id: Option<&str>, wa_id: Option<&str>| IdentityChange {
        old_wa_id: old_wa_id.map(str::to_owned),
        old_user_id: old_user_id.map(str::to_owned),
        wa_id: wa_id.map(str::to_owned),
        user_id: Some("US.2".to_owned()),
        at: at(60),
    };
    for (update, expected) in [
        (
            json!({"wa_id": "16505551234", "user_id": {"previous": "US.1", "current": "US.2"}, "timestamp": "60"}),
            change(None, Some("US.1"), Some("16505551234")),
        ),
        (
            json!({"user_id": {"previous": "US.1", "current": "US.2"}, "timestamp": 60}),
            change(None, Some("US.1"), None),
        ),
        (
            json!({"wa_id": "16505551234", "user_id": {"current": "US.2"}, "timestamp": 60}),
            change(Some("16505551234"), None, Some("16505551234")),
        ),
    ] {
        let webhook = read(&body(update));
        assert_eq!((webhook.updates, webhook.skipped), (vec![Update::Identity(expected)], 1));
    }
}

#[test]
fn a_list_that_is_none_costs_only_itself() {
    for field in ["contacts", "statuses", "errors"] {
        let mut value = json!({"messages": [{"from": "16505551234", "id": "w", "type": "text", "text": {"body": "STOP"}}]});
        value[field] = json!({"not": "a list"});
        let webhook = post(value);
        assert_eq!((webhook.updates.len(), webhook.skipped), (1, 1), "{field}");
    }
}

#[test]
fn the_only_contact_wrote_the_only_message_whatever_its_number() {
    let inbound = |contacts: serde_json::Value, from: serde_json::Value| {
        let mut message = json!({"id": "w", "type": "text"});
        message.as_object_mut().unwrap().extend(from.as_object().unwrap().clone());
        match only(post(json!({"contacts": contacts, "messages": [message]}))) {
            Update::Inbound(inbound) => (inbound.from, inbound.other_wa_id, inbound.user_id, inbound.name),
            other => panic!("{other:?}"),
        }
    };
    let some = |text: &str| Some(text.to_owned());
    let contact = json!([{"wa_id": "5215512345678", "user_id": "MX.111", "profile": {"name": "Ana"}}]);
    assert_eq!(
        inbound(contact.clone(), json!({"from": "525512345678"})),
        (some("525512345678"), None, some("MX.111"), some("Ana"))
    );
    assert_eq!(
        inbound(contact.clone(), json!({"from": "16505551234"})),
        (some("16505551234"), some("5215512345678"), some("MX.111"), some("Ana"))
    );
    assert_eq!(
        inbound(contact, json!({"from": "16505551234", "from_user_id": "US.5"})),
        (some("16505551234"), None, some("US.5"), None)
    );
    // A user id where a number is expected.
    assert_eq!(
        inbound(json!([{"wa_id": "US.5"}]), json!({"from": "US.5"})),
        (None, None, some("US.5"), None)
    );
}
