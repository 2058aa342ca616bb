//! The page of the console.

use super::{ANN, note, stage};
use crate::console::{Browser, location};

#[tokio::test]
async fn operators_stop_and_resume_by_the_console_and_others_look() {
    let stage = stage().await;
    let operator = Browser::log_in(&stage, "operator", &["read", "operate"]).await;
    let reader = Browser::log_in(&stage, "reader", &["read"]).await;
    let page = operator.page("/switches").await;
    assert!(page.contains("Nothing is stopped.") && page.contains("Stop something"), "{page}");
    let page = reader.page("/switches").await;
    assert!(!page.contains("Stop something"), "{page}");
    assert_eq!(reader.get("/switches/stop?kind=template&name=note").send().await.unwrap().status(), 403);
    let form = [("kind", "template"), ("name", "note"), ("messages", "held"), ("reason", "a typo")];
    assert_eq!(reader.post("/switches/stop", &form).send().await.unwrap().status(), 403);

    let page = operator.page("/switches/stop?kind=template&name=note").await;
    assert!(page.contains("Stop template note") && page.contains("name=\"reason\""), "{page}");
    for (path, status) in [
        ("/switches/stop?kind=template&name=noet", 404),
        ("/switches/stop?kind=message&name=note", 400),
        ("/switches/stop?kind=template", 400),
        ("/switches/resume?kind=template&name=note", 404),
    ] {
        assert_eq!(operator.get(path).send().await.unwrap().status(), status, "{path}");
    }
    let without = [("kind", "template"), ("name", "note"), ("messages", "held"), ("reason", "")];
    assert_eq!(operator.post("/switches/stop", &without).send().await.unwrap().status(), 400);
    let answer = operator.post("/switches/stop", &form).send().await.unwrap();
    assert_eq!(location(&answer), "/switches");
    let id = stage.decide(note(ANN)).await;
    assert_eq!(stage.held(&id).await, "template note is stopped by operator: a typo");

    let page = reader.page("/switches").await;
    assert!(page.contains("template note") && page.contains("a typo") && !page.contains("Resume"), "{page}");
    let page = operator.page("/switches").await;
    assert!(page.contains("/switches/resume?kind=template&amp;name=note"), "{page}");
    let page = operator.page(&format!("/event?id={id}")).await;
    assert!(page.contains("held since") && page.contains("is stopped by operator: a typo"), "{page}");
    let page = operator.page("/waiting").await;
    assert!(page.contains("An operator, who has stopped them"), "{page}");
    let page = operator.page("/switches/resume?kind=template&name=note").await;
    assert!(page.contains("1 message is held"), "{page}");
    let resume = [("kind", "template"), ("name", "note"), ("per_second", "20"), ("reason", "mended")];
    assert_eq!(reader.post("/switches/resume", &resume).send().await.unwrap().status(), 403);
    let answer = operator.post("/switches/resume", &resume).send().await.unwrap();
    assert_eq!(location(&answer), "/switches");
    stage.notification(&id, "read").await;
    let acts = stage.says(&["actions", "--json"]);
    assert!(
        acts.contains("switch.stop") && acts.contains("\"mended\"") && acts.contains("console"),
        "{acts}"
    );
}
