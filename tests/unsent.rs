//! Events of which no message came: they are found without their ids, told of, and routed again once the rule is mended.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use reqwest::Client;
use serde_json::{Value, json};

use crate::harness::{SOON, Stage, TEXT, assert_described, create_key, wait_until, write_rule};

const BROKEN: &str =
    "fn decide(event) { #{ template: \"note\", groups: [\"Ops\"], context: #{ n: event.data.a.len() } } }";
const MENDED: &str = "fn decide(event) { #{ template: \"note\", groups: [\"Ops\"], context: #{ n: 1 } } }";

/// A script that fails where `a` is missing, a route beside it that does not, and a group that is empty.
async fn stage() -> Stage {
    Stage::builder()
        .rules(&[
            ("groups.yaml", "- {name: Ops, description: Operations}\n- {name: Empty, description: Nobody}\n"),
            (
                "any/routes.yaml",
                "- on: order.created\n  script: broken.rhai\n\
                 - {on: order.created, template: beside, groups: [Ops]}\n\
                 - {on: order.both, script: broken.rhai}\n\
                 - {on: order.both, template: beside, groups: [Empty]}\n\
                 - {on: order.lost, template: beside, groups: [Empty]}\n\
                 - {on: rule.failed, template: failed, groups: [Ops], context: {rule: event.data.rule, n: event.data.count}}\n",
            ),
            ("any/broken.rhai", BROKEN),
            ("any/templates/beside.j2", &format!("{TEXT}Beside")),
            ("any/templates/failed.j2", &format!("{TEXT}{{{{ rule }}}} failed")),
        ])
        .person("ann", "15550100001", &["Ops"])
        .person("bob", "15550100002", &[])
        .open_windows()
        .start()
        .await
}

impl Stage {
    async fn order(&self, id: &str, kind: &str) {
        let event = json!({"id": id, "source": "/shop", "type": kind, "subject": "order-1", "data": {}});
        self.host.accept(&event).await;
        wait_until(id, SOON, async || self.host.event(id).await["routed"] == true).await;
    }

    async fn bodies(&self) -> Vec<String> {
        let messages = self.simulator.messages().await;
        let text =
            |message: &Value| message["request"]["text"]["body"].as_str().unwrap_or_default().to_owned();
        messages.iter().map(text).collect()
    }

    /// What the command lists, as JSON.
    fn events(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self.says(&[&["events", "--json"], arguments].concat());
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn list(&self, key: &str, query: &str) -> (u16, Value) {
        let url = format!("{}/v1/events?{query}", self.host.url());
        let answer = Client::new().get(url).bearer_auth(key).send().await.unwrap();
        let status = answer.status().as_u16();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let body = answer.json().await.unwrap();
        assert_described("GET", "/v1/events", status, Some(&kind), &body);
        (status, body)
    }
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_rule_that_fails_is_told_of_and_its_event_is_found_and_routed_again() {
    let stage = stage().await;
    for id in ["1", "2", "3"] {
        stage.order(id, "order.created").await;
    }
    let failed = stage.events(&["--failed"]);
    assert_eq!(ids(&failed), ["3", "2", "1"]);
    assert_eq!(
        (&failed[0]["outcome"], &failed[0]["rule"], &failed[0]["reruns"]),
        (&json!("failed"), &json!("any/broken.rhai:1"), &json!(0))
    );
    wait_until("the log tells", SOON, async || stage.host.said().contains("a rule failed")).await;
    let told = |text: &String| text == "any/broken.rhai:1 failed";
    wait_until("Ops hears of it", SOON, async || stage.bodies().await.iter().any(told)).await;
    let check = stage.run(&["check"]);
    let check = String::from_utf8(check.stdout).unwrap();
    assert!(
        check.contains("! 3 events failed (of this rule's last 3 decisions: 3), the last one with: any/broken.rhai:1:86: no function `len`"),
        "{check}"
    );
    assert!(check.contains("hookswitch explain 3"), "{check}");

    // Nobody mends a rule by asking again.
    assert_eq!(stage.says(&["events", "rerun", "1"]), "1 event will be routed again by a running host.\n");
    let reruns = async |id: &str| {
        stage.events(&["--subject", "order-1"]).iter().find(|e| e["id"] == id).unwrap()["reruns"].clone()
    };
    wait_until("a rerun", SOON, async || reruns("1").await == 1).await;
    assert_eq!(ids(&stage.events(&["--failed"])), ["3", "2", "1"]);

    write_rule(&stage.rules, "any/broken.rhai", MENDED);
    wait_until("the new rules", SOON, async || stage.host.said().contains("new rules are live")).await;
    let said = stage.says(&["events", "rerun", "--failed", "--yes"]);
    assert_eq!(said, "3 events will be routed again by a running host.\n");
    wait_until("all are mended", SOON, async || stage.events(&["--failed"]).is_empty()).await;
    wait_until("the notes", SOON, async || {
        stage.bodies().await.iter().filter(|t| *t == "Note 1").count() == 3
    })
    .await;
    // What the route beside has told before is told once for each event.
    assert_eq!(stage.bodies().await.iter().filter(|text| *text == "Beside").count(), 3);
    let event = stage.host.event("1").await;
    let outcomes: Vec<&str> =
        event["decisions"].as_array().unwrap().iter().map(|d| d["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["failed", "notify", "failed", "duplicate", "notify", "duplicate"]);

    let again = stage.run(&["events", "rerun", "1"]);
    assert_eq!(again.status.code(), Some(1));
    let wrong = String::from_utf8(again.stderr).unwrap();
    assert!(wrong.contains("nothing to route again") && wrong.contains("hookswitch explain"), "{wrong}");
}

#[tokio::test]
async fn events_without_a_rule_and_those_that_reached_nobody_are_found() {
    let stage = stage().await;
    stage.order("typo", "order.creatd").await;
    stage.order("lost", "order.lost").await;
    assert_eq!(ids(&stage.events(&["--no-route"])), ["typo"]);
    assert_eq!(ids(&stage.events(&["--nobody"])), ["lost"]);
    assert_eq!(ids(&stage.events(&[])), ["lost", "typo"]);
    assert_eq!(ids(&stage.events(&["--type", "order.lost"])), ["lost"]);
    assert_eq!(ids(&stage.events(&["--subject", "order-1", "--source", "/shop", "--limit", "1"])), ["lost"]);
    assert!(stage.events(&["--source", "/other"]).is_empty());
    for told in ["no rule is for events of this type", "a rule reached nobody"] {
        wait_until(told, SOON, async || stage.host.said().contains(told)).await;
    }
    let check = String::from_utf8(stage.run(&["check"]).stdout).unwrap();
    assert!(
        check.contains("1 event of the type order.creatd had no rule; did you mean `order.created`?"),
        "{check}"
    );
    assert!(check.contains("any/routes.yaml:6: 1 event reached nobody"), "{check}");

    let explained = stage.says(&["explain", "order-1"]);
    assert!(explained.contains("order.lost"), "{explained}");

    let key = create_key(&stage.database, "reader", &["read"]);
    let (status, page) = stage.list(&key, "limit=1").await;
    assert_eq!((status, ids(page["data"].as_array().unwrap())), (200, vec!["lost"]));
    let (_, page) = stage.list(&key, &format!("limit=1&before={}", page["next"])).await;
    assert_eq!(ids(page["data"].as_array().unwrap()), ["typo"]);
    let (_, page) = stage.list(&key, &format!("limit=1&before={}", page["next"])).await;
    assert_eq!(page, json!({"data": [], "next": null}));
    let (_, page) = stage.list(&key, "outcome=no_route&type=order.creatd").await;
    assert_eq!(ids(page["data"].as_array().unwrap()), ["typo"]);
    for wrong in ["outcome=lost", "limit=0", "since=yesterday", "colour=red", "type=%00"] {
        let (status, problem) = stage.list(&key, wrong).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{wrong}: {problem}");
    }

    // Somebody joins the group, and a rule is for the type now.
    stage.says(&["groups", "create", "Empty"]);
    stage.says(&["groups", "add", "Empty", "bob"]);
    stage.says(&["events", "rerun", "lost"]);
    wait_until("bob has it", SOON, async || stage.bodies().await == ["Beside"]).await;
}

#[tokio::test]
async fn of_several_decisions_each_is_found_whatever_the_others_came_to() {
    let stage = stage().await;
    stage.order("both", "order.both").await;
    for filter in ["--failed", "--nobody"] {
        let events = stage.events(&[filter]);
        assert_eq!((ids(&events), &events[0]["outcome"]), (vec!["both"], &json!("failed")), "{filter}");
    }
    assert!(stage.events(&["--no-route"]).is_empty());
}

#[test]
fn a_rerun_says_which_events() {
    let output = crate::harness::program(&["events", "rerun"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--failed, --no-route or --nobody"));
}
