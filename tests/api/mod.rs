//! The operator's HTTP API: who may do what, lists, and jobs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod conditions;
mod contacts;
mod jobs;
mod keys;
mod lists;
mod scopes;
mod set_up;
mod trials;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{SOON, Stage, assert_described, create_key, http, wait_until};

/// A stage with a key.
struct Desk {
    stage: Stage,
    key: String,
}

impl Desk {
    async fn open(scopes: &[&str]) -> Desk {
        let stage = Stage::builder().open_windows().start().await;
        let key = create_key(&stage.database, "desk", scopes);
        Desk { stage, key }
    }

    /// Lets this many messages to customers fail.
    async fn fail(&self, count: usize) {
        let windows = format!(
            "INSERT INTO contact (wa_id, last_inbound_at)
             SELECT n::text, now() FROM generate_series(15550100000, 15550100000 + {count}) AS n ON CONFLICT DO NOTHING"
        );
        self.stage.database.query(&windows, &[]).await;
        self.stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
        let contacts: Vec<String> = (0..count).map(|n| format!("1555010{n:04}")).collect();
        let decision = json!({"contacts": contacts, "template": "note", "context": {"n": 1}});
        self.stage.host.accept(&json!({"type": "any", "data": decision})).await;
        wait_until("all have failed", 3 * SOON, async || self.stage.failed().await == count as i64).await;
        self.stage.simulator.turn(&json!({"errors": []})).await;
    }

    async fn answer(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let request =
            http().request(method, format!("{}{path}", self.stage.host.url())).bearer_auth(&self.key);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.unwrap()
    }

    /// The status and the body of an answer, which is as described.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let answer = self.answer(method.clone(), path, body).await;
        let status = answer.status().as_u16();
        let media_type = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        // What is no JSON is one text.
        let is_json = media_type.as_deref().is_none_or(|media_type| media_type.ends_with("json"));
        let body = if is_json { serde_json::from_str(&text).unwrap() } else { Value::String(text) };
        assert_described(method.as_str(), path, status, media_type.as_deref(), &body);
        (status, body)
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The entries of all pages, by the links from one to the next.
    async fn walk(&self, path: &str) -> Vec<Value> {
        let (mut all, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next {
            let answer = self.answer(Method::GET, &path, None).await;
            let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
            next = link.map(|link| {
                let address = link.strip_suffix(">; rel=\"next\"").and_then(|link| link.strip_prefix('<'));
                address.unwrap_or_else(|| panic!("{link}")).to_owned()
            });
            let page: Value = answer.json().await.unwrap();
            assert_eq!(page["next"].is_null(), next.is_none(), "{page}");
            all.extend(page["data"].as_array().unwrap_or_else(|| panic!("{page}")).iter().cloned());
            assert!(all.len() < 10_000, "it walks in a circle");
        }
        all
    }
}
