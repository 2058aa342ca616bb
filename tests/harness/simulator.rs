//! The stand-in for Meta's Cloud API, as a process of its own.

use serde_json::Value;

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

    /// For `WHATSAPP_API_URL`.
    pub fn api_url(&self) -> String {
        format!("{}/v25.0", self.process.url())
    }

    /// The messages that it has received, oldest first.
    pub async fn messages(&self) -> Vec<Value> {
        let answer = http().get(format!("{}/_simulator/messages", self.process.url())).send().await.unwrap();
        let body: Value = answer.error_for_status().unwrap().json().await.unwrap();
        body["messages"].as_array().unwrap_or_else(|| panic!("no list of messages: {body}")).clone()
    }

    /// Writes in as a user.
    pub async fn inbound(&self, message: &Value) {
        let url = format!("{}/_simulator/inbound", self.process.url());
        http().post(url).json(message).send().await.unwrap().error_for_status().unwrap();
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
