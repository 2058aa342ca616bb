#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use hookswitch_core::domain::Senders;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{config::Secret, whatsapp::Treatment};

fn config(url: &str) -> WhatsappConfig {
    WhatsappConfig {
        whatsapp_api_url: url.to_owned(),
        whatsapp_phone_number_id: Senders::only("106540352242922"),
        whatsapp_business_account_id: None,
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
    client.send("106540352242922", "16505551234", Form::Text, &message, None, "0198:1").await
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
    assert_eq!(accepted, Accepted { wamid: "wamid.1".to_owned(), held: false });
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
    assert_eq!(error.treatment(), Some(Treatment::Outage));
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
fn settings_that_cannot_work_are_refused_and_nothing_shows_the_token() {
    for url in ["", "graph.facebook.com/v25.0", "ftp://graph.facebook.com"] {
        assert!(matches!(Client::new(&config(url)), Err(ClientError::Url(_))), "{url}");
    }
    let mut broken = config("http://127.0.0.1:1");
    broken.whatsapp_access_token = Secret::from("EAAG\n");
    assert!(matches!(Client::new(&broken), Err(ClientError::Token)));
    let client = Client::new(&config("https://graph.facebook.com/v25.0")).unwrap();
    assert!(!format!("{client:?}").contains("EAAG"));
    assert_eq!(client.url.as_str(), "https://graph.facebook.com/v25.0");
}
