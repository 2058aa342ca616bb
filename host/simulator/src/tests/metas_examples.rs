//! Meta's own examples: each is taken, or refused for a reason that is stated here.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::Running;

/// Sends that need something which is set up at Meta; and one example without `type`, which is then a text.
const REFUSED_SENDS: &[(&str, u64)] = &[
    ("send-catalog-message", 131_009),
    ("send-draft-flow-by-id", 131_009),
    ("send-draft-flow-by-name", 131_009),
    ("send-multi-product-message", 131_009),
    ("send-order-details-message", 131_009),
    ("send-order-status-message", 131_009),
    ("send-published-flow-by-id", 131_009),
    ("send-published-flow-by-name", 131_009),
    ("send-single-product-message", 131_009),
    ("send-reply-to-list-message", 131_008),
];

/// Templates that need something which is set up at Meta.
const REFUSED_TEMPLATES: &[&str] = &[
    "create-flow-template-message-by-flow-json",
    "create-flow-template-message-by-id",
    "create-flow-template-message-by-name",
    "create-multi-product-message-template",
];

/// All examples of a folder, by name, with the placeholders filled in.
fn examples(folder: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/testdata").join(folder);
    let mut examples: Vec<(String, Value)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path)
                .unwrap()
                .replace("{{Recipient-Phone-Number}}", "16505551234")
                .replace("{{Recipient-WA-Phone-Number}}", "16505551234")
                .replace("<http(s)://", "https://")
                .replace("http(s)://", "https://")
                .replace("<TEMPLATE_NAME>", "template_name");
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect();
    examples.sort_by(|a, b| a.0.cmp(&b.0));
    examples
}

#[tokio::test]
async fn sends_are_taken_or_refused_for_a_stated_reason() {
    let running = Running::free().await;
    running.simulator.set_knobs(&json!({"unknown_templates": true})).unwrap();
    let mut media = Vec::new();
    for (placeholder, mime_type) in [
        ("<AUDIO_OBJECT_ID>", "audio/ogg"),
        ("<DOCUMENT_OBJECT_ID>", "application/pdf"),
        ("<IMAGE_OBJECT_ID>", "image/png"),
        ("<MEDIA_OBJECT_ID>", "image/webp"),
        ("<VIDEO_OBJECT_ID>", "video/mp4"),
    ] {
        media.push((placeholder, running.uploaded(mime_type).await));
    }
    let examples = examples("send-requests");
    assert!(examples.len() > 40, "{} examples", examples.len());
    for (name, body) in examples {
        let mut text = body.to_string();
        for (placeholder, id) in &media {
            text = text.replace(placeholder, id);
        }
        let body: Value = serde_json::from_str(&text).unwrap();
        let (status, answer) = running.send(&body).await;
        match REFUSED_SENDS.iter().find(|(refused, _)| *refused == name) {
            None => assert_eq!(status, 200, "{name}: {answer}"),
            Some((_, code)) => assert_eq!(answer["error"]["code"], *code, "{name}: {answer}"),
        }
    }
}

#[tokio::test]
async fn templates_are_taken_or_refused_for_a_stated_reason() {
    let running = Running::free().await;
    let mut created: Vec<String> = Vec::new();
    for (name, body) in examples("template-requests") {
        let (status, answer) =
            running.request("POST", "/v23.0/102290129340398/message_templates", Some(&body)).await;
        let template = body["name"].as_str().unwrap().to_owned();
        if REFUSED_TEMPLATES.contains(&name.as_str()) {
            let why = answer["error"]["message"].as_str().unwrap();
            assert!(why.contains("which the simulator does not have"), "{name}: {answer}");
        } else if created.contains(&template) {
            // Two of the examples are the same.
            assert_eq!(answer["error"]["error_subcode"], 2_388_023, "{name}: {answer}");
        } else {
            assert_eq!(status, 200, "{name}: {answer}");
            assert_eq!(answer["status"], "PENDING");
            created.push(template);
        }
    }
    assert_eq!(created.len(), 6);
}
