//! Texts that would be markup or code, wherever somebody from outside can put one.

use crate::{Case, chromium::Browser, pages::PAGES, stages};

const HOSTILE: &str = "<img src=x onerror=\"window.hacked=1\"></td></script><script>window.hacked=1</script>{{ 7*7 }}{% raw %}'\"&amp;";

pub async fn texts() -> Case {
    let full = stages::full(HOSTILE).await;
    let browser = Browser::log_in(&full.stage, "boss", &["admin"]).await?;
    let mut shown = 0;
    for path in PAGES.into_iter().chain(full.paths.iter().map(String::as_str)) {
        browser.go(path).await;
        let seen = browser
            .run(
                "return [typeof window.hacked, document.images.length, document.querySelectorAll('main script').length,
                    window.refused.length, document.body.innerText.includes('49{%')]",
            )
            .await;
        assert_eq!(seen, serde_json::json!(["undefined", 0, 0, 0, false]), "{path}");
        shown += usize::from(browser.text().await.contains("<img src=x onerror="));
    }
    // So does what comes of an event that is tried.
    let event = serde_json::json!({"type": "any", "subject": HOSTILE, "data": {"users": ["ann"], "template": "note",
        "context": {"n": HOSTILE}, "reason": HOSTILE}});
    browser.go("/try").await;
    browser.fill("event", &event.to_string()).await;
    browser.press("Try it").await;
    let seen =
        browser.run("return [typeof window.hacked, document.images.length, window.refused.length]").await;
    assert_eq!(seen, serde_json::json!(["undefined", 0, 0]));
    assert!(browser.text().await.contains("<img src=x onerror="), "{}", browser.text().await);

    // It was there to be seen, as text.
    assert!(shown >= 8, "{shown}");
    Ok(())
}
