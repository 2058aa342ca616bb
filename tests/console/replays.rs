//! Back-tests: asked for by a form, shown as pictures and bubbles.

use serde_json::json;

use super::{Browser, location};
use crate::harness::{SOON, Stage, TEXT, wait_until, write_rule};

#[tokio::test]
async fn a_back_test_is_asked_for_and_its_report_shows_the_words_that_change() {
    let stage = Stage::builder().person("ann", "15550100001", &["Ops"]).open_windows().start().await;
    let note = json!({"groups": ["Ops"], "template": "note", "context": {"n": "<b>one</b>"}});
    let id = stage.decide(note).await;
    stage.notification(&id, "read").await;
    write_rule(&stage.rules, "any/templates/note.j2", &format!("{TEXT}Message {{{{ n }}}}"));
    let output = stage.run(&["release", "create"]);
    let release = String::from_utf8(output.stdout).unwrap().trim().to_owned();

    let reader = Browser::log_in(&stage, "reader", &["read"]).await;
    let page = reader.page("/replays").await;
    assert!(!page.contains("<button>Replay them"), "{page}");
    let form = [("release", release.as_str()), ("since", "1h"), ("type", "any"), ("one_of", "1")];
    assert_eq!(reader.post("/replays", &form).send().await.unwrap().status(), 403);
    let actor = Browser::log_in(&stage, "actor", &["read", "operate", "personal"]).await;
    assert!(actor.page(&format!("/replays?release={release}")).await.contains("<button>Replay them"));
    let wrong = [("release", "0123456789"), ("since", "1h"), ("type", ""), ("one_of", "1")];
    assert_eq!(actor.post("/replays", &wrong).send().await.unwrap().status(), 404);
    let answer = actor.post("/replays", &form).send().await.unwrap();
    let path = location(&answer);
    assert!(path.starts_with("/replays/"), "{path}");
    wait_until("it is done", SOON, async || actor.page(&path).await.contains("<p class=\"good\">done")).await;

    let page = actor.page(&path).await;
    assert!(
        page.contains("with other words") && page.contains("<del>Note</del><ins>Message</ins>"),
        "{page}"
    );
    assert!(page.contains("&lt;b&gt;one") && !page.contains("<b>one"), "{page}");
    let masked = reader.page(&path).await;
    assert!(masked.contains("with other words") && !masked.contains("<ins>"), "{masked}");
    assert!(reader.page("/replays").await.contains(&format!("<a href=\"{path}\">")));
    assert_eq!(actor.get("/replays/999999").send().await.unwrap().status(), 404);
}
