//! Releases: listed, compared, activated.

use serde_json::Value;

use super::{Browser, location};
use crate::harness::{SOON, Stage, wait_until, write_rule};

impl Stage {
    /// The releases, the newest first, once there are so many.
    async fn releases(&self, count: usize) -> Vec<String> {
        let list = || {
            let listed = self.says(&["release", "list", "--json"]);
            let lines = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.map(|release| release["release"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        wait_until("what is served is a release", SOON, async || list().len() == count).await;
        list()
    }

    /// The release of what is served first, and that of another text, which is active then.
    async fn two_releases(&self) -> (String, String) {
        let first = self.releases(1).await.remove(0);
        let text = format!("{}Other {{{{ n }}}}", crate::harness::TEXT);
        write_rule(&self.rules, "any/templates/note.j2", &text);
        let second = self.releases(2).await.remove(0);
        let active = "SELECT count(*) FROM activation";
        wait_until("it is active", SOON, async || self.database.count(active).await == 2).await;
        (first, second)
    }
}

#[tokio::test]
async fn a_release_is_compared_activated_and_taken_back() {
    let stage = Stage::builder().start().await;
    let (first, second) = stage.two_releases().await;

    let reader = Browser::log_in(&stage, "reader", &["read"]).await;
    let page = reader.page("/releases").await;
    assert!(
        page.contains(&first) && page.contains(&second) && !page.contains("/releases/activate"),
        "{page}"
    );
    let diff = format!("/releases/diff?from={first}&to={second}");
    assert_eq!(reader.get(&diff).send().await.unwrap().status(), 403);

    let boss = Browser::log_in(&stage, "boss", &["admin"]).await;
    let page = boss.page(&diff).await;
    assert!(
        page.contains("+Other {{ n }}") && page.contains("rules&#x2f;any&#x2f;templates&#x2f;note.j2"),
        "{page}"
    );
    let page = boss.page(&format!("/releases/{first}")).await;
    assert!(page.contains("rules&#x2f;groups.yaml") && page.contains("Activate it"), "{page}");
    let page = boss.page(&format!("/releases/activate?release={first}")).await;
    assert!(page.contains("what differs") && !page.contains("although cases fail"), "{page}");
    let form = [("release", first.as_str()), ("reason", "the old text")];
    let answer = boss.post("/releases/activate", &form).send().await.unwrap();
    assert_eq!(location(&answer), format!("/releases/{first}"));
    let page = boss.page(&format!("/releases/{first}")).await;
    assert!(page.contains("Active.") && page.contains("the old text"), "{page}");
    let answer = boss.post("/releases/activate", &[("reason", "")]).send().await.unwrap();
    assert_eq!(location(&answer), format!("/releases/{second}"));
    let log = stage.says(&["actions", "--json"]);
    assert!(log.contains("release.rollback") && log.contains("\"way\":\"console\""), "{log}");
    assert_eq!(boss.get("/releases/0123456789").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_release_whose_cases_fail_is_refused_with_what_fails_and_can_be_forced() {
    let stage = Stage::builder().start().await;
    stage.releases(1).await;
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "groups.yaml", "- {name: Ops, description: Operations}\n");
    write_rule(folder.path(), "x/routes.yaml", "- {on: x, template: x, groups: [Ops]}\n");
    write_rule(folder.path(), "x/templates/x.j2", &format!("{}X", crate::harness::TEXT));
    write_rule(
        folder.path(),
        "x/cases/x.yaml",
        "- name: nobody hears\n  event: {type: x}\n  expect:\n    - no_route: true\n",
    );
    let output = stage.run(&["release", "create", "--rules", folder.path().to_str().unwrap()]);
    let bad = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let boss = Browser::log_in(&stage, "boss", &["admin"]).await;
    let refused =
        boss.post("/releases/activate", &[("release", &bad), ("reason", "now")]).send().await.unwrap();
    let page = refused.text().await.unwrap();
    assert!(page.contains("It was not activated") && page.contains("x&#x2f;cases&#x2f;x.yaml:"), "{page}");
    let form = [("release", bad.as_str()), ("force", "on")];
    assert_eq!(boss.post("/releases/activate", &form).send().await.unwrap().status(), 400, "a reason is due");
    let form = [("release", bad.as_str()), ("force", "on"), ("reason", "now")];
    assert_eq!(
        location(&boss.post("/releases/activate", &form).send().await.unwrap()),
        format!("/releases/{bad}")
    );
    assert!(boss.page(&format!("/releases/{bad}")).await.contains("although cases failed"));
}

#[tokio::test]
async fn a_release_is_given_a_share_which_is_seen_and_ended() {
    let stage = Stage::builder().start().await;
    let (first, second) = stage.two_releases().await;
    let boss = Browser::log_in(&stage, "boss", &["admin"]).await;
    let page = boss.page(&format!("/releases/activate?release={first}")).await;
    assert!(page.contains("name=\"share\"") && page.contains("Hosts that serve a folder"), "{page}");
    let activate = async |share: &str| {
        let form = [("release", first.as_str()), ("share", share), ("reason", "to see")];
        boss.post("/releases/activate", &form).send().await.unwrap()
    };
    assert_eq!(location(&activate("10").await), format!("/releases/{first}"));
    let page = boss.page(&format!("/releases/{first}")).await;
    assert!(
        page.contains("It decides for 6 of 64 lanes (9.4 %)") && page.contains("End the share"),
        "{page}"
    );
    let page = boss.page(&format!("/releases/{second}")).await;
    assert!(page.contains("it decides for 58 of 64 lanes"), "{page}");
    let page = boss.page("/releases").await;
    assert!(page.contains("decides for 6 of 64 lanes (9.4 %)") && page.contains("End it"), "{page}");
    for (share, status, words) in
        [("5", 409, "a share only grows"), ("100", 400, "from 1 to 99"), ("x", 400, "")]
    {
        let refused = activate(share).await;
        assert_eq!(refused.status(), status, "{share}");
        assert!(refused.text().await.unwrap().contains(words), "{share}");
    }
    let page = boss.page("/releases/activate").await;
    assert!(page.contains(&format!("End the share of {first}")), "{page}");
    let answer = boss.post("/releases/activate", &[("reason", "seen")]).send().await.unwrap();
    assert_eq!(location(&answer), format!("/releases/{second}"));
    assert!(!boss.page("/releases").await.contains("of 64 lanes"));
}
