//! The simulator from outside: over HTTP, with a webhook of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod errors;
mod interactive;
mod media;
mod messages;
mod metas_examples;
mod panel;
mod profile;
mod template_list;
mod template_management;
mod webhooks;

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    time::{Duration, timeout},
};

use super::{Knobs, Limits, ReceivedMessage, Settings, Simulator};
use crate::status::Status;

/// Long enough for a loaded machine; what is awaited comes in milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running simulator, its client and its webhook.
struct Running {
    simulator: Simulator,
    client: reqwest::Client,
    address: String,
    hook: Hook,
    stop: Option<oneshot::Sender<()>>,
}

/// What the webhook has received, and what it answers.
#[derive(Clone)]
struct Hook {
    posts: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<Mutex<Vec<StatusCode>>>,
    changed: watch::Sender<()>,
}

impl Hook {
    async fn listen() -> (Hook, String) {
        let hook = Hook { posts: Arc::default(), answers: Arc::default(), changed: watch::Sender::new(()) };
        let router = Router::new()
            .route("/hook", get(verify).post(take))
            .with_state(hook.clone())
            .layer(DefaultBodyLimit::max(3_000_000));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (hook, url)
    }

    fn bodies(&self) -> Vec<Value> {
        self.posts.lock().unwrap().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    /// The values of all changes of this field, in their order.
    fn values(&self, field: &str) -> Vec<Value> {
        let bodies = self.bodies();
        let changes = bodies.iter().flat_map(|body| body["entry"][0]["changes"].as_array().unwrap());
        changes.filter(|change| change["field"] == field).map(|change| change["value"].clone()).collect()
    }

    /// All statuses of this message, in their order.
    fn statuses(&self, wamid: &str) -> Vec<Value> {
        let values = self.values("messages");
        let statuses = values.iter().filter_map(|value| value["statuses"].as_array()).flatten();
        statuses.filter(|status| status["id"] == wamid).cloned().collect()
    }

    /// Waits until this is so.
    async fn until<T>(&self, so: impl Fn(&Hook) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let wait = async {
            loop {
                if let Some(found) = so(self) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, wait).await.unwrap()
    }
}

async fn verify(Query(query): Query<Vec<(String, String)>>) -> (StatusCode, String) {
    let find = |key: &str| query.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default();
    if find("hub.mode") == "subscribe" && find("hub.verify_token") == Settings::default().verify_token {
        (StatusCode::OK, find("hub.challenge"))
    } else {
        (StatusCode::FORBIDDEN, String::new())
    }
}

async fn take(State(hook): State<Hook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    hook.posts.lock().unwrap().push((headers, body));
    let answer = hook.answers.lock().unwrap().pop().unwrap_or(StatusCode::OK);
    hook.changed.send_replace(());
    answer
}

impl Running {
    /// Starts with these knobs and limits; messages reach their statuses within milliseconds.
    async fn start(knobs: Value, limits: Limits) -> Running {
        Running::with(Settings::default(), knobs, limits).await
    }

    /// As above, as another account.
    async fn with(settings: Settings, knobs: Value, limits: Limits) -> Running {
        let quick =
            json!({"sent_after_ms": 1, "delivered_after_ms": 1, "read_after_ms": 1, "template_review_ms": 1});
        let knobs = Knobs::default().with(&quick).unwrap().with(&knobs).unwrap();
        let (hook, url) = Hook::listen().await;
        let settings = Settings { webhook_url: Some(url), knobs, limits, seed: Some(1), ..settings };
        let simulator = Simulator::new(settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serve = simulator.clone().serve(listener, async move {
            let _ = stopped.await;
        });
        tokio::spawn(async move { serve.await.unwrap() });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Running { simulator, client, address, hook, stop: Some(stop) }
    }

    /// As above, with no limits and no 24-hour window.
    async fn free() -> Running {
        Running::start(json!({"window": "off"}), Limits::unlimited()).await
    }

    async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}{path}", self.address);
        let mut request =
            self.client.request(method, url).bearer_auth(&self.simulator.settings().access_token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn send(&self, body: &Value) -> (u16, Value) {
        self.request("POST", "/v23.0/106540352242922/messages", Some(body)).await
    }

    /// Uploads a file for a number.
    async fn upload(&self, phone_number_id: &str, mime_type: &str, content: &[u8]) -> (u16, Value) {
        let file = format!("name=\"file\"; filename=\"f\"\r\nContent-Type: {mime_type}");
        self.post_form(phone_number_id, &[("name=\"messaging_product\"", b"whatsapp"), (&file, content)])
            .await
    }

    /// Posts a form to a number's media, each part with the rest of its header.
    async fn post_form(&self, phone_number_id: &str, parts: &[(&str, &[u8])]) -> (u16, Value) {
        let mut form = Vec::new();
        for (header, content) in parts {
            form.extend(format!("--of-parts\r\nContent-Disposition: form-data; {header}\r\n\r\n").bytes());
            form.extend(*content);
            form.extend(b"\r\n");
        }
        form.extend(b"--of-parts--\r\n");
        let request = self.client.post(format!("{}/v23.0/{phone_number_id}/media", self.address));
        let request = request.bearer_auth(&self.simulator.settings().access_token);
        let answer = request
            .header("content-type", "multipart/form-data; boundary=of-parts")
            .body(form)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Uploads a small file; it must be taken. Returns its id.
    async fn uploaded(&self, mime_type: &str) -> String {
        let (status, answer) = self.upload("106540352242922", mime_type, b"content").await;
        assert_eq!(status, 200, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Sends a text; it must be taken. Returns its wamid.
    async fn text(&self, to: &str, text: &str) -> String {
        let (status, answer) = self.send(&text_to(to, text)).await;
        assert_eq!(status, 200, "{answer}");
        answer["messages"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Sends; it must be refused. Returns Meta's code.
    async fn refused(&self, body: &Value) -> u64 {
        let (status, answer) = self.send(body).await;
        assert!(status >= 400, "{answer}");
        answer["error"]["code"].as_u64().unwrap()
    }

    /// Waits until so many updates were answered with 200.
    async fn told(&self, updates: u64) {
        let mut changes = self.simulator.changes();
        let wait = async {
            while self.simulator.stats().webhooks.delivered < updates {
                changes.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, wait).await.unwrap();
    }

    /// Waits until the message has reached its last status. Returns it.
    async fn read(&self, wamid: &str) -> ReceivedMessage {
        let mut changes = self.simulator.changes();
        let last = |message: &ReceivedMessage| {
            matches!(message.statuses.last()?.status, Status::Failed | Status::Read).then_some(())
        };
        let wait = async {
            loop {
                let messages = self.simulator.messages();
                let message = messages.into_iter().find(|message| message.wamid == wamid).unwrap();
                if last(&message).is_some() {
                    return message;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, wait).await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}

fn text_to(to: &str, text: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}})
}

fn template_to(to: &str, name: &str, components: Value) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "template",
        "template": {"name": name, "language": {"code": "en_US"}, "components": components}})
}
