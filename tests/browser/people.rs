//! What administrators do with contacts, people and keys.

use serde_json::json;

use crate::{
    Case,
    chromium::Browser,
    harness::{SOON, Stage, create_key, wait_until},
};

pub async fn linked() -> Case {
    let stage = Stage::builder().start().await;
    stage.says(&["people", "add", "bob", "--name", "Bob"]);
    stage.simulator.inbound(&json!({"from": "15550100055", "name": "Bobby", "text": "hello"})).await;
    let heard = "SELECT count(*) FROM contact WHERE wa_id = '15550100055' AND name IS NOT NULL";
    wait_until("the contact is known", SOON, async || stage.database.count(heard).await == 1).await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    browser.follow("Contacts").await;
    assert!(browser.text().await.contains("Bobby"), "{}", browser.text().await);
    browser.follow("Link").await;
    browser.fill("username", "bib").await;
    browser.press("Link").await;
    assert!(browser.text().await.contains("Nothing was changed: no person named bib."));
    browser.back().await;
    browser.fill("username", "bob").await;
    browser.press("Link").await;
    assert_eq!(browser.heading().await, "bob");
    assert!(browser.text().await.contains("15550100055 (Bobby)"), "{}", browser.text().await);

    browser.follow("Change …").await;
    browser.fill("hours", "21:00-06:30").await;
    browser.fill("time_zone", "Africa/Harare").await;
    browser.press("Set the quiet hours").await;
    assert!(browser.text().await.contains("21:00-06:30 Africa/Harare"), "{}", browser.text().await);
    browser.follow("Change …").await;
    browser.fill("hours", "late").await;
    browser.press("Set the quiet hours").await;
    assert!(browser.text().await.contains("expected quiet hours, for example 21:00-06:30"));

    browser.go("/contacts").await;
    browser.follow("Opt out").await;
    browser.press("Opt out").await;
    assert!(browser.text().await.contains("since"), "{}", browser.text().await);
    browser.follow("Opt in").await;
    browser.press("Opt in").await;
    assert!(!browser.text().await.contains("since"), "{}", browser.text().await);
    browser.follow("Access").await;
    browser.follow("What operators did").await;
    let log = browser.text().await;
    for action in ["contact.link", "person.change", "opt_out.set", "opt_out.cleared"] {
        assert!(log.contains(action), "{action}: {log}");
    }
    Ok(())
}

pub async fn staff() -> Case {
    let stage = Stage::builder().start().await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    browser.follow("Groups").await;
    browser.fill("group", "Night shift").await;
    browser.press("Create the group").await;
    browser.follow("People").await;
    browser.follow("Add a person").await;
    browser.fill("username", "eve").await;
    browser.fill("name", "Eve").await;
    browser.fill("groups", "Night shift").await;
    browser.press("Add the person").await;
    assert_eq!(browser.heading().await, "eve");
    browser.follow("Change eve").await;
    browser.fill("whatsapp", "+1 555 010 0009").await;
    browser.press("Save").await;
    assert!(browser.text().await.contains("15550100009"), "{}", browser.text().await);

    browser.follow("People").await;
    browser.follow("Import people").await;
    browser.fill("csv", "username,name,groups\nbob,Bob,Night shift\neve,Eve Ncube,\n").await;
    browser.press("Check").await;
    let text = browser.text().await;
    assert!(
        text.contains("Would add 1, update 1") && text.contains("name \"Eve\" to \"Eve Ncube\""),
        "{text}"
    );
    browser.press("Import").await;
    assert!(browser.text().await.contains("Added 1, updated 1"), "{}", browser.text().await);
    browser.follow("To the people").await;
    assert!(browser.text().await.contains("Eve Ncube"), "{}", browser.text().await);
    Ok(())
}

pub async fn key() -> Case {
    let stage = Stage::builder().start().await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    browser.follow("Access").await;
    browser.fill("name", "watcher").await;
    browser.press("Create the key").await;
    assert!(browser.text().await.contains("Tick at least one"));
    browser.back().await;
    browser.fill("name", "watcher").await;
    assert!(browser.find("main [name='read']").await.click().await);
    browser.press("Create the key").await;
    let key = browser.find("main pre").await.text().await;
    assert!(key.starts_with("hsk_"), "{key}");

    let watcher = Browser::open(&stage).await?;
    watcher.go("/").await;
    watcher.fill("key", &key).await;
    watcher.press("Log in").await;
    assert_eq!(watcher.heading().await, "Overview");
    // Whoever can look sees no keys.
    watcher.go("/access").await;
    assert!(watcher.text().await.contains("lacks the scope admin"), "{}", watcher.text().await);

    browser.follow("To the keys").await;
    browser.follow("Revoke watcher").await;
    browser.press("Revoke it").await;
    watcher.go("/events").await;
    assert_eq!(watcher.heading().await, "Log in");

    let other = create_key(&stage.database, "other", &["read"]);
    watcher.fill("key", &other).await;
    watcher.press("Log in").await;
    assert_eq!(watcher.heading().await, "Events");
    browser.reload().await;
    browser.follow("End all of other").await;
    browser.press("End the sessions").await;
    watcher.go("/events").await;
    assert_eq!(watcher.heading().await, "Log in");
    Ok(())
}
