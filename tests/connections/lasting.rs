//! No connection lasts for ever, whatever its client does, and none of these takes anybody else's time.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, interval, timeout},
};

use super::{answer, head, open, start};

/// Half a second more each: one that drips never comes to an end by itself.
const DRIP: Duration = Duration::from_millis(500);
/// The longest limit is 75 s, for a connection that rests.
const ENDS: Duration = Duration::from_secs(150);

/// Sends a byte now and then; returns what came back when the connection has ended.
async fn drip(mut stream: TcpStream) -> String {
    let (mut text, mut drops, give_up) = (Vec::new(), interval(DRIP), Instant::now() + ENDS);
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&text).into_owned(),
                Ok(length) => text.extend_from_slice(&buffer[..length]),
            },
            _ = drops.tick() => drop(stream.write_all(b"x").await),
        }
        assert!(Instant::now() < give_up, "it lasts: {}", String::from_utf8_lossy(&text));
    }
}

/// Waits for the end, and reads only then.
async fn ends_unread(stream: TcpStream) {
    let give_up = Instant::now() + ENDS;
    // The host closes with bytes unsent: that is an error on this side.
    loop {
        if stream.take_error().unwrap().is_some() || is_reset(&stream) {
            return;
        }
        assert!(Instant::now() < give_up, "it lasts though nobody reads");
        tokio::time::sleep(DRIP).await;
    }
}

/// Whether the other side has closed: writing fails then.
fn is_reset(stream: &TcpStream) -> bool {
    stream.try_write(b"GET").is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_comes_to_an_end() {
    let (database, _simulator, host) = start(&[]).await;
    let key = crate::harness::create_key(&database, "slow", &["events", "admin"]);
    let bearer = format!("authorization: Bearer {key}\r\n");

    let header = drip(open(&host, b"GET /healthz HTTP/1.1\r\nx: ").await);
    let body =
        drip(open(&host, head("POST", "/v1/events", &bearer).replace("2000000", "200000").as_bytes()).await);
    let import =
        drip(open(&host, head("POST", "/v1/people", &bearer).replace("2000000", "200000").as_bytes()).await);
    let chunked = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n{bearer}\r\n"
    );
    let chunked = drip(open(&host, chunked.as_bytes()).await);
    let idle = async {
        let mut stream = open(&host, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut text = Vec::new();
        timeout(ENDS, stream.read_to_end(&mut text)).await.unwrap().unwrap();
        String::from_utf8(text).unwrap()
    };
    let unread = async {
        // More than the buffers of both sides hold.
        let requests = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2_000);
        ends_unread(open(&host, requests.as_bytes()).await).await;
    };
    let others = async {
        for _ in 0..20 {
            let start = Instant::now();
            host.accept(&json!({"type": "nobody.cares", "data": {}})).await;
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            tokio::time::sleep(DRIP).await;
        }
    };
    let (header, body, import, chunked, idle, (), ()) =
        tokio::join!(header, body, import, chunked, idle, unread, others);
    assert_eq!(header, "", "a head in drips is no request");
    for answer in [body, import] {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert!(chunked.starts_with("HTTP/1.1 4"), "{chunked}");
    assert!(idle.starts_with("HTTP/1.1 200"), "{idle}");
}

#[tokio::test]
async fn requests_in_a_pipeline_are_answered_in_their_order() {
    let (_database, _simulator, host) = start(&[]).await;
    let mut requests = String::new();
    for n in 0..500 {
        let path = if n % 2 == 0 { "/healthz" } else { "/nowhere" };
        requests.push_str(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
    }
    requests.push_str("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let stream = open(&host, requests.as_bytes()).await;
    let answers = answer(stream).await;
    let statuses: Vec<&str> =
        answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    let expected: Vec<&str> = (0..501).map(|n| if n % 2 == 0 { "200" } else { "404" }).collect();
    assert_eq!(statuses, expected);
}
