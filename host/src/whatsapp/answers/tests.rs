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
    assert_eq!(error.to_string(), "send to Meta: error 132001 with HTTP 404: m (a text)");
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
fn the_longer_wait_counts() {
    let mut headers = HeaderMap::new();
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
