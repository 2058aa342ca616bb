//! The page for a browser.

use reqwest::StatusCode;
use serde_json::json;

use super::{Running, text_to};

#[tokio::test]
async fn the_page_makes_things_go_wrong_and_lets_a_user_write_in() {
    let running = Running::free().await;
    let page = async || {
        let url = format!("{}/_simulator", running.address);
        running.client.get(url).send().await.unwrap().text().await.unwrap()
    };
    let post = async |form: &[(&str, &str)]| {
        let url = format!("{}/_simulator", running.address);
        let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = running.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        request.body(form.join("&")).send().await.unwrap()
    };
    running.text("15550100001", "<b>Hello</b>").await;
    let shown = page().await;
    assert!(shown.contains("&lt;b&gt;Hello&lt;/b&gt;") && !shown.contains("Stop it"), "{shown}");

    for (trouble, code) in [("close_windows", 131_047), ("throttle", 130_429)] {
        // After the redirect it is the page.
        let shown = post(&[("trouble", trouble), ("on", "true")]).await.text().await.unwrap();
        assert_eq!(shown.matches("Stop it").count(), 1, "{shown}");
        assert!(running.simulator.state().knobs.errors.iter().any(|fault| fault.code == Some(code)));
    }
    post(&[("trouble", "throttle"), ("on", "false")]).await;
    for trouble in ["lose_webhooks", "lose_answers", "slow"] {
        post(&[("trouble", trouble), ("on", "true")]).await;
    }
    let knobs = running.simulator.state().knobs.clone();
    assert_eq!((knobs.webhooks_lost, knobs.lost_answers, knobs.latency_ms), (1.0, 1.0, 5_000));
    for trouble in ["lose_webhooks", "lose_answers", "slow"] {
        post(&[("trouble", trouble), ("on", "false")]).await;
    }
    assert!(!page().await.contains("Stop it"));

    post(&[("from", "15550100002"), ("text", "STOP")]).await;
    let written = running.hook.until(|hook| {
        let all = hook.values("messages");
        all.iter().find_map(|value| value["messages"][0]["text"]["body"].as_str().map(str::to_owned))
    });
    assert_eq!(written.await, "STOP");
    let (status, _) = running.send(&text_to("15550100002", "Hi")).await;
    assert_eq!(status, 200);

    for wrong in [&[("from", "12"), ("text", "x")][..], &[("trouble", "fire")], &[("text", "x")], &[]] {
        assert_eq!(post(wrong).await.status(), StatusCode::BAD_REQUEST, "{wrong:?}");
    }
    assert_eq!(running.request("GET", "/_simulator/knobs", None).await.1["errors"], json!([]));
}
