//! A stop takes at most ten seconds, whoever is connected and whatever a plugin does.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;

use super::{head, open, start};
use crate::harness::Host;

const LONGEST: Duration = Duration::from_secs(10);

/// Half a head, half a body, an answer that nobody reads, and nothing at all.
async fn slow_clients(host: &Host) -> Vec<TcpStream> {
    let signed = format!("x-hub-signature-256: sha256={}\r\n", "ab".repeat(32));
    let kinds = [
        String::new(),
        "GET /healthz HTTP/1.1\r\nx: y".to_owned(),
        head("POST", "/webhooks/whatsapp", &signed) + "{",
        "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(400),
        "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
    ];
    let mut clients = Vec::new();
    for n in 0..100 {
        clients.push(open(host, kinds[n % kinds.len()].as_bytes()).await);
    }
    clients
}

#[tokio::test]
async fn slow_clients_do_not_hold_up_a_stop() {
    let (_database, _simulator, mut host) = start(&[]).await;
    let _clients = slow_clients(&host).await;
    host.accept(&json!({"type": "nobody.cares", "data": {}})).await;
    let start = Instant::now();
    let status = host.terminate();
    assert!(status.success() && start.elapsed() < LONGEST, "{status} after {:?}", start.elapsed());
}
