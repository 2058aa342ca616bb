//! The stand-in for Meta's Cloud API, as a process of its own.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{
    host::http,
    process::{Process, program},
};

/// `hookswitch simulate`, with the account that it has by default.
pub struct Simulator {
    process: Process,
}

impl Simulator {
    /// A simulator that posts its webhooks to the host on this port.
    #[track_caller]
    pub fn start(host_port: u16, flags: &[&str]) -> Simulator {
        let webhook = format!("http://127.0.0.1:{host_port}/webhooks/whatsapp");
        let mut command = program(&["simulate", "--listen", "127.0.0.1:0", "--webhook-url", &webhook]);
        command.args(flags);
        Simulator { process: Process::start(command) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.process.url().trim_start_matches("http://").parse().unwrap()
    }

    /// For `WHATSAPP_API_URL`.
    pub fn api_url(&self) -> String {
        format!("{}/v25.0", self.process.url())
    }

    /// The messages that it has received, oldest first, each with `to`, `body` and what became of it.
    pub async fn messages(&self) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut after = json!(0);
        loop {
            let answer = http().get(self.control(&format!("messages?after={after}"))).send().await.unwrap();
            let mut page: Value = answer.error_for_status().unwrap().json().await.unwrap();
            let Value::Array(found) = page["data"].take() else { panic!("no list of messages: {page}") };
            if found.is_empty() {
                return messages;
            }
            messages.extend(found);
            after = page["last"].take();
        }
    }

    /// Writes in as a user, such as `{"from": "16505551234", "name": "Ann", "text": "hello"}`.
    pub async fn inbound(&self, message: &Value) {
        self.post("inbound", message).await;
    }

    /// Changes how it behaves, such as `{"latency_ms": 500}`.
    pub async fn turn(&self, knobs: &Value) {
        self.post("knobs", knobs).await;
    }

    /// Puts a template into a state, such as `PAUSED`, and tells the webhook.
    pub async fn set_template(&self, name: &str, status: &str) {
        self.post("templates", &json!({"name": name, "status": status})).await;
    }

    /// The templates at Meta by name, Meta's samples among them.
    pub async fn templates(&self) -> Vec<Value> {
        let answer = http().get(self.control("templates")).send().await.unwrap();
        let mut all: Value = answer.error_for_status().unwrap().json().await.unwrap();
        let Value::Array(templates) = all["data"].take() else { panic!("no list of templates: {all}") };
        templates
    }

    /// What it has counted since its start.
    pub async fn stats(&self) -> Value {
        let answer = http().get(self.control("stats")).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) {
        let answer = http().post(self.control(path)).json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {text}");
    }

    fn control(&self, path: &str) -> String {
        format!("{}/_simulator/{path}", self.process.url())
    }
}
