//! What operators do, by clicking.

use serde_json::json;

use crate::{
    Case,
    chromium::Browser,
    harness::{SOON, Stage, wait_until},
};

pub async fn login_and_filter() -> Case {
    let stage = Stage::builder().open_windows().start().await;
    let browser = Browser::open(&stage).await?;
    browser.go("/messages?status=read").await;
    assert_eq!(browser.heading().await, "Log in");
    browser.fill("key", "hsk_wrong").await;
    browser.press("Log in").await;
    assert!(browser.text().await.contains("This API key is unknown or revoked."));

    let read =
        stage.decide(json!({"contacts": ["15550100001"], "template": "note", "context": {"n": 1}})).await;
    stage.notification(&read, "read").await;
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    let failed =
        stage.decide(json!({"contacts": ["15550100002"], "template": "note", "context": {"n": 2}})).await;
    stage.notification(&failed, "failed").await;

    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    browser.follow("Messages").await;
    let all = browser.text().await;
    assert!(all.contains("15550100001") && all.contains("15550100002"), "{all}");
    browser.fill("status", "failed").await;
    browser.press("Filter").await;
    let some = browser.text().await;
    assert!(!some.contains("15550100001") && some.contains("15550100002"), "{some}");
    assert!(browser.path().await.contains("status=failed"));
    browser.fill("status", "expired").await;
    browser.press("Filter").await;
    assert!(browser.text().await.contains("No messages match these filters."));
    browser.follow("Show all").await;
    assert!(browser.text().await.contains("15550100001"));

    // The search finds by number, and the message shows its bubble.
    browser.fill("q", "15550100001").await;
    browser.press("Find").await;
    browser.follow("Show").await;
    assert!(browser.find(".bubble").await.text().await.contains("Note 1"));
    browser.press("Log out").await;
    assert_eq!(browser.heading().await, "Log in");
    Ok(())
}

async fn fail(stage: &Stage, count: usize) {
    let all = stage.failed().await + i64::try_from(count).unwrap();
    for n in 0..count {
        let contact = format!("15550100{:03}", n % 200);
        stage.decide(json!({"contacts": [contact], "template": "note", "context": {"n": n}})).await;
    }
    wait_until("all have failed", SOON * 2, async || stage.failed().await == all).await;
}

pub async fn redrive() -> Case {
    let stage = Stage::builder().open_windows().start().await;
    let browser = Browser::log_in(&stage, "boss", &["read", "operate"]).await?;
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    fail(&stage, 500).await;
    browser.follow("Failed").await;
    browser.follow("131026").await;
    browser.follow("Resend them").await;
    let (asked, text) = (browser.path().await, browser.text().await);
    assert!(text.starts_with("Resend failed messages\n500 failed messages with the code 131026"), "{text}");

    // Meanwhile three more fail. However the page is come to again, they are not among them.
    fail(&stage, 3).await;
    stage.simulator.turn(&json!({"errors": []})).await;
    browser.reload().await;
    assert_eq!((browser.path().await, browser.text().await), (asked.clone(), text.clone()));
    browser.follow("Cancel").await;
    browser.back().await;
    assert_eq!((browser.path().await, browser.text().await), (asked, text));

    browser.fill("typed", "5").await;
    browser.press("Resend 500 messages").await;
    assert!(browser.text().await.contains("Type the number of messages, 500, to confirm."));
    browser.back().await;
    browser.fill("typed", "500").await;
    browser.fill("reason", "Meta was down").await;
    browser.press("Resend 500 messages").await;
    wait_until("the job is done", SOON * 3, async || {
        browser.reload().await;
        browser.text().await.contains("failed.redrive: done")
    })
    .await;
    let text = browser.text().await;
    assert!(text.contains("500 of 500 looked at, 500 changed, 0 skipped"), "{text}");
    wait_until("all have arrived", SOON * 2, async || stage.read().await == 500).await;
    browser.follow("Failed").await;
    assert!(browser.text().await.contains("3 failed messages"), "{}", browser.text().await);
    Ok(())
}
