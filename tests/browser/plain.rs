//! The console in a browser that runs no scripts.

use serde_json::json;

use crate::{
    Case,
    chromium::Browser,
    harness::{SOON, Stage, create_key, wait_until},
};

pub async fn without_scripts() -> Case {
    let stage = Stage::builder().open_windows().start().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    let failed =
        stage.decide(json!({"contacts": ["15550100002"], "template": "note", "context": {"n": 2}})).await;
    stage.notification(&failed, "failed").await;
    stage.simulator.turn(&json!({"errors": []})).await;

    let browser = Browser::open(&stage).await?;
    browser.without_scripts().await;
    browser.go("/failed").await;
    browser.fill("key", &create_key(&stage.database, "boss", &["admin"])).await;
    browser.press("Log in").await;
    assert_eq!(browser.heading().await, "Failed");
    browser.follow("Resend them").await;
    browser.press("Resend 1 message").await;
    wait_until("the job is done", SOON, async || {
        browser.reload().await;
        browser.text().await.contains("failed.redrive: done")
    })
    .await;
    browser.follow("Messages").await;
    browser.fill("status", "failed").await;
    browser.press("Filter").await;
    browser.follow("Show").await;
    assert!(browser.text().await.contains("Resolved"), "{}", browser.text().await);
    browser.press("Log out").await;
    assert_eq!(browser.heading().await, "Log in");
    Ok(())
}
