//! Intake's HTTP API onto a real database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod gzip;
mod handshake;
mod history;
mod keys;
mod refusals;
mod sameness;
mod writing;

use std::{sync::Arc, time::Duration};

use hookswitch::{
    app,
    http::{ApiKey, Scope},
    intake::Intake,
    store::Store,
};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify};

use crate::harness::Database;

const PLAIN: &str = "application/json";
const BATCH: &str = "application/cloudevents-batch+json";

/// Intake alone, a database behind it, and a key for it.
struct Host {
    store: Store,
    url: String,
    key: String,
    http: Client,
    /// Rung after each commit.
    grew: Arc<Notify>,
    database: Database,
}

impl Host {
    async fn start() -> Host {
        let database = Database::create().await;
        let config = config(&database);
        Host::on(database, config).await
    }

    /// Reaches the database by this address.
    async fn on(database: Database, address: tokio_postgres::Config) -> Host {
        Store::new(config(&database), 1).unwrap().migrate().await.unwrap();
        let store = Store::new(address, 8).unwrap();
        let grew = Arc::new(Notify::new());
        let rung = grew.clone();
        let intake = Intake::new(
            store.clone(),
            Arc::new(move |_| rung.notify_one()),
            Arc::new(|| vec!["the lanes".to_owned()]),
            Default::default(),
        );
        let routes = app::intake_and_history(intake, store.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let key =
            ApiKey::create(&store, "shop", &[Scope::Events, Scope::Read, Scope::Personal]).await.unwrap();
        // Whichever test of this process comes first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        Host { store, url, key, http, grew, database }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    async fn post(&self, content_type: &str, body: impl Into<reqwest::Body>) -> Response {
        let post = self.request(Method::POST, "/v1/events").header("content-type", content_type);
        post.body(body).send().await.unwrap()
    }

    async fn post_json(&self, body: &Value) -> Response {
        self.post(PLAIN, body.to_string()).await
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// How many events are in the log.
    async fn logged(&self) -> i64 {
        self.database.count("SELECT count(*) FROM event").await
    }
}

fn config(database: &Database) -> tokio_postgres::Config {
    database.url().parse().unwrap()
}

fn order(id: usize) -> Value {
    json!({"type": "order.created", "source": "/shop", "id": format!("o/{id}"), "data": {"amount": id}})
}

fn cloud_order(id: usize) -> Value {
    let mut event = order(id);
    event["specversion"] = json!("1.0");
    event
}

/// The answer's status and body; the body must be a problem.
async fn problem(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "HTTP {status}");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert!(!body["detail"].as_str().unwrap().is_empty());
    (status, body)
}

async fn accepted(answer: Response) -> Value {
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 202, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn an_event_is_on_disk_when_it_is_accepted() {
    let host = Host::start().await;
    let answer = host.post_json(&order(1)).await;
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, "/v1/events/o%2F1?source=%2Fshop");
    assert_eq!(accepted(answer).await, json!({"id": "o/1", "source": "/shop"}));
    assert_eq!(host.logged().await, 1);
    host.grew.notified().await;
    let event: Value = host.get(&location).await.json().await.unwrap();
    assert_eq!(event["data"], json!({"amount": 1}));
    assert_eq!((&event["routed"], &event["decisions"]), (&json!(false), &json!([])));
}

#[tokio::test]
async fn an_event_that_is_written_anew_is_the_same_event() {
    let host = Host::start().await;
    let event = |data: &str, more: &str| {
        format!(r#"{{"type": "order.created", "id": "w-1", "source": "/shop", "data": {data}{more}}}"#)
    };
    let first = event(r#"{"a":1,"b":[1,2],"c":{"x":"y","z":null}}"#, "");
    accepted(host.post("application/json", first).await).await;
    // Other white space, another order of the members, at another moment.
    let again = event(r#"{ "c": {"z": null, "x": "\u0079"}, "b": [1, 2], "a": 1 }"#, "");
    accepted(host.post("application/json", again).await).await;
    for other in [
        event(r#"{"a":1,"b":[2,1],"c":{"x":"y","z":null}}"#, ""),
        event(r#"{"a":1,"b":[1,2],"c":{"x":"y"}}"#, ""),
        event(r#"{"c":{"x":"y","z":null},"b":[1,2],"a":1}"#, r#", "time": "2026-11-23T09:00:00Z""#),
        event(r#"{"c":{"x":"y","z":null},"b":[1,2],"a":1}"#, r#", "subject": "s""#),
    ] {
        let (status, conflict) = problem(host.post("application/json", other.clone()).await).await;
        assert_eq!((status, &conflict["code"]), (409, &json!("event_conflict")), "{other}");
    }
    assert_eq!(host.logged().await, 1);
}

#[tokio::test]
async fn the_same_event_again_gives_the_same_answer_and_no_second_event() {
    let host = Host::start().await;
    let first = accepted(host.post_json(&order(1)).await).await;
    let again = host.post("application/cloudevents+json", cloud_order(1).to_string()).await;
    assert_eq!(accepted(again).await, first);
    let mut other = order(1);
    other["subject"] = json!("another");
    let (status, conflict) = problem(host.post_json(&other).await).await;
    assert_eq!((status, &conflict["code"]), (409, &json!("event_conflict")));
    let said = conflict["errors"][0]["detail"].as_str().unwrap();
    assert!(said.contains("\"o/1\"") && said.contains("was received at 2"), "{said}");
    // The same id of another source is another event.
    other["source"] = json!("/other");
    accepted(host.post_json(&other).await).await;
    assert_eq!(host.logged().await, 2);
}

#[tokio::test]
async fn what_the_producer_leaves_open_is_filled_in() {
    let host = Host::start().await;
    let body = json!({"type": "order.created", "data": null, "subject": null});
    let event = accepted(host.post_json(&body).await).await;
    assert_eq!(event["source"], "/keys/shop");
    let id = event["id"].as_str().unwrap();
    let event: Value = host.get(&format!("/v1/events/{id}")).await.json().await.unwrap();
    assert_eq!(event["id"], id);
    let at = |name: &str| event[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    // The host knows PostgreSQL's clock only as well as the way there and back takes equally long.
    assert!(at("received_at").duration_since(at("time")).abs() < SignedDuration::from_secs(1), "{event}");
    assert_ne!(accepted(host.post_json(&body).await).await["id"], id, "without an id it is another event");
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let host = Host::start().await;
    let batch = json!([cloud_order(1), cloud_order(2), cloud_order(1)]).to_string();
    let answer = accepted(host.post(BATCH, batch.clone()).await).await;
    let key = |id: usize| json!({"id": format!("o/{id}"), "source": "/shop"});
    assert_eq!(answer, json!({"events": [key(1), key(2), key(1)]}));
    assert_eq!(accepted(host.post(BATCH, batch.clone()).await).await, answer);
    assert_eq!(accepted(host.post(PLAIN, batch).await).await, answer, "an array of JSON is a batch");
    assert_eq!(host.logged().await, 2);
    for media_type in [BATCH, PLAIN] {
        let none = accepted(host.post(media_type, " [\n] ").await).await;
        assert_eq!(none, json!({"events": []}), "{media_type}");
    }

    let mut other = cloud_order(2);
    other["data"] = json!("another");
    let batch = json!([cloud_order(3), other, cloud_order(4)]);
    let (status, conflict) = problem(host.post(BATCH, batch.to_string()).await).await;
    assert_eq!((status, &conflict["errors"][0]["at"]), (409, &json!("/1")));
    let mut bad = cloud_order(5);
    bad["type"] = json!("");
    let (status, invalid) = problem(host.post(BATCH, json!([cloud_order(6), bad]).to_string()).await).await;
    assert_eq!((status, &invalid["errors"][0]["at"]), (400, &json!("/1/type")));
    assert_eq!(host.logged().await, 2, "nothing of either batch");
}

#[tokio::test]
async fn an_array_of_plain_events_is_a_batch_with_its_limits() {
    let host = Host::start().await;
    let batch = |events: usize, bytes: usize| {
        let event = |n: usize| json!({"type": "t", "id": format!("b-{n}"), "data": "x".repeat(bytes)});
        json!((0..events).map(event).collect::<Vec<_>>()).to_string()
    };
    let answer = accepted(host.post(PLAIN, batch(1_000, 10_000)).await).await;
    assert_eq!(answer["events"].as_array().unwrap().len(), 1_000);
    assert_eq!(answer["events"][999], json!({"id": "b-999", "source": "/keys/shop"}));
    for (body, code) in [
        (batch(1_001, 1), "batch_size"),
        (batch(2, 300 * 1024), "event_too_large"),
        (batch(100, 200 * 1024), "event_too_large"),
        (format!("{}[]", " ".repeat(300 * 1024)), "event_too_large"),
    ] {
        let (status, body) = problem(host.post(PLAIN, body).await).await;
        assert_eq!((status, body["code"].as_str().unwrap()), (413, code), "{body}");
    }
    assert_eq!(host.logged().await, 1_000);
}

#[tokio::test]
async fn a_cloud_event_in_headers_is_the_same_event() {
    let host = Host::start().await;
    accepted(host.post_json(&order(1)).await).await;
    let binary = host
        .request(Method::POST, "/v1/events")
        .header("content-type", PLAIN)
        .header("ce-specversion", "1.0")
        .header("ce-id", "o%2F1")
        .header("ce-source", "\"/shop\"")
        .header("ce-type", "order.created")
        .body("{\"amount\":1}");
    let answer = accepted(binary.send().await.unwrap()).await;
    assert_eq!(answer, json!({"id": "o/1", "source": "/shop"}));
    assert_eq!(host.logged().await, 1);
}

#[tokio::test]
async fn it_says_whether_it_lives_and_what_it_is_not_ready_for() {
    let host = Host::start().await;
    assert_eq!(host.http.get(format!("{}/healthz", host.url)).send().await.unwrap().status(), 200);
    let ready = host.http.get(format!("{}/readyz", host.url)).send().await.unwrap();
    let (status, body) = problem(ready).await;
    assert_eq!((status, &body["detail"]), (503, &json!("The lanes.")));
}
