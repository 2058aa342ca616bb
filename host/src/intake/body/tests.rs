#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::json;

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn post(pairs: &[(&str, &str)], body: &str) -> Result<Vec<Checked>, Problem> {
    let headers = headers(pairs);
    events(Way::of(&headers)?, &headers, body.as_bytes(), "shop", Timestamp::UNIX_EPOCH)
}

fn json_post(body: &str) -> Result<Vec<Checked>, Problem> {
    post(&[("content-type", "application/json")], body)
}

fn one(result: Result<Vec<Checked>, Problem>) -> Checked {
    result.map_err(|problem| problem.detail().to_owned()).unwrap().pop().unwrap()
}

fn refusal(result: Result<Vec<Checked>, Problem>) -> (String, Vec<String>) {
    let problem = result.err().unwrap();
    (problem.code().to_owned(), problem.errors().iter().map(|e| format!("{} {}", e.at, e.detail)).collect())
}

const CLOUD_EVENT: &str = r#"{"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.created",
    "subject": "order-7", "time": "2026-11-23T09:00:00Z", "datacontenttype": "application/json",
    "traceparent": "00-1", "data": {"a": 1}}"#;

#[test]
fn a_plain_event_needs_type_and_data_only() {
    let event = one(json_post(r#"{"type": "order.created", "data": {"a": 1}}"#)).event;
    assert_eq!(event.kind, "order.created");
    assert_eq!(event.key.source, "/keys/shop");
    assert_eq!(event.key.id.len(), 36);
    assert_eq!(event.time, Timestamp::UNIX_EPOCH);
    assert_eq!(event.data.get(), r#"{"a": 1}"#);
}

#[test]
fn one_event_in_three_forms_is_the_same_event() {
    let structured =
        one(post(&[("content-type", "application/cloudevents+json; charset=utf-8")], CLOUD_EVENT));
    let as_json = one(json_post(CLOUD_EVENT));
    let binary = one(post(
        &[
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "7"),
            ("ce-source", "/shop"),
            ("ce-type", "order.created"),
            ("ce-subject", "order%2D7"),
            ("ce-time", "2026-11-23T10:00:00+01:00"),
            ("ce-traceparent", "00-1"),
        ],
        r#"{"a": 1}"#,
    ));
    let batch =
        one(post(&[("content-type", "application/cloudevents-batch+json")], &format!("[{CLOUD_EVENT}]")));
    for other in [&as_json, &binary, &batch] {
        assert_eq!(other.event.key, structured.event.key);
        assert_eq!(other.event.subject, structured.event.subject);
        assert_eq!(other.event.extensions.as_ref().unwrap().get(), r#"{"traceparent":"00-1"}"#);
        assert_eq!(other.sha256, structured.sha256);
    }
    let other = CLOUD_EVENT.replace(r#""a": 1"#, r#""a": 2"#);
    assert_ne!(one(json_post(&other)).sha256, structured.sha256);
}

#[test]
fn everything_wrong_is_told_with_its_place() {
    let (code, errors) = refusal(json_post(r#"{"typ": "x", "time": "soon", "subject": {}, "id": ""}"#));
    assert_eq!(code, "invalid_event");
    assert_eq!(
        errors,
        [
            "/typ unknown member; did you mean `type`?; what the event carries belongs into `data`",
            r#"/time expected a time such as 2026-11-23T09:00:00Z (RFC 3339), got "soon""#,
            "/subject expected a text, got an object or an array",
            "/id is empty",
            "/type missing: what happened, such as order.created",
            "/data missing: what the rules read; {} where there is nothing to say",
        ]
    );
}

#[test]
fn a_batch_names_each_bad_event() {
    let batch = json!([
        {"specversion": "1.0", "id": "1", "source": "/a", "type": "t"},
        {"specversion": "0.3", "id": "2", "source": "/a", "type": "t"},
        3,
        {"specversion": "1.0", "id": "4", "source": "/a", "type": "t", "data_base64": "AA=="},
    ]);
    let (_, errors) = refusal(post(&[("content-type", BATCH)], &batch.to_string()));
    assert_eq!(
        errors,
        [
            r#"/1/specversion expected "1.0", got "0.3""#,
            "/2 expected an object, a CloudEvent",
            "/3/data_base64 binary data is not taken: send JSON in `data`",
        ]
    );
    let many = format!("[{}]", vec!["{}"; BATCH_EVENTS + 1].join(","));
    assert_eq!(refusal(post(&[("content-type", BATCH)], &many)).0, "batch_size");
    assert_eq!(refusal(post(&[("content-type", BATCH)], "[]")).0, "batch_size");
}

#[test]
fn what_is_no_event_is_refused_in_words() {
    let detail = |body: &str| json_post(body).err().unwrap().detail().to_owned();
    assert!(detail("[]").contains("send a batch of CloudEvents as application/cloudevents-batch+json"));
    assert!(detail("{").starts_with("the body cannot be read: EOF while parsing"), "{}", detail("{"));
    assert!(detail("hello").starts_with("the body cannot be read"), "{}", detail("hello"));
    assert!(detail("3").contains("expected a JSON object"), "{}", detail("3"));
    let deep = format!(r#"{{"type": "t", "data": {}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert!(detail(&deep).contains("deeper than 64"));
    assert!(detail(r#"{"type": "t", "data": "\u0000"}"#).contains("\\u0000"));
    let problem = post(&[("content-type", "text/plain")], "x").err().unwrap();
    assert_eq!(problem.code(), "unsupported_media_type");
}

#[test]
fn attributes_have_limits() {
    let long = "x".repeat(257);
    let (_, errors) = refusal(json_post(&json!({"type": long, "data": 1}).to_string()));
    assert_eq!(errors[0], "/type has 257 bytes; at most 256 are taken");
    let (_, errors) = refusal(json_post(&json!({"type": "a b", "data": 1}).to_string()));
    assert!(errors[0].contains("white space"));
    let (_, errors) = refusal(json_post(&CLOUD_EVENT.replace("traceparent", "trace_parent")));
    assert!(errors[0].contains("lower-case letters and digits"));
    let (_, errors) = refusal(json_post(&CLOUD_EVENT.replace("application/json", "text/xml")));
    assert!(errors[0].contains("only JSON is taken"));
}
