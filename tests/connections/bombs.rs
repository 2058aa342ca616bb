//! Small bodies that unpack to large ones.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::start;
use crate::harness::{create_key, http};

/// 1 GiB of this byte.
fn bomb(byte: u8) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&vec![byte; 16 * 1024 * 1024]).unwrap();
    // Members one after another are one body.
    encoder.finish().unwrap().repeat(64)
}

#[tokio::test]
async fn a_bomb_is_refused_and_not_unpacked() {
    let (database, _simulator, host) = start(&[]).await;
    let events = create_key(&database, "events", &["events"]);
    let admin = create_key(&database, "admin", &["admin"]);
    let before = host.resident();
    let (spaces, brackets) = (bomb(b' '), bomb(b'['));
    let posts = [
        ("/v1/events", &events, "application/json", &spaces),
        ("/v1/events", &events, "application/json", &brackets),
        ("/v1/events", &events, "application/cloudevents+json", &spaces),
        ("/v1/events", &events, "application/cloudevents-batch+json", &brackets),
        ("/v1/people", &admin, "application/json", &spaces),
        ("/v1/people/import", &admin, "text/csv", &spaces),
    ];
    let host_url = host.url();
    let posts = posts.map(|(path, key, media_type, body)| async move {
        let post = http().post(format!("{host_url}{path}")).bearer_auth(key).body(body.clone());
        let post = post.header("content-type", media_type).header("content-encoding", "gzip");
        let answer = post.send().await.unwrap();
        let status = answer.status().as_u16();
        (path, media_type, status, answer.json::<Value>().await.unwrap())
    });
    for (path, media_type, status, problem) in join_all(posts).await {
        assert_eq!(status, 413, "{path} {media_type}: {problem}");
    }
    let grown = host.resident().saturating_sub(before);
    assert!(grown < 200, "bombs of 1 GiB take {grown} MiB");
    host.accept(&json!({"type": "nobody.cares", "data": {}})).await;
}
