//! Jobs: redriving and discarding over HTTP.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::harness::{SOON, wait_until};

impl Desk {
    /// Starts a job; returns its path.
    async fn start(&self, path: &str, body: &Value) -> String {
        let (status, job) = self.ask(Method::POST, path, Some(body)).await;
        assert_eq!((status, &job["state"]), (202, &json!("running")), "{job}");
        format!("/v1/jobs/{}", job["id"])
    }

    async fn end(&self, job: &str) -> Value {
        wait_until("the job has ended", SOON, async || self.get(job).await["state"] != "running").await;
        self.get(job).await
    }
}

#[tokio::test]
async fn a_job_survives_the_death_of_its_host_and_redrives_each_message_once() {
    let mut desk = Desk::open(&["read", "operate", "admin"]).await;
    desk.fail(300).await;
    let job = desk.start("/v1/failed/redrive", &json!({"code": 131_026, "rate": 100})).await;
    // Two steps of twenty at least, and not all.
    wait_until("it is under way", SOON, async || desk.get(&job).await["done"].as_i64() >= Some(40)).await;
    desk.stage.host.kill();
    let done = "SELECT done FROM job";
    let before: i64 = desk.stage.database.query(done, &[]).await[0].get(0);
    assert!((40..300).contains(&before), "killed in the middle: {before}");
    desk.stage.host.restart();
    let ended = desk.end(&job).await;
    assert_eq!(
        (&ended["state"], &ended["done"], &ended["of"], &ended["count"], &ended["skipped"]),
        (&json!("done"), &json!(300), &json!(300), &json!(300), &json!(0)),
        "{ended}"
    );
    let messages = desk.walk(&format!("{job}/messages?limit=70")).await;
    let distinct = |member: &str| -> usize {
        messages.iter().map(|message| message[member].as_str().unwrap()).collect::<HashSet<_>>().len()
    };
    assert_eq!((messages.len(), distinct("id"), distinct("redriven_as")), (300, 300, 300));
    let notifications = "SELECT count(*) FROM notification";
    assert_eq!(desk.stage.database.count(notifications).await, 600, "each once");

    let actions = desk.get("/v1/actions?action=failed.redrive").await;
    let [action] = actions["data"].as_array().unwrap().as_slice() else { panic!("{actions}") };
    assert_eq!(
        (&action["who"], &action["way"], &action["count"], &action["what"]),
        (&json!("desk"), &json!("api"), &json!(300), &json!({"code": 131_026}))
    );
}

#[tokio::test]
async fn a_job_discards_what_was_chosen_and_nothing_that_fails_later() {
    let desk = Desk::open(&["read", "operate", "admin"]).await;
    desk.fail(3).await;
    let listed = desk.walk("/v1/failed").await;
    let body = json!({"ids": [listed[0]["id"], listed[1]["id"]], "reason": "wrong numbers"});
    let job = desk.start("/v1/failed/discard", &body).await;
    let ended = desk.end(&job).await;
    assert_eq!((&ended["state"], &ended["count"]), (&json!("done"), &json!(2)));
    assert_eq!(desk.walk("/v1/failed").await, [listed[2].clone()]);
    let path = format!("/v1/notifications/{}", listed[0]["id"].as_str().unwrap());
    let history = desk.get(&path).await;
    assert_eq!(history["dead_letter"]["reason"], "wrong numbers");
    let action = &history["actions"][0];
    assert_eq!((&action["action"], &action["reason"]), (&json!("failed.discard"), &json!("wrong numbers")));
    assert_eq!(desk.end(&desk.start("/v1/failed/redrive", &body_of(&listed[0])).await).await["count"], 0);
}

fn body_of(message: &Value) -> Value {
    json!({"ids": [message["id"]]})
}
