//! Acts with their confirmation.

use serde_json::json;

use super::{Browser, location};
use crate::harness::{SOON, Stage, wait_until};

impl Stage {
    async fn fail_messages(&self, count: usize) {
        let before = self.failed().await;
        self.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
        for n in 0..count {
            let contact = format!("15550100{n:03}");
            self.decide(json!({"contacts": [contact], "template": "note", "context": {"n": n}})).await;
        }
        let all = before + i64::try_from(count).unwrap();
        wait_until("all have failed", SOON, async || self.failed().await == all).await;
        self.simulator.turn(&json!({"errors": []})).await;
    }
}

#[tokio::test]
async fn what_was_shown_is_redriven_and_nothing_else() {
    let stage = Stage::builder().open_windows().start().await;
    stage.fail_messages(101).await;
    let browser = Browser::log_in(&stage, "operator", &["read", "operate"]).await;
    let frozen = location(&browser.get("/failed/act?act=redrive&code=131026").send().await.unwrap());
    assert!(frozen.contains("&until="), "{frozen}");
    let page = browser.page(&frozen).await;
    assert!(page.contains("101 failed messages with the code 131026") && page.contains("Type 101"), "{page}");

    // What fails later is not among them, however often the page is reloaded.
    stage.fail_messages(2).await;
    assert_eq!(browser.page(&frozen).await, page);
    let until = page.split("name=\"until\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = |typed| {
        [
            ("act", "redrive"),
            ("code", "131026"),
            ("until", until),
            ("shown", "101"),
            ("typed", typed),
            ("reason", "Meta was down"),
        ]
    };
    for typed in ["", "100"] {
        let refused = browser.post("/failed/act", &form(typed)).send().await.unwrap();
        assert_eq!(refused.status(), 400);
        assert!(refused.text().await.unwrap().contains("Nothing was changed."));
    }
    let job = location(&browser.post("/failed/act", &form("101")).send().await.unwrap());
    wait_until("the job is done", SOON, async || browser.page(&job).await.contains("failed.redrive: done"))
        .await;
    let page = browser.page(&job).await;
    assert!(page.contains("101 of 101 looked at, 101 changed, 0 skipped"), "{page}");
    assert!(browser.page("/failed").await.contains("2 failed messages"));
    let log = stage.says(&["actions", "--json"]);
    assert!(log.contains("\"way\":\"console\"") && log.contains("Meta was down"), "{log}");

    let frozen = location(&browser.get("/failed/act?act=discard").send().await.unwrap());
    let page = browser.page(&frozen).await;
    let until = page.split("name=\"until\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = [("act", "discard"), ("until", until), ("shown", "2")];
    let job = location(&browser.post("/failed/act", &form).send().await.unwrap());
    wait_until("they are discarded", SOON, async || {
        browser.page(&job).await.contains("failed.discard: done")
    })
    .await;
    assert!(browser.page("/failed").await.contains("No failed messages."));
}
