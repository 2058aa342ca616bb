//! Pages that follow what happens.

use serde_json::json;

use crate::{
    Case,
    chromium::Browser,
    harness::{SOON, Stage, wait_until},
};

async fn send(stage: &Stage, n: usize) {
    let id =
        stage.decide(json!({"contacts": ["15550100001"], "template": "note", "context": {"n": n}})).await;
    stage.notification(&id, "read").await;
}

/// A browser opens six connections to a host at most: each tab has a stream only while somebody sees it.
pub async fn nine() -> Case {
    let stage = Stage::builder().open_windows().start().await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    for n in 1..9 {
        let tab = browser.open_tab().await;
        browser.switch(&tab).await;
        browser.go("/messages").await;
        assert_eq!(browser.heading().await, "Messages", "tab {n}");
    }
    send(&stage, 1).await;
    wait_until("the last tab shows it", SOON, async || browser.text().await.contains("Show")).await;
    Ok(())
}

pub async fn changes() -> Case {
    let stage = Stage::builder().open_windows().start().await;
    send(&stage, 1).await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    browser.go("/messages").await;
    // What is half typed stays, with the focus, and the row stays the same row.
    browser.fill("template", "no").await;
    browser.run("window.row = document.querySelector('tr[data-key]')").await;
    let rows = "return document.querySelectorAll('tr[data-key]').length";
    send(&stage, 2).await;
    wait_until("there are two rows", SOON, async || browser.run(rows).await == 2).await;
    let kept = browser
        .run(
            "return [window.row.isConnected, document.querySelectorAll('tr[data-key]')[1] === window.row,
                document.activeElement.name, document.activeElement.value, window.refused.length]",
        )
        .await;
    assert_eq!(kept, json!([true, true, "template", "no", 0]));

    // A paused page does not move.
    browser.toggle("Pause updates").await;
    send(&stage, 3).await;
    assert_eq!(browser.run(rows).await, 2);
    browser.toggle("Resume updates").await;
    wait_until("there are three rows", SOON, async || browser.run(rows).await == 3).await;

    // No text becomes markup by way of a script.
    let refused = browser
        .run("try { document.body.innerHTML = '<img src=x>'; return 'taken'; } catch (error) { return error.name; }")
        .await;
    assert_eq!(refused, "TypeError");
    Ok(())
}
