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

#[tokio::test]
async fn what_a_plugin_logged_last_is_on_its_page_for_who_may_see_it() {
    let folders = Folders::new();
    folders.plugin("chatty", "harm.*", "on_failure: skip");
    let stage = Stage::set(folders, &[]).await;
    stage.decided(&json!({"type": "harm.done", "data": {"do": "forge"}})).await;
    let page = async |name: &str, scopes: &[&str]| {
        let key = create_key(&stage.database, name, scopes);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let (client, admin) = (client.build().unwrap(), stage.host.admin_url());
        let request = client.post(format!("{admin}/login")).body(format!("key={key}"));
        let answer =
            request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let answer = client.get(format!("{admin}/plugins")).header("cookie", cookie).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let seen = page("chief", &["admin"]).await;
    assert!(seen.contains("ERROR forged by log") && seen.contains("ERROR forged by print"), "{seen}");
    let hidden = page("looker", &["read"]).await;
    assert!(!hidden.contains("forged") && hidden.contains("What plugins logged is hidden"), "{hidden}");
}
