//! Each page, empty and full, with hostile texts in what comes from outside.

use hookswitch_simulator::Settings;
use serde_json::json;

use super::{Browser, location};
use crate::harness::{SOON, Stage, wait_until};

const PAGES: [&str; 17] = [
    "/",
    "/events",
    "/messages",
    "/failed",
    "/unknown",
    "/waiting",
    "/people",
    "/groups",
    "/contacts",
    "/rules",
    "/releases",
    "/replays",
    "/templates",
    "/plugins",
    "/schedules",
    "/numbers",
    "/try",
];
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'";

#[track_caller]
fn assert_text(path: &str, page: &str) {
    let page = page.replace("<script type=\"module\" src=\"/live.js\"></script>", "");
    for markup in ["<script", "<img", "onerror=alert(2)>"] {
        assert!(!page.contains(markup), "{path}: {markup}: {page}");
    }
}

#[tokio::test]
async fn each_page_is_small_and_shows_what_comes_from_outside_as_text() {
    let stage = Stage::builder().person("ann", "15550100001", &["Ops"]).open_windows().start().await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await;
    for path in PAGES {
        browser.page(path).await;
    }

    stage.says(&["people", "rename", "ann", HOSTILE]);
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    let mut events = Vec::new();
    for n in 0..42 {
        let decision =
            json!({"users": ["ann"], "template": "note", "context": {"n": HOSTILE}, "reason": HOSTILE});
        let event = json!({"type": "any", "subject": format!("{HOSTILE}{n}"), "source": format!("/{HOSTILE}").replace(['<', '>', '"', ' '], ""), "data": decision});
        events.push(stage.host.accept(&event).await);
    }
    wait_until("all have failed", SOON, async || stage.failed().await == 42).await;
    stage.simulator.turn(&json!({"errors": []})).await;
    for path in PAGES {
        let page = browser.page(path).await;
        assert_text(path, &page);
    }
    let listed = browser.page("/events").await;
    assert!(listed.contains("&lt;script&gt;") && listed.contains("Next page"), "{listed}");
    assert!(browser.page("/failed").await.contains("42 failed messages"));
    for path in [
        "/people/ann",
        "/failed?code=131026",
        "/events?subject=none&outcome=",
        "/messages?status=failed&person=ann",
    ] {
        assert_text(path, &browser.page(path).await);
    }

    // The search box finds the event and its message; each has a page.
    let find = async |text: &str| {
        let answer = browser.search(text).send().await.unwrap();
        location(&answer)
    };
    let event = find(&events[0]).await;
    assert_text(&event, &browser.page(&event).await);
    let history = stage.host.event(&events[0]).await;
    let id = history["decisions"][0]["notifications"][0]["id"].as_str().unwrap();
    let message = find(id).await;
    assert_eq!(message, format!("/messages/{id}"));
    let page = browser.page(&message).await;
    assert_text(&message, &page);
    assert!(
        page.contains("attempt 1") && page.contains("class=\"bubble\"") && page.contains("131026"),
        "{page}"
    );
    assert_eq!(find("ann").await, "/people/ann");
    assert_eq!(find("+1 555 010 0001").await, "/messages?person=15550100001&since=30d");

    // What cannot be understood is said, and shown as text.
    for (path, status) in [
        ("/events?typo=1", 400),
        ("/events?since=soon", 400),
        ("/messages?status=none", 400),
        ("/messages/none", 404),
        ("/event?id=none", 404),
        ("/people/none", 404),
        ("/none", 404),
        ("/search?q=%3Cimg%20src%3Dx%3E", 404),
    ] {
        let answer = browser.get(path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_text(path, &answer.text().await.unwrap());
    }

    // An unchanged page is not sent again.
    let answer = browser.get("/groups").send().await.unwrap();
    let etag = answer.headers()["etag"].clone();
    assert_eq!(browser.get("/groups").header("if-none-match", etag).send().await.unwrap().status(), 304);

    // Who may not see personal data sees the end of a number, and no text.
    let looker = Browser::log_in(&stage, "looker", &["read", "events"]).await;
    let personal = json!({"type": "any", "subject": "+15550100001", "data": {"users": ["ann"], "template": "15550100001"}});
    let personal = find(&stage.host.accept(&personal).await).await;
    assert!(browser.page(&personal).await.contains("15550100001"));
    for path in PAGES.iter().copied().chain([personal.as_str(), &event, &message, "/people/ann"]) {
        let page = looker.page(path).await;
        assert!(!page.contains("15550100001"), "{path}: {page}");
    }
    assert!(looker.page("/people").await.contains("…0001"));
    assert!(!looker.page(&message).await.contains("class=\"bubble\""));
    assert!(!looker.page("/failed").await.contains("/failed/act"));
}

#[tokio::test]
async fn the_languages_of_a_template_stand_side_by_side() {
    let variant = |language: &str, more: &str, text: &str| {
        format!(
            "---\ndescription: A customer has paid\ncategory: utility\nlanguage: {language}\n{more}---\n{text}\n"
        )
    };
    let case = "- name: paid\n  event: {type: paid, data: {name: '<b>Luc</b>', total: 12.5}}\n  expect: [{template: thanks}]\n";
    let text = "Thank you, {{ name }}! We have *{{ money(total, 'EUR') }}* and send your order today.";
    let stage = Stage::builder()
        .rules(&[
            (
                "shop/routes.yaml",
                "- {on: paid, template: thanks, contacts: ['\"15550100001\"'], context: {name: event.data.name, total: event.data.total}}\n",
            ),
            ("shop/cases/paid.yaml", case),
            ("shop/templates/thanks.en_US.j2", &variant("en_US", "fallback: true\nfooter: The shop\n", text)),
            ("shop/templates/thanks.pt_BR.j2", &variant("pt_BR", "", "Obrigado, {{ name }}! Temos *{{ money(total, 'EUR') }}* e enviamos o seu pedido hoje.")),
            ("shop/templates/alone.j2", &variant("en_US", "mode: text\n", "Nobody sends this.")),
        ])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", Settings::default().waba_id.as_str())])
        .start()
        .await;
    let browser = Browser::log_in(&stage, "looker", &["read"]).await;
    assert!(browser.page("/templates").await.contains("href=\"/templates/thanks\""));
    let page = browser.page("/templates/thanks").await;
    assert_text("/templates/thanks", &page);
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("no {words:?}: {page}"));
    let (english, portuguese) = (place("en_US (fallback)"), place("<h2>pt_BR</h2>"));
    assert!(english < portuguese, "{page}");
    assert!(
        place("We have <b>EUR 12.50</b> and") < portuguese && place("Temos <b>EUR 12,50</b> e") > portuguese
    );
    for words in
        ["&lt;b&gt;Luc", "The shop", "not at Meta; submit it", "thanks.pt_BR.j2", "A customer has paid"]
    {
        place(words);
    }
    assert!(page.len() < 30 * 1024, "{}", page.len());
    let alone = browser.page("/templates/alone").await;
    assert!(alone.contains("no case leads to it"), "{alone}");
    assert_eq!(browser.get("/templates/none").send().await.unwrap().status(), 404);
}
