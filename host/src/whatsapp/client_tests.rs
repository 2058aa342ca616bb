#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::config::Secret;

fn config(url: &str) -> WhatsappConfig {
    WhatsappConfig {
        whatsapp_api_url: url.to_owned(),
        whatsapp_phone_number_id: "106540352242922".to_owned(),
        whatsapp_access_token: Secret::from("EAAG-token"),
        whatsapp_app_secret: Secret::from("app-secret"),
        whatsapp_verify_token: Secret::from("verify"),
        whatsapp_messages_per_second: 80,
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut asked = Vec::new();
    while !asked.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0);
    }
    (stream, String::from_utf8(asked).unwrap())
}

/// Answers one request with these bytes and closes; gives back what was asked.
async fn server(answer: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, asked) = accept(&listener).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        asked
    });
    (address, asked)
}

async fn send(address: SocketAddr) -> Result<Accepted, SendError> {
    let client = Client::new(&config(&format!("http://{address}/v25.0/"))).unwrap();
    let message = Message { body: "hello".to_owned(), ..Message::default() };
    client.send("16505551234", Form::Text, &message, "0198:1").await
}

#[tokio::test]
async fn a_message_is_posted_with_the_token_and_accepted() {
    let (address, asked) = server(
        "HTTP/1.1 200 OK\r\ncontent-length: 153\r\n\r\n{\"messaging_product\":\"whatsapp\",\
         \"contacts\":[{\"input\":\"+16505551234\",\"wa_id\":\"16505551234\"}],\
         \"messages\":[{\"id\":\"wamid.1\",\"message_status\":\"accepted\"}]}          ",
    )
    .await;
    let accepted = send(address).await.unwrap();
    assert_eq!(
        accepted,
        Accepted { wamid: "wamid.1".to_owned(), held: false, wa_id: Some("16505551234".to_owned()) }
    );
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("POST /v25.0/106540352242922/messages HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Bearer EAAG-token\r\n"), "{asked}");
    assert!(asked.contains("content-type: application/json\r\n"), "{asked}");
    assert!(asked.ends_with("\"biz_opaque_callback_data\":\"0198:1\"}"), "{asked}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (address, _asked) =
        server("HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(send(address).await, Err(SendError::Garbled { http: 307, retry_after: None }));
}

#[tokio::test]
async fn a_cut_connection_leaves_it_open_whether_it_was_sent() {
    let (address, _asked) = server("").await;
    let error = send(address).await.unwrap_err();
    assert!(matches!(error, SendError::Unknown(_)), "{error:?}");
    assert_eq!(error.treatment(), None);

    let (address, _asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"messages\":").await;
    assert!(matches!(send(address).await, Err(SendError::Unknown(_))));
}

#[tokio::test]
async fn no_connection_means_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = send(address).await.unwrap_err();
    assert!(matches!(error, SendError::NotSent(_)), "{error:?}");
    assert_eq!(error.treatment(), Some(Treatment::Retry));
    assert!(!error.to_string().contains("EAAG"), "{error}");
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\n\r\n").await.unwrap();
        while stream.write_all(&[b' '; 8192]).await.is_ok() {}
    });
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(send(address).await, Err(SendError::Garbled { http: 503, retry_after }));
}

#[test]
fn metas_answers_are_read() {
    for example in [
        include_str!("testdata/send-responses/example-response.json"),
        include_str!("testdata/send-responses/send-message-template-text.json"),
    ] {
        let accepted = answer(StatusCode::OK, example.as_bytes(), None).unwrap();
        assert!(accepted.wamid.starts_with("wamid.") && !accepted.held, "{accepted:?}");
    }
    let held = br#"{"messages":[{"id":"w","message_status":"held_for_quality_assessment"}],
        "contacts":[{"input":"US.134","user_id":"US.134"}]}"#;
    let accepted = answer(StatusCode::OK, held, None).unwrap();
    assert!(accepted.held);
    assert_eq!(accepted.wa_id, None);
}

#[test]
fn metas_errors_are_read() {
    #[derive(Deserialize)]
    struct Seen {
        http: u16,
        body: Value,
    }
    let seen: Vec<Seen> = serde_json::from_str(include_str!("testdata/error-responses.json")).unwrap();
    assert_eq!(seen.len(), 9);
    for Seen { http, body } in seen {
        let status = StatusCode::from_u16(http).unwrap();
        let error = answer(status, body.to_string().as_bytes(), None).unwrap_err();
        let SendError::Refused { code, subcode, details, .. } = &error else { panic!("{error:?}") };
        assert_eq!(Some(i64::from(*code)), body["error"]["code"].as_i64());
        assert_eq!(subcode.map(i64::from), body["error"]["error_subcode"].as_i64());
        assert_eq!(details.as_deref(), body["error"]["error_data"]["details"].as_str());
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
    assert_eq!(down.treatment(), Some(Treatment::Retry));
}

#[test]
fn an_unknown_code_is_tried_again_where_the_server_is_at_fault() {
    let body = br#"{"error":{"message":"new","code":999999}}"#;
    let server = answer(StatusCode::INTERNAL_SERVER_ERROR, body, None).unwrap_err();
    assert_eq!(server.treatment(), Some(Treatment::Retry));
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

#[test]
fn settings_that_cannot_work_are_refused_and_nothing_shows_the_token() {
    for url in ["", "graph.facebook.com/v25.0", "ftp://graph.facebook.com"] {
        assert!(matches!(Client::new(&config(url)), Err(ClientError::Url(_))), "{url}");
    }
    let mut broken = config("http://127.0.0.1:1");
    broken.whatsapp_access_token = Secret::from("EAAG\n");
    assert!(matches!(Client::new(&broken), Err(ClientError::Token)));
    let client = Client::new(&config("https://graph.facebook.com/v25.0")).unwrap();
    assert!(!format!("{client:?}").contains("EAAG"));
    assert_eq!(client.url.as_str(), "https://graph.facebook.com/v25.0/106540352242922/messages");
}
