//! Clients without a key, or slow ones, cost little and nobody else's time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bombs;
mod lasting;
mod shortage;
mod stop;

use std::time::Instant;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::{Database, Host, SOON, Simulator, create_key, free_port, rules};

const CLIENTS: usize = 300;

async fn start(settings: &[(&str, &str)]) -> (Database, Simulator, Host) {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &[]);
    let host = Host::start(port, &database, &simulator, &rules(), settings);
    host.accept(&json!({"type": "nobody.cares", "data": {}})).await;
    (database, simulator, host)
}

/// Sends these bytes, and leaves the connection open.
async fn open(host: &Host, bytes: &[u8]) -> TcpStream {
    let address = host.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A refusal may come while it is sent.
    let _ = timeout(SOON, stream.write_all(bytes)).await;
    stream
}

/// The answer, up to the end of the connection.
async fn answer(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut text)).await;
    String::from_utf8_lossy(&text).into_owned()
}

fn head(method: &str, path: &str, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2000000\r\n{more}\r\n"
    )
}

#[tokio::test]
async fn without_a_key_no_body_is_read() {
    let (_database, _simulator, host) = start(&[]).await;
    for (method, path) in [
        ("POST", "/v1/events"),
        ("POST", "/v1/people"),
        ("POST", "/v1/people/import"),
        ("PATCH", "/v1/people/x"),
        ("PUT", "/v1/contacts/263770000001/opt-out"),
        ("POST", "/webhooks/whatsapp"),
    ] {
        let stream = open(&host, head(method, path, "").as_bytes()).await;
        let answer = answer(stream).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{method} {path}: {answer}");
    }
    let answer = answer(open(&host, b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "without Host: {answer}");
}

#[tokio::test]
async fn slow_clients_cost_little_and_nobody_elses_time() {
    let (database, _simulator, host) = start(&[]).await;
    let key = create_key(&database, "slow", &["events"]);
    let before = host.resident();
    let signed = format!("x-hub-signature-256: sha256={}\r\n", "ab".repeat(32));
    let mut body = head("POST", "/webhooks/whatsapp", &signed).into_bytes();
    body.extend_from_slice(&[b' '; 200_000]);
    let with_key = format!("authorization: Bearer {key}\r\n");
    let kinds: [Vec<u8>; 5] = [
        Vec::new(),
        format!("GET /healthz HTTP/1.1\r\nx: {}", "y".repeat(60_000)).into_bytes(),
        head("POST", "/v1/people", "").into_bytes(),
        body,
        (head("POST", "/v1/events", &with_key).replace("2000000", "200000") + "{\"type\": ").into_bytes(),
    ];
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        clients.push(open(&host, &kinds[n % kinds.len()]).await);
    }
    let start = Instant::now();
    host.accept(&json!({"type": "nobody.cares", "data": {}})).await;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let grown = host.resident().saturating_sub(before);
    assert!(grown < 64, "{CLIENTS} slow clients take {grown} MiB");
}
