#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{json, value::RawValue};

use super::*;
use crate::domain::EventKey;

fn event(data: &Value) -> Event {
    Event {
        key: EventKey { id: "e1".to_owned(), source: "/shop".to_owned() },
        kind: "order.created".to_owned(),
        subject: Some("order of +5511912345678".to_owned()),
        time: Timestamp::UNIX_EPOCH,
        data: RawValue::from_string(data.to_string()).unwrap(),
        extensions: None,
    }
}

fn decided(outcome: DecisionOutcome, asked: Vec<Asked>) -> RecordedDecision {
    RecordedDecision {
        outcome,
        reason: Some("why of Ana Souza".to_owned()),
        decided_at: Timestamp::UNIX_EPOCH,
        release: "0123456789ab".to_owned(),
        returned: None,
        asked,
        recipients: vec![RecordedRecipient {
            username: Some("ana".to_owned()),
            name: Some("Ana Souza".to_owned()),
            address: Some("5511912345678".to_owned()),
            reason: "named by the rule".to_owned(),
            is_skipped: false,
            message: None,
        }],
    }
}

#[test]
fn it_gives_the_answers_that_the_rules_got() {
    let asked =
        |port: &str, question: Value, answer: Value| Asked { port: port.to_owned(), question, answer };
    let ok = json!({"Ok": {"status": 200, "headers": [["content-type", "application/json"], ["date", "today"]],
                           "body": "{\"owner\":\"ana\",\"left\":3}"}});
    let asked = vec![
        asked("now", Value::Null, "2026-11-27T10:00:00Z".into()),
        asked("config", "limit".into(), json!({"of": 5})),
        asked("config", "none".into(), Value::Null),
        asked("lookup", json!({"table": "owners", "key": "5511912345678"}), json!({"name": "Ana Souza"})),
        asked("http", json!({"method": "GET", "url": "https://stock.example/ana?q=1"}), ok),
        asked("http", json!({"method": "POST", "url": "https://stock.example/"}), json!({"Err": "timeout"})),
        asked(
            "http",
            json!({"method": "GET", "url": "https://b.example/"}),
            json!({"Err": {"failed": "dns"}}),
        ),
    ];
    let recorded = Recorded {
        event: event(&json!({"by": "ana", "at": [1, null, true]})),
        decisions: vec![decided(DecisionOutcome::Skip, asked), decided(DecisionOutcome::Failed, Vec::new())],
        has_more: false,
    };
    insta::assert_snapshot!(recorded.case().unwrap());
}

#[test]
fn what_is_not_decided_is_no_case() {
    let recorded = Recorded { event: event(&json!({})), decisions: Vec::new(), has_more: false };
    assert!(recorded.case().unwrap_err().contains("not decided yet"));
}
