//! Compressed bodies.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{BATCH, Host, PLAIN, accepted, cloud_order, order, problem};

const MIB: usize = 1024 * 1024;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

async fn post(host: &Host, media_type: &str, encoding: &str, body: Vec<u8>) -> Response {
    let post = host.request(Method::POST, "/v1/events").header("content-type", media_type);
    post.header("content-encoding", encoding).body(body).send().await.unwrap()
}

#[tokio::test]
async fn events_may_be_compressed() {
    let host = Host::start().await;
    let first = accepted(host.post_json(&order(1)).await).await;
    let body = gzip(order(1).to_string().as_bytes());
    for encoding in ["gzip", "GZIP", "x-gzip", "identity, gzip"] {
        assert_eq!(accepted(post(&host, PLAIN, encoding, body.clone()).await).await, first, "{encoding}");
    }
    assert_eq!(accepted(post(&host, PLAIN, "identity", order(1).to_string().into()).await).await, first);
    // Two members, the second of which holds the rest.
    let text = order(1).to_string();
    let (one, two) = text.as_bytes().split_at(7);
    assert_eq!(accepted(post(&host, PLAIN, "gzip", [gzip(one), gzip(two)].concat()).await).await, first);
    let batch: Vec<Value> = (1..=1_000).map(cloud_order).collect();
    let padded = format!("{}{}", " ".repeat(8 * MIB), json!(batch));
    accepted(post(&host, BATCH, "gzip", gzip(padded.as_bytes())).await).await;
    let array = format!("[{}{}", " ".repeat(8 * MIB), &json!(batch).to_string()[1..]);
    accepted(post(&host, PLAIN, "gzip", gzip(array.as_bytes())).await).await;
    assert_eq!(host.logged().await, 1_000);
}

#[tokio::test]
async fn the_limits_hold_for_what_is_in_it() {
    let host = Host::start().await;
    let data = |bytes: usize| json!({"type": "t", "data": "x".repeat(bytes)}).to_string();
    accepted(post(&host, PLAIN, "gzip", gzip(data(255 * 1024).as_bytes())).await).await;
    let bomb = gzip(&vec![b'['; 64 * MIB]);
    assert!(bomb.len() < 100_000);
    for (media_type, body) in [
        (PLAIN, gzip(data(257 * 1024).as_bytes())),
        (PLAIN, gzip(&vec![b' '; 64 * MIB])),
        (PLAIN, bomb.clone()),
        (BATCH, bomb.clone()),
        ("application/cloudevents+json", bomb),
    ] {
        let (status, body) = problem(post(&host, media_type, "gzip", body).await).await;
        assert_eq!((status, &body["code"]), (413, &json!("event_too_large")), "{media_type}");
    }
    assert_eq!(host.logged().await, 1);
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_refused_in_words() {
    let host = Host::start().await;
    let whole = gzip(order(1).to_string().as_bytes());
    let mut corrupt = whole.clone();
    corrupt[20] ^= 0xff;
    let mut other_sum = whole.clone();
    let sum = other_sum.len() - 8;
    other_sum[sum] ^= 0xff;
    for (what, body, why) in [
        ("nothing", Vec::new(), "ends before it is complete"),
        ("half a header", whole[..5].to_vec(), "ends before it is complete"),
        ("half a body", whole[..whole.len() / 2].to_vec(), "ends before it is complete"),
        ("half a trailer", whole[..whole.len() - 3].to_vec(), "incomplete"),
        ("corrupt", corrupt, "is corrupt"),
        ("another checksum", other_sum, "is corrupt"),
        ("not gzip", order(1).to_string().into(), "is corrupt"),
        ("something behind", [whole.clone(), b"something else behind it".to_vec()].concat(), "is corrupt"),
    ] {
        let (status, body) = problem(post(&host, PLAIN, "gzip", body).await).await;
        assert_eq!((status, &body["code"]), (400, &json!("invalid_encoding")), "{what}");
        assert!(body["detail"].as_str().unwrap().contains(why), "{what}: {body}");
    }
    for encoding in ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "aws-chunked"] {
        let answer = post(&host, PLAIN, encoding, whole.clone()).await;
        assert_eq!(answer.headers()["accept-encoding"], "gzip", "{encoding}");
        let (status, body) = problem(answer).await;
        assert_eq!((status, &body["code"]), (415, &json!("unsupported_encoding")), "{encoding}");
    }
    assert_eq!(host.logged().await, 0);
}
