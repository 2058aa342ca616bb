//! What plugins have used can be seen.

use serde_json::{Value, json};

use super::{Folders, Stage};
use crate::harness::{create_key, http, program};

#[tokio::test]
async fn what_a_plugin_used_can_be_seen() {
    let folders = Folders::new();
    folders.plugin("busy", "good.*", "");
    let stage = Stage::set(folders, &[]).await;
    for _ in 0..3 {
        stage.decided(&json!({"type": "good.day", "data": {}})).await;
    }
    let key = create_key(&stage.database, "desk", &["admin"]);
    let answer =
        http().get(format!("{}/v1/plugins", stage.host.url())).bearer_auth(key).send().await.unwrap();
    let plugins: Value = answer.json().await.unwrap();
    let busy = &plugins["data"][0];
    assert_eq!((&busy["id"], &busy["calls"], &busy["failures"]), (&json!("busy"), &json!(3), &json!(0)));
    assert!(
        busy["most_memory"].as_u64().unwrap() > 0 && busy["microseconds"].as_u64().unwrap() > 0,
        "{busy}"
    );

    // Commands that load plugins end well.
    let mut check = program(&["check", "--rules"]);
    check.arg(stage.folders.rules()).envs(stage.folders.settings()).env("DATABASE_URL", stage.database.url());
    let output = check.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && !said.contains("panicked"), "{said}");
}
