//! Files: those of the rules, which are uploaded before they are sent, and those that people send.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod received;
mod rules;
mod sent;

use hookswitch_simulator::Settings;
use serde_json::Value;

use crate::harness::{Simulator, http};

const ANN: &str = "15550100001";
const MENU: &str = "%PDF-1.7 the menu of this week";

/// Uploads a file to the simulator and returns its id.
async fn upload(simulator: &Simulator, mime_type: &str, content: &[u8]) -> String {
    let settings = Settings::default();
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n--b\r\nContent-Disposition: \
         form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: {mime_type}\r\n\r\n"
    );
    let form = [head.as_bytes(), content, b"\r\n--b--\r\n"].concat();
    let answer = http()
        .post(format!("{}/{}/media", simulator.api_url(), settings.phone_number_id))
        .bearer_auth(settings.access_token)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(form);
    let answer: Value = answer.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
    answer["id"].as_str().unwrap().to_owned()
}
