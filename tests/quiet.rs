//! What is told once, and what is told together: keys and digests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod digest;
mod keys;
mod withdrawn;

use serde_json::{Value, json};

use crate::harness::Stage;

const ANN: &str = "15550100001";

/// Rules by which whatever an event says is the decision, and whatever else a test writes.
async fn with(files: &[(&str, &str)]) -> Stage {
    Stage::builder().rules(files).person("ann", ANN, &["Ops"]).open_windows().start().await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn note(n: i64, to: &str) -> Value {
    json!({"template": "note", "contacts": [to], "context": {"n": n}})
}
