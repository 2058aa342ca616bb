//! Media: uploaded, downloaded, sent by id, deleted.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Limits, Running};
use crate::Settings;

const NUMBER: &str = "106540352242922";
const ANN: &str = "16505551234";

fn sent(kind: &str, id: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": ANN, "type": kind, kind: {"id": id}})
}

/// A WebP file of this size.
fn webp(animated: bool, size: usize) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0".to_vec();
    file.push(if animated { 2 } else { 0 });
    file.resize(size, 0);
    file
}

#[tokio::test]
async fn an_upload_is_described_and_downloaded() {
    let running = Running::free().await;
    let content = [0, 13, 10, 45, 45, 98, 255];
    let (_, uploaded) = running.upload(NUMBER, "image/png", &content).await;
    let id = uploaded["id"].as_str().unwrap();
    let (status, described) =
        running.request("GET", &format!("/v25.0/{id}?phone_number_id={NUMBER}"), None).await;
    assert_eq!(status, 200, "{described}");
    let url = described["url"].as_str().unwrap();
    assert!(url.starts_with(&running.address), "{url}");
    assert_eq!(
        described,
        json!({"messaging_product": "whatsapp", "url": url, "mime_type": "image/png", "file_size": 7, "id": id,
            "sha256": hex::encode(Sha256::digest(content))})
    );
    let download = running.client.get(url).bearer_auth(&running.simulator.settings().access_token);
    let download = download.send().await.unwrap();
    assert_eq!(download.headers()["content-type"], "image/png");
    assert_eq!(download.bytes().await.unwrap(), content.as_slice());
    assert_eq!(running.client.get(url).send().await.unwrap().status(), 401, "without a token");
    let wrong = url.replace("&hash=", "&hash=0");
    let wrong = running.client.get(wrong).bearer_auth(&running.simulator.settings().access_token);
    assert_eq!(wrong.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn types_and_sizes_are_metas() {
    let running = Running::free().await;
    let (status, answer) = running.upload(NUMBER, "image/gif", b"GIF").await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert_eq!(status, 400);
    assert!(
        message.starts_with("(#100) Param file must be a file with one of the following types: "),
        "{message}"
    );
    assert!(message.ends_with("Received file of type 'image/gif'."), "{message}");
    let status = async |mime_type: &str, content: &[u8]| running.upload(NUMBER, mime_type, content).await.0;
    assert_eq!(status("audio/ogg; codecs=opus", b"OggS").await, 200);
    assert_eq!(status("image/jpeg", &vec![0; 5 * 1024 * 1024]).await, 200);
    assert_eq!(status("image/jpeg", &vec![0; 5 * 1024 * 1024 + 1]).await, 400);
    assert_eq!(status("application/pdf", &vec![0; 5 * 1024 * 1024 + 1]).await, 200);
    assert_eq!(status("image/webp", &webp(false, 100 * 1024)).await, 200);
    assert_eq!(status("image/webp", &webp(false, 100 * 1024 + 1)).await, 400);
    assert_eq!(status("image/webp", &webp(true, 500 * 1024)).await, 200);
    assert_eq!(status("image/webp", &webp(true, 500 * 1024 + 1)).await, 400);
    assert_eq!(status("text/plain", b"").await, 400);
    let (_, answer) = running.upload(NUMBER, "video/mp4", &vec![0; 16 * 1024 * 1024 + 1]).await;
    assert_eq!(answer["error"]["error_user_title"], "File Too Large");
    assert_eq!(
        answer["error"]["error_user_msg"],
        "The file you uploaded is too large. video/mp4 may have at most 16777216 bytes."
    );
}

#[tokio::test]
async fn a_form_without_its_parts_is_refused() {
    let running = Running::free().await;
    let file = "name=\"file\"; filename=\"f\"\r\nContent-Type: text/plain";
    let product = ("name=\"messaging_product\"", b"whatsapp".as_slice());
    let missing = async |parts: &[(&str, &[u8])]| {
        let (status, answer) = running.post_form(NUMBER, parts).await;
        assert_eq!(status, 400, "{answer}");
        answer["error"]["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(missing(&[product]).await, "(#100) The parameter file is required.");
    assert_eq!(missing(&[(file, b"a")]).await, "(#100) The parameter messaging_product is required.");
    let typeless = ("name=\"file\"; filename=\"f\"", b"a".as_slice());
    assert!(
        missing(&[product, typeless]).await.ends_with("Received file of type 'application/octet-stream'.")
    );
    let long = vec![b'x'; 2_000];
    assert!(missing(&[("name=\"type\"", &long), product]).await.contains("cannot be read"));
    let (status, answer) =
        running.request("POST", &format!("/v25.0/{NUMBER}/media"), Some(&json!({"file": "x"}))).await;
    assert_eq!(
        (status, &answer["error"]["message"]),
        (400, &json!("(#100) The parameter file is required."))
    );
}

#[tokio::test]
async fn a_message_names_media_that_is_there() {
    let running = Running::free().await;
    let image = running.uploaded("image/png").await;
    let (status, answer) = running.send(&sent("image", &image)).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = running.send(&sent("image", "123")).await;
    assert_eq!(
        (status, &answer["error"]["message"]),
        (
            400,
            &json!("(#100) Param image['id'] is not a valid whatsapp business account media attachment ID")
        )
    );
    let buttons = json!([{"type": "reply", "reply": {"id": "a", "title": "A"}}]);
    let asked = json!({"messaging_product": "whatsapp", "to": ANN, "type": "interactive", "interactive": {
        "type": "button", "header": {"type": "image", "image": {"id": "123"}}, "body": {"text": "Well?"},
        "action": {"buttons": buttons}}});
    let (_, answer) = running.send(&asked).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("interactive['header']['image']['id']"), "{message}");
    // A file of another type is noticed when it is delivered.
    let (status, answer) = running.send(&sent("video", &image)).await;
    assert_eq!(status, 200, "{answer}");
    let wamid = answer["messages"][0]["id"].as_str().unwrap();
    assert_eq!(running.read(wamid).await.statuses[0].code, Some(131_053));
    assert_eq!(running.send(&sent("document", &image)).await.0, 200);
}

#[tokio::test]
async fn deleted_media_is_gone() {
    let running = Running::free().await;
    let id = running.uploaded("text/plain").await;
    let path = format!("/v25.0/{id}");
    let url = running.request("GET", &path, None).await.1["url"].as_str().unwrap().to_owned();
    assert_eq!(running.request("DELETE", &format!("{path}?phone_number_id=1"), None).await.0, 400);
    assert_eq!(running.request("DELETE", &path, None).await, (200, json!({"success": true})));
    let (status, answer) = running.request("GET", &path, None).await;
    assert_eq!((status, &answer["error"]["error_subcode"]), (400, &json!(33)));
    let download = running.client.get(url).bearer_auth(&running.simulator.settings().access_token);
    assert_eq!(download.send().await.unwrap().status(), 404);
    assert_eq!(running.refused(&sent("document", &id)).await, 100);
}

#[tokio::test]
async fn media_belongs_to_the_number_it_was_uploaded_for() {
    let settings =
        Settings { more_numbers: vec![("77".into(), "15550783882".into())], ..Settings::default() };
    let running = Running::with(settings, json!({"window": "off"}), Limits::unlimited()).await;
    let (_, uploaded) = running.upload("77", "image/png", b"png").await;
    let id = uploaded["id"].as_str().unwrap();
    assert_eq!(running.refused(&sent("image", id)).await, 100);
    let (status, answer) = running.request("POST", "/v25.0/77/messages", Some(&sent("image", id))).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(running.request("GET", &format!("/v25.0/{id}?phone_number_id={NUMBER}"), None).await.0, 400);
    assert_eq!(running.upload("78", "image/png", b"png").await.0, 400, "no such number");
}
