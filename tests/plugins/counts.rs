//! What plugins have used can be seen.

use std::fs;

use serde_json::{Value, json};

use super::{Folders, Stage};
use crate::harness::{SOON, create_key, http, program, wait_until};

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

#[tokio::test]
async fn the_guests_clock_rests_while_no_guest_runs() {
    let folders = Folders::new();
    folders.plugin("busy", "good.*", "");
    let stage = Stage::set(folders, &[]).await;
    let threads = format!("/proc/{}/task", stage.host.id());
    let wake_ups = || {
        let tasks = fs::read_dir(&threads).unwrap().map(|task| task.unwrap().path());
        let clock = tasks
            .into_iter()
            .find(|task| {
                fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "plugin-clock")
            })
            .unwrap();
        let status = fs::read_to_string(clock.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    let before = wake_ups();
    stage.decided(&json!({"type": "good.day", "data": {}})).await;
    assert!(wake_ups() > before, "it ticks while a guest runs");
    let mut last = 0;
    // Each look is at least 20 ms after the one before: ten ticks.
    wait_until("it rests", SOON, async || {
        let now = wake_ups();
        std::mem::replace(&mut last, now) == now
    })
    .await;
}
