#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use reqwest::header::HeaderValue;

use super::*;

#[test]
fn metas_answers_are_read() {
    for example in [
        include_str!("../testdata/send-responses/example-response.json"),
        include_str!("../testdata/send-responses/send-message-template-text.json"),
    ] {
        let accepted = answer(StatusCode::OK, example.as_bytes(), None).unwrap();
        assert!(accepted.wamid.starts_with("wamid.") && !accepted.held, "{accepted:?}");
    }
    let held = br#"{"messages":[{"id":"w","message_status":"held_for_quality_assessment"}],
        "contacts":[{"input":"US.134","user_id":"US.134"}]}"#;
    let accepted = answer(StatusCode::OK, held, None).unwrap();
    assert!(accepted.held);
}

#[test]
fn metas_errors_are_read() {
    #[derive(Deserialize)]
    struct Seen {
        http: u16,
        body: Value,
    }
    let seen: Vec<Seen> = serde_json::from_str(include_str!("../testdata/error-responses.json")).unwrap();
    assert_eq!(seen.len(), 9);
    for Seen { http, body } in seen {
        let status = StatusCode::from_u16(http).unwrap();
        let error = answer(status, body.to_string().as_bytes(), None).unwrap_err();
        let SendError::Refused { code, subcode, details, .. } = &error else { panic!("{error:?}") };
        assert_eq!(Some(i64::from(*code)), body["error"]["code"].as_i64());
        assert_eq!(subcode.map(i64::from), body["error"]["error_subcode"].as_i64());
        let error_json = &body["error"];
        let expected = error_json["error_data"]["details"].as_str().or(error_json["error_user_msg"].as_str());
        assert_eq!(details.as_deref(), expected);
        assert_eq!(error.treatment(), Some(errors::treatment(*code, *subcode)));
    }
    let text = br#"{"error":{"message":"m","code":132001,"error_data":"a text"}}"#;
    let error = answer(StatusCode::NOT_FOUND, text, None).unwrap_err();
    assert_eq!(error.to_string(), "Meta rejected it: error 132001 with HTTP 404: m (a text)");
}

#[test]
fn an_answer_that_is_none_is_told_from_an_error_that_is_none() {
    for body in ["", "<html>", "{}", r#"{"messages":[]}"#, r#"{"success":true}"#] {
        let ok = answer(StatusCode::OK, body.as_bytes(), None).unwrap_err();
        assert!(matches!(ok, SendError::Unknown(_)), "{body}");
        let gateway = answer(StatusCode::BAD_GATEWAY, body.as_bytes(), None).unwrap_err();
        assert_eq!(gateway, SendError::Garbled { http: 502, retry_after: None });
        assert_eq!(gateway.treatment(), None);
    }
    let down = answer(StatusCode::SERVICE_UNAVAILABLE, b"<html>", None).unwrap_err();
    assert_eq!(down.treatment(), Some(Treatment::Outage));
}

#[test]
fn an_unknown_code_is_tried_again_where_the_server_is_at_fault() {
    let body = br#"{"error":{"message":"new","code":999999}}"#;
    let server = answer(StatusCode::INTERNAL_SERVER_ERROR, body, None).unwrap_err();
    assert_eq!(server.treatment(), Some(Treatment::Outage));
    let client = answer(StatusCode::BAD_REQUEST, body, None).unwrap_err();
    assert_eq!(client.treatment(), Some(Treatment::GiveUp));
}

#[test]
fn an_answer_that_speaks_of_later_is_not_the_end_whatever_the_code() {
    let told = |http: u16, error: &str, wait: Option<u64>| {
        let body = format!(r#"{{"error":{{"message":"m",{error}}}}}"#);
        let status = StatusCode::from_u16(http).unwrap();
        answer(status, body.as_bytes(), wait.map(Duration::from_secs)).unwrap_err().treatment()
    };
    // Codes that nobody knows, and those that are else the end.
    for code in [999_999, 199_998, -1, 131_026, 100, 131_049] {
        let code = |more: &str| format!(r#""code":{code}{more}"#);
        assert_eq!(told(400, &code(""), None), Some(Treatment::GiveUp));
        assert_eq!(told(429, &code(""), None), Some(Treatment::Throttled));
        assert_eq!(told(408, &code(""), None), Some(Treatment::Outage));
        assert_eq!(told(400, &code(""), Some(0)), Some(Treatment::Outage));
        assert_eq!(told(400, &code(r#","is_transient":true"#), None), Some(Treatment::Retry));
        assert_eq!(told(400, &code(r#","is_transient":"yes""#), None), Some(Treatment::GiveUp));
    }
    assert_eq!(told(429, r#""code":131050"#, Some(3)), Some(Treatment::OptOut), "a wish is a wish");
    assert_eq!(told(429, r#""code":190"#, None), Some(Treatment::StopNumber));
}

#[test]
fn what_a_proxy_says_is_not_about_the_message() {
    let told = |http| {
        let status = StatusCode::from_u16(http).unwrap();
        answer(status, b"<html>No.</html>", None).unwrap_err().treatment()
    };
    for http in [301, 302, 307, 308, 400, 401, 403, 404, 407, 408, 413, 500, 501, 503, 521, 529] {
        assert_eq!(told(http), Some(Treatment::Outage), "{http}");
    }
    for http in [502, 504, 520, 524] {
        assert_eq!(told(http), None, "{http}: it may have been sent");
    }
    assert_eq!(told(429), Some(Treatment::Throttled));
}

#[test]
fn every_way_to_name_a_time_is_read_and_none_is_longer_than_an_hour() {
    let now: Timestamp = "2026-11-26T08:00:00Z".parse().unwrap();
    let wait = |value: &str, date: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        retry_after(&headers, now).map(|wait| wait.as_secs_f64())
    };
    assert_eq!(wait("3", None), Some(3.0));
    assert_eq!(wait(" 1.5 ", None), Some(1.5));
    assert_eq!(wait("0", None), Some(0.0));
    assert_eq!(wait("-5", None), Some(0.0));
    for odd in ["86400", "4294967295", "99999999999999999999999", "1e300", "inf"] {
        assert_eq!(wait(odd, None), Some(3_600.0), "{odd}");
    }
    assert_eq!(wait("NaN", None), Some(0.0));
    assert_eq!(wait("Thu, 26 Nov 2026 08:00:20 GMT", None), Some(20.0));
    assert_eq!(wait("Thu, 26 Nov 2026 07:00:00 GMT", None), Some(0.0), "past");
    assert_eq!(wait("Wed, 29 Dec 9999 23:59:59 GMT", None), Some(3_600.0));
    let skewed = Some("Thu, 26 Nov 2026 09:00:00 GMT");
    assert_eq!(wait("Thu, 26 Nov 2026 09:00:05 GMT", skewed), Some(5.0));
    for nonsense in ["soon", "", "26 Nov"] {
        assert_eq!(wait(nonsense, None), None, "{nonsense}");
    }
    let mut headers = HeaderMap::new();
    let usage = r#"{"1":[{"type":"whatsapp","estimated_time_to_regain_access":4294967295}]}"#;
    headers.insert(USAGE, HeaderValue::from_static(usage));
    assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(3_600)));
    headers.insert(USAGE, HeaderValue::from_static(r#"{"1":[{"estimated_time_to_regain_access":0}]}"#));
    assert_eq!(retry_after(&headers, now), None, "it stands beside each answer");
}

#[test]
fn the_longer_wait_counts() {
    let mut headers = HeaderMap::new();
    let retry_after = |headers: &HeaderMap| super::retry_after(headers, Timestamp::UNIX_EPOCH);
    assert_eq!(retry_after(&headers), None);
    headers.insert(RETRY_AFTER, HeaderValue::from_static("90"));
    assert_eq!(retry_after(&headers), Some(Duration::from_secs(90)));
    let usage =
        r#"{"102290129340398":[{"type":"whatsapp","call_count":1,"estimated_time_to_regain_access":3}]}"#;
    headers.insert(USAGE, HeaderValue::from_static(usage));
    assert_eq!(retry_after(&headers), Some(Duration::from_secs(180)));
    headers.insert(USAGE, HeaderValue::from_static("nonsense"));
    assert_eq!(retry_after(&headers), Some(Duration::from_secs(90)));
}
