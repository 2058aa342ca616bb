//! The simulator knows each of Meta's error codes that the host knows.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Simulator, free_port, http};

/// A row of the host's data; that the host's own table has the same codes is a test beside it.
#[derive(Deserialize)]
struct Row {
    code: u32,
    /// Meta's page no longer says it of some.
    http_doc_2025_12: Option<u16>,
    surface: String,
}

#[tokio::test]
async fn each_code_of_the_host_can_be_answered_by_the_simulator() {
    let simulator = Simulator::start(free_port(), &["--window", "off", "--unlimited"]);
    let url = format!("{}/106540352242922/messages", simulator.api_url());
    let send = json!({"messaging_product": "whatsapp", "to": "16505551234", "text": {"body": "hi"}});
    let rows: Vec<Row> =
        serde_json::from_str(include_str!("../host/src/whatsapp/testdata/error-codes.json")).unwrap();
    let codes: Vec<_> = rows.iter().filter(|row| row.surface != "subcode").collect();
    assert!(codes.len() > 70, "{}", codes.len());
    for Row { code, http_doc_2025_12, surface } in codes {
        simulator.turn(&json!({"errors": [{"code": code, "next": 1}]})).await;
        let answer =
            http().post(&url).bearer_auth("simulator-access-token").json(&send).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        let error = &body["error"];
        assert_eq!(status, http_doc_2025_12.unwrap_or(400), "{code}: {body}");
        assert!(error["message"].is_string() && error["fbtrace_id"].is_string(), "{code}: {body}");
        if surface.starts_with("template") {
            // Template management tells its errors apart by the subcode.
            assert_eq!((&error["code"], &error["error_subcode"]), (&json!(100), &json!(code)), "{body}");
            assert!(error["error_user_title"].is_string(), "{code}: {body}");
        } else {
            assert_eq!(error["code"], *code, "{body}");
            assert_eq!(error["error_data"]["messaging_product"], "whatsapp", "{code}: {body}");
        }
    }
}
