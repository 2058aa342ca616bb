//! Logging in and out, and what keeps strangers out.

use super::{Browser, location};
use crate::harness::{Stage, create_key};

/// The paths that take a POST, from the router itself, so that none can be missed.
fn posts() -> Vec<String> {
    let source = include_str!("../../host/src/console/mod.rs");
    let routes = source.split(".route(").skip(1).filter(|route| route.contains("post("));
    let paths = routes.map(|route| {
        let path = route.split('"').nth(1).unwrap();
        path.replace("{id}", "01900000-0000-7000-8000-000000000000").replace("{username}", "ann")
    });
    paths.collect()
}

#[tokio::test]
async fn a_session_is_opened_with_a_key_and_ends_with_it() {
    let stage = Stage::builder().start().await;
    let stranger = Browser::new(&stage);
    for (path, then) in [("/", "/login?then=%2F"), ("/events?since=2h", "/login?then=%2Fevents%3Fsince%3D2h")]
    {
        assert_eq!(location(&stranger.get(path).send().await.unwrap()), then);
    }
    assert_eq!(stranger.get("/metrics").send().await.unwrap().status(), 200);
    let wrong = stranger.post("/login", &[("key", "hsk_wrong")]).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(wrong.text().await.unwrap().contains("This API key is unknown or revoked."));
    // A key that may only post events opens a session in which nothing can be seen.
    let events = Browser::log_in(&stage, "shop", &["events"]).await;
    assert_eq!(events.get("/").send().await.unwrap().status(), 403);

    let key = create_key(&stage.database, "later", &["read"]);
    for (then, target) in [
        ("/events?since=2h", "/events?since=2h"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
    ] {
        let answer = stranger.post("/login", &[("key", &key), ("then", then)]).send().await.unwrap();
        assert_eq!(location(&answer), target, "{then}");
    }

    let browser = Browser::log_in(&stage, "looker", &["read"]).await;
    browser.page("/events").await;
    let out = browser.post("/logout", &[]).send().await.unwrap();
    assert_eq!(location(&out), "/login");
    assert_eq!(location(&browser.get("/events").send().await.unwrap()), "/login?then=%2Fevents");

    for (name, again) in [("one", false), ("two", true)] {
        let browser = Browser::log_in(&stage, name, &["read"]).await;
        browser.page("/groups").await;
        stage.says(&["keys", "revoke", name]);
        if again {
            // A new key in its place does not open what the old one has opened.
            create_key(&stage.database, name, &["read"]);
        }
        let answer = browser.get("/groups").send().await.unwrap();
        assert_eq!(location(&answer), "/login?then=%2Fgroups", "{name}");
    }
}

#[tokio::test]
async fn nothing_is_changed_from_another_site_or_by_someone_who_can_only_look() {
    let stage = Stage::builder().start().await;
    let looker = Browser::log_in(&stage, "looker", &["read"]).await;
    let actor = Browser::log_in(&stage, "actor", &["read", "operate"]).await;
    let boss = Browser::log_in(&stage, "boss", &["admin"]).await;
    let posts = posts();
    assert!(posts.len() >= 15, "{posts:?}");
    let own = ["/login", "/link", "/logout"];
    for path in &posts {
        let form = [("act", "redrive"), ("until", "2030-01-01T00:00:00Z"), ("resolution", "drop")];
        if !own.contains(&path.as_str()) {
            assert_eq!(looker.post(path, &form).send().await.unwrap().status(), 403, "{path}");
            assert_eq!(
                location(&Browser::new(&stage).post(path, &form).send().await.unwrap()),
                "/login?then=%2F"
            );
        }
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let answer = actor.post(path, &form).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{path}, {name}: {value}");
        }
        for browser in [&actor, &boss] {
            let answer =
                browser.post(path, &form).header("sec-fetch-site", "cross-site").send().await.unwrap();
            assert_eq!(answer.status(), 403, "{path}");
            let answer = browser.post(path, &form).header("host", "evil.example").send().await.unwrap();
            assert_eq!(answer.status(), 421, "{path}");
        }
    }
    // None of that has ended the session.
    actor.page("/").await;
}
