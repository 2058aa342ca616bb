//! Templates and the playground.

use serde_json::json;

use crate::{Case, chromium::Browser, harness::write_rule, stages};

pub async fn pushed() -> Case {
    let stage = stages::empty().await;
    // Meta takes its time, so that the review is seen.
    stage.simulator.turn(&json!({"template_review_ms": 3_600_000})).await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    browser.follow("Templates").await;
    assert!(browser.text().await.contains("not at Meta; submit it"), "{}", browser.text().await);
    browser.follow("difference").await;
    let text = browser.text().await;
    assert!(text.contains("News of the workshop: {{1}}."), "{text}");
    browser.press("Submit 1 template").await;
    assert!(browser.text().await.contains("PENDING"), "{}", browser.text().await);
    assert!(stage.simulator.templates().await.iter().any(|of| of["name"] == "news"));
    browser.follow("To the templates").await;
    let text = browser.text().await;
    assert!(text.contains("in review at Meta") && text.contains("news: PENDING"), "{text}");
    Ok(())
}

pub async fn tried() -> Case {
    let stage = stages::empty().await;
    let stored = stage.decide(json!({"users": ["ann"], "template": "note", "context": {"n": 7}})).await;
    stage.notification(&stored, "read").await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    browser.go(&format!("/event?id={stored}")).await;
    browser.follow("Try it with the rules").await;
    let typed = browser.find("textarea").await.property("value").await;
    assert!(typed.as_str().is_some_and(|typed| typed.contains("ann")), "{typed}");
    browser.fill("window", "all closed").await;
    browser.press("Try it").await;
    let text = browser.text().await;
    assert!(text.contains("waits until the recipient writes") && text.contains("Note 7"), "{text}");

    let event = json!({"type": "any", "data": {"users": ["ann"], "template": "note", "context": {"n": 8}}});
    browser.fill("event", &event.to_string()).await;
    browser.fill("window", "all open").await;
    browser.fill("now", "2026-11-23T09:00:00Z").await;
    browser.press("Try it").await;
    let text = browser.text().await;
    assert!(text.contains("free-form: the window is open") && text.contains("Note 8"), "{text}");
    // Saved as a case, it holds.
    let case = browser.find("pre.case").await.text().await;
    write_rule(&stage.rules, "any/cases/tried.yaml", &format!("{case}\n"));
    let said = stage.says(&["rules", "check"]);
    assert!(said.contains("2 cases"), "{said}");

    browser.fill("event", "{\"type\": 7}").await;
    browser.press("Try it").await;
    assert!(browser.text().await.contains("type"), "{}", browser.text().await);
    // None of that was sent.
    assert_eq!(stage.simulator.messages().await.len(), 1);
    Ok(())
}
