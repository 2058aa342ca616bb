//! Bad input: each refusal is a problem that says what is wrong, and nothing is stored.

use reqwest::Method;
use serde_json::{Value, json};

use super::{BATCH, Host, PLAIN, problem};

#[tokio::test]
async fn bad_bodies_are_refused_in_words() {
    let host = Host::start().await;
    let deep = format!(r#"{{"type": "t", "data": {}{}}}"#, "[".repeat(100), "]".repeat(100));
    let large = json!({"type": "t", "data": "x".repeat(300 * 1024)}).to_string();
    let huge = format!("[{}]", " ".repeat(18 * 1024 * 1024));
    let many = format!("[{}]", vec!["{}"; 1_001].join(","));
    for (content_type, body, status, code) in [
        (PLAIN, "", 400, "invalid_json"),
        (PLAIN, "hello", 400, "invalid_json"),
        (PLAIN, r#"{"type": "t", "data": 1"#, 400, "invalid_json"),
        (PLAIN, r#"{"type": "t", "data": "\u0000"}"#, 400, "invalid_json"),
        (PLAIN, r#"{"type": "t", "data": "\ud800"}"#, 400, "invalid_json"),
        (PLAIN, r#"{"type": "t", "data": 1e999}"#, 400, "invalid_json"),
        (PLAIN, &deep, 400, "invalid_json"),
        (PLAIN, "3", 400, "invalid_json"),
        (PLAIN, r#"{"type": "t", "data": {"a": 1, "a": 1}}"#, 400, "invalid_json"),
        (PLAIN, "[1]", 400, "invalid_event"),
        (PLAIN, r#"{"data": 1}"#, 400, "invalid_event"),
        (PLAIN, r#"{"type": {"a": 1}, "data": 1}"#, 400, "invalid_event"),
        (PLAIN, r#"{"type": "t", "dta": 1}"#, 400, "invalid_event"),
        (PLAIN, &large, 413, "event_too_large"),
        (BATCH, &huge, 413, "event_too_large"),
        (BATCH, &many, 413, "batch_size"),
        (BATCH, r#"{"specversion": "1.0"}"#, 400, "invalid_json"),
        ("text/plain", "hello", 415, "unsupported_media_type"),
        ("application/cloudevents+avro", "x", 415, "unsupported_media_type"),
    ] {
        let (is, body) = problem(host.post(content_type, body.to_owned()).await).await;
        assert_eq!((is, body["code"].as_str().unwrap()), (status, code), "{body}");
    }
    assert_eq!(host.logged().await, 0);
}

#[tokio::test]
async fn the_place_of_a_mistake_is_told() {
    let host = Host::start().await;
    let (_, body) = problem(host.post(PLAIN, "{\"type\": \"t\",\n \"data\": nope}").await).await;
    assert_eq!((&body["line"], &body["column"]), (&json!(2), &json!(11)), "{body}");
    let (_, body) = problem(host.post(PLAIN, r#"{"tpe": "t", "data": 1, "time": "soon"}"#).await).await;
    let at: Vec<_> = body["errors"].as_array().unwrap().iter().map(|error| error["at"].clone()).collect();
    assert_eq!(at, ["/tpe", "/time", "/type"]);
    assert!(body["errors"][0]["detail"].as_str().unwrap().contains("did you mean `type`?"), "{body}");
}

#[tokio::test]
async fn other_addresses_and_methods_are_refused() {
    let host = Host::start().await;
    let request = async |method, path: &str| host.request(method, path).send().await.unwrap();
    let answer = request(Method::DELETE, "/v1/events").await;
    assert_eq!(answer.headers()["allow"], "POST,OPTIONS,GET,HEAD");
    assert_eq!(problem(answer).await.0, 405);
    assert_eq!(problem(request(Method::GET, "/v1/event").await).await.0, 404);
    for (path, status) in [
        ("/v1/events/none", 404),
        ("/v1/events/none?source=%2Fshop", 404),
        ("/v1/events/none?sorce=x", 400),
        ("/v1/events/a%00b", 400),
        ("/v1/events/%FF", 400),
    ] {
        assert_eq!(problem(request(Method::GET, path).await).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn however_much_is_wrong_the_answer_stays_small() {
    let host = Host::start().await;
    let members = (0..20_000).map(|n| format!(r#""A{n}":1"#)).collect::<Vec<_>>().join(",");
    let long = "n".repeat(100_000);
    let twice = format!(r#"{{"type": "t", "data": {{"{long}": 1, "{long}": 1}}}}"#);
    let text = host.post(PLAIN, twice).await.text().await.unwrap();
    assert!(text.len() < 10_000, "{} bytes", text.len());
    let batch = format!("[{}]", vec![format!("{{{members}}}"); 20].join(","));
    let one = format!(r#"{{"{}":1,{members}}}"#, &long[..20_000]);
    for (media_type, body) in [(BATCH, batch), (PLAIN, one)] {
        let answer = host.post(media_type, body).await;
        assert_eq!(answer.status(), 400);
        let text = answer.text().await.unwrap();
        assert!(text.len() < 100_000, "{} bytes", text.len());
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["errors"].as_array().unwrap().len(), 100);
        assert!(json["more_errors"].as_u64().unwrap() > 10_000, "{}", json["more_errors"]);
    }
}
