//! The CloudEvents webhook handshake.

use reqwest::{Method, Response};
use serde_json::json;

use super::{Host, problem};

async fn ask(host: &Host, headers: &[(&str, &str)]) -> Response {
    let mut ask = host.http.request(Method::OPTIONS, format!("{}/v1/events", host.url));
    for (name, value) in headers {
        ask = ask.header(*name, *value);
    }
    ask.send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_sender_that_asks_is_allowed() {
    let host = Host::start().await;
    let origin = ("WebHook-Request-Origin", "eventemitter.example.com");
    let callback = ("WebHook-Request-Callback", "http://127.0.0.1:1/confirm");
    for (headers, rate) in [
        (vec![origin], "*"),
        (vec![origin, ("WebHook-Request-Rate", "120")], "120"),
        (vec![origin, callback, ("Authorization", &format!("Bearer {}", host.key))], "*"),
    ] {
        let answer = ask(&host, &headers).await;
        assert_eq!(answer.status(), 200, "{headers:?}");
        assert_eq!(header(&answer, "allow"), Some("POST"));
        assert_eq!(header(&answer, "webhook-allowed-origin"), Some(origin.1));
        assert_eq!(header(&answer, "webhook-allowed-rate"), Some(rate));
        assert!(answer.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn nothing_else_is_consent_and_consent_is_no_key() {
    let host = Host::start().await;
    let origin = ("WebHook-Request-Origin", "eventemitter.example.com");
    for headers in
        [vec![], vec![("Origin", "https://example.com"), ("Access-Control-Request-Method", "POST")]]
    {
        let answer = ask(&host, &headers).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (200, Some("POST")));
        let more: Vec<_> = answer
            .headers()
            .keys()
            .filter(|name| !["allow", "date", "content-length"].contains(&name.as_str()))
            .collect();
        assert!(more.is_empty(), "{more:?}");
    }
    for (headers, status, code) in [
        (vec![("WebHook-Request-Origin", "https://example.com/")], 400, "invalid_header"),
        (vec![("WebHook-Request-Origin", "")], 400, "invalid_header"),
        (vec![origin, origin], 400, "invalid_header"),
        (vec![origin, ("WebHook-Request-Rate", "0")], 400, "invalid_header"),
        (vec![origin, ("WebHook-Request-Rate", "fast")], 400, "invalid_header"),
        (vec![origin, ("Authorization", "Bearer nonsense")], 401, "unauthorized"),
    ] {
        let answer = ask(&host, &headers).await;
        assert_eq!(header(&answer, "webhook-allowed-origin"), None, "{headers:?}");
        let (is, body) = problem(answer).await;
        assert_eq!((is, &body["code"]), (status, &json!(code)), "{headers:?}");
    }
    let events =
        host.http.post(format!("{}/v1/events", host.url)).header(origin.0, origin.1).json(&json!({}));
    assert_eq!(problem(events.send().await.unwrap()).await.0, 401);
}
