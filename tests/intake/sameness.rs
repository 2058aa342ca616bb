//! The same event, however it is written and sent; and other events, however alike they look.

use reqwest::Method;
use serde_json::{Value, json};

use super::{BATCH, Host, PLAIN, accepted, problem};

const STRUCTURED: &str = "application/cloudevents+json";

/// A CloudEvent whose data and other attributes are given as JSON.
fn event(data: &str, more: &str) -> String {
    format!(
        r#"{{"specversion": "1.0", "id": "s-1", "source": "/shop", "type": "order.created", "data": {data}{more}}}"#
    )
}

async fn post_binary(host: &Host, headers: &[(&str, &str)], data: &str) -> reqwest::Response {
    let mut post = host.request(Method::POST, "/v1/events").header("content-type", PLAIN);
    let all =
        [("ce-specversion", "1.0"), ("ce-id", "s-1"), ("ce-source", "/shop"), ("ce-type", "order.created")];
    for (name, value) in all.iter().chain(headers) {
        post = post.header(*name, *value);
    }
    post.body(data.to_owned()).send().await.unwrap()
}

async fn is_conflict(answer: reqwest::Response, what: &str) {
    let (status, body) = problem(answer).await;
    assert_eq!((status, &body["code"]), (409, &json!("event_conflict")), "{what}");
}

#[tokio::test]
async fn the_same_event_is_the_same_in_each_mode() {
    let host = Host::start().await;
    let data = r#"{"amount": 12.50, "name": "Zürich"}"#;
    let more = r#", "subject": "o/1", "time": "2026-11-23T09:00:00.5Z", "rate": 30, "on": true"#;
    let first = accepted(host.post(STRUCTURED, event(data, more)).await).await;

    let headers = [
        ("ce-subject", "o%2F1"),
        ("ce-time", "2026-11-23T11:00:00.500+02:00"),
        ("ce-rate", "30"),
        ("ce-on", "true"),
    ];
    let answer = post_binary(&host, &headers, r#"{"name":"Z\u00fcrich","amount":1.25e1}"#).await;
    assert_eq!(accepted(answer).await, first);
    let more = r#", "on": "true", "rate": "30", "time": "2026-11-23T09:00:00.500000Z", "subject": "o/1",
                  "datacontenttype": "Application/JSON; Charset=UTF-8""#;
    assert_eq!(accepted(host.post(PLAIN, event(data, more)).await).await, first);
    // {"amount":12.5,"name":"Zürich"}
    let base64 = event("0", more)
        .replace(r#""data": 0"#, r#""data_base64": "eyJhbW91bnQiOjEyLjUsIm5hbWUiOiJaw7xyaWNoIn0=""#);
    let both = format!("[{base64}, {}]", event(data, more));
    for media_type in [BATCH, PLAIN] {
        let answer = accepted(host.post(media_type, both.clone()).await).await;
        assert_eq!(answer, json!({"events": [first, first]}), "{media_type}");
    }

    is_conflict(post_binary(&host, &headers[..3], data).await, "without an extension").await;
    let headers = [headers[0], ("ce-time", "2026-11-23T09:00:00.6Z"), headers[2], headers[3]];
    is_conflict(post_binary(&host, &headers, data).await, "a tenth of a second later").await;
    assert_eq!(host.logged().await, 1);
}

#[tokio::test]
async fn each_digit_and_each_character_counts() {
    let host = Host::start().await;
    let first = r#"[12345678901234567890, "é", {"a": 1, "b": null}, 0.1]"#;
    accepted(host.post(PLAIN, event(first, "")).await).await;
    for same in [
        "[12345678901234567890.0,\"\\u00E9\",{\"b\":null,\"a\":1e0},1e-1]",
        "[ 1234567890123456789e1, \"é\", {\"a\":10e-1, \"b\":null}, 0.10 ]",
    ] {
        accepted(host.post(PLAIN, event(same, "")).await).await;
    }
    for other in [
        r#"[12345678901234567891, "é", {"a": 1, "b": null}, 0.1]"#,
        r#"[12345678901234567890, "e\u0301", {"a": 1, "b": null}, 0.1]"#,
        r#"[12345678901234567890, "é", {"a": 1}, 0.1]"#,
        r#"[12345678901234567890, "é", {"a": "1", "b": null}, 0.1]"#,
        r#"[12345678901234567890, "é", {"a": 1, "b": null}, 0.10000000000000000000001]"#,
        r#"[12345678901234567890, "é", 0.1, {"a": 1, "b": null}]"#,
    ] {
        is_conflict(host.post(PLAIN, event(other, "")).await, other).await;
    }
    assert_eq!(host.logged().await, 1);
}

#[tokio::test]
async fn a_time_that_is_said_is_not_one_that_is_not() {
    let host = Host::start().await;
    accepted(host.post(PLAIN, event("{}", r#", "time": "2026-11-23T09:00:00Z""#)).await).await;
    is_conflict(host.post(PLAIN, event("{}", "")).await, "without the time").await;
    let other = |more: &str| event("{}", more).replace("s-1", "s-2");
    accepted(host.post(PLAIN, other("")).await).await;
    accepted(host.post(PLAIN, other(r#", "subject": null"#).replace("{}", "{ }")).await).await;
    let stored: Value = host.get("/v1/events/s-2").await.json().await.unwrap();
    let time = format!(r#", "time": {}"#, stored["time"]);
    is_conflict(host.post(PLAIN, other(&time)).await, "with the time at which it came").await;
}

#[tokio::test]
async fn the_trace_of_a_request_is_kept_and_does_not_count() {
    let host = Host::start().await;
    let post = async |data: &str, trace: &[(&str, &str)]| {
        let mut post = host.request(Method::POST, "/v1/events").header("content-type", PLAIN);
        for (name, value) in trace {
            post = post.header(*name, *value);
        }
        accepted(post.body(event(data, "")).send().await.unwrap()).await
    };
    let parent = |n: usize| format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333{n}-01");
    post("{}", &[("traceparent", &parent(1)), ("tracestate", "a=1")]).await;
    let kept = json!({"traceparent": parent(1), "tracestate": "a=1"});
    // Each attempt has a span of its own; one has none, and one is written in another way besides.
    post("{}", &[("traceparent", &parent(2))]).await;
    post("{}", &[]).await;
    post("{ }", &[("traceparent", &parent(3))]).await;
    let stored: Value = host.get("/v1/events/s-1").await.json().await.unwrap();
    assert_eq!(stored["extensions"], kept);
    assert_eq!(host.logged().await, 1);

    let batch = json!([
        {"type": "t", "id": "t-1", "source": "/shop", "data": 1},
        {"specversion": "1.0", "type": "t", "id": "t-2", "source": "/shop", "traceparent": "own"},
    ]);
    let post = host.request(Method::POST, "/v1/events").header("traceparent", parent(4)).json(&batch);
    accepted(post.send().await.unwrap()).await;
    for (id, trace) in [("t-1", parent(4)), ("t-2", "own".to_owned())] {
        let stored: Value = host.get(&format!("/v1/events/{id}")).await.json().await.unwrap();
        assert_eq!(stored["extensions"], json!({"traceparent": trace}), "{id}");
    }
    let mut explain = crate::harness::program(&["explain", "t-1"]);
    let page = explain.env("DATABASE_URL", host.database.url()).output().unwrap();
    assert!(String::from_utf8_lossy(&page.stdout).contains(&parent(4)), "{page:?}");

    let bad = host.request(Method::POST, "/v1/events").header("traceparent", "00-nothing").json(&json!({
        "type": "t", "id": "t-3", "source": "/shop", "data": 1
    }));
    accepted(bad.send().await.unwrap()).await;
    let stored: Value = host.get("/v1/events/t-3").await.json().await.unwrap();
    assert_eq!(stored["extensions"], Value::Null);
}

#[tokio::test]
async fn what_an_earlier_version_stored_is_recognised() {
    let host = Host::start().await;
    accepted(host.post(PLAIN, event(r#"{"a": 1}"#, r#", "traceparent": "own""#)).await).await;
    // The hash of an earlier version, if one had hashed in another way.
    host.database.query("UPDATE event SET sha256 = '\\x00', time = '2026-11-23T09:00:00Z'", &[]).await;
    let again = event(r#"{"a": 1}"#, r#", "traceparent": "own", "time": "2026-11-23T09:00:00Z""#);
    accepted(host.post(PLAIN, again).await).await;
    assert_eq!(host.logged().await, 1);
}
