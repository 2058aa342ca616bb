//! What operators stop at once on all hosts, and resume.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod console;
mod dropped;
mod held;
mod hosts;
mod plugins;
mod resumed;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{SOON, Stage, assert_described, http, wait_until};

const ANN: &str = "15550100001";
const BOB: &str = "15550100002";

/// The usual rules, with two groups that overlap.
async fn stage() -> Stage {
    let groups = "- {name: Ops, description: Operations}\n- {name: Night Shift, description: Nights}\n";
    Stage::builder()
        .rules(&[("groups.yaml", groups)])
        .person("ann", ANN, &["Ops"])
        .person("bob", BOB, &["Ops", "Night Shift"])
        .open_windows()
        .start()
        .await
}

fn note(to: &str) -> Value {
    json!({"template": "note", "contacts": [to], "context": {"n": 1}})
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Stage {
    /// Waits until an event's first message is held, and returns why.
    async fn held(&self, id: &str) -> String {
        let find = async || self.host.event(id).await["decisions"][0]["notifications"][0]["waits"].clone();
        wait_until("it is held", SOON, async || find().await["reason"] == "stopped").await;
        find().await["stopped"].as_str().unwrap().to_owned()
    }

    /// How many messages wait for a reason.
    async fn waiting_for(&self, reason: &str) -> i64 {
        self.database.count(&format!("SELECT count(*) FROM deferred WHERE reason = '{reason}'")).await
    }

    /// What is stopped, by the command line.
    fn stopped(&self) -> Vec<Value> {
        let listed = self.says(&["stopped", "--json"]);
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// To whom messages were sent, in their order.
    async fn sent_so_far(&self) -> Vec<String> {
        let sent = self.simulator.messages().await;
        sent.iter().map(|message| message["to"].as_str().unwrap().to_owned()).collect()
    }

    /// An answer of `/v1/switches` that is as it is described.
    async fn ask(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let path = format!("/v1/switches{path}");
        let mut request =
            http().request(method.clone(), format!("{}{path}", self.host.url())).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, kind) =
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned());
        let body = answer.json().await.unwrap();
        assert_described(method.as_str(), &path, status, Some(&kind), &body);
        (status, body)
    }
}
