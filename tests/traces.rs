//! What is done about an event is one trace, from its producer's span to the report that it was read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use serde_json::{Value, json};

use crate::harness::{SOON, Stage, create_key, http, wait_until};

/// A collector that takes OTLP in JSON.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Value>>>);

impl Collector {
    async fn start() -> (Collector, SocketAddr) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = Collector::default();
        let routes = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async { axum::serve(listener, routes).await.unwrap() });
        (collector, address)
    }

    /// The spans so far.
    fn spans(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    /// The first span of this name, once it is there.
    async fn span(&self, name: &str) -> Value {
        let find = || self.spans().into_iter().find(|span| span["name"] == name);
        wait_until(name, SOON, async || find().is_some()).await;
        find().unwrap()
    }
}

async fn take(
    State(collector): State<Collector>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Json<Value> {
    assert_eq!(headers["authorization"], "Bearer secret of ours");
    for resource in request["resourceSpans"].as_array().unwrap() {
        let attributes = resource["resource"]["attributes"].to_string();
        assert!(attributes.contains("service.name") && attributes.contains("our-switch"), "{attributes}");
        for scope in resource["scopeSpans"].as_array().unwrap() {
            collector.0.lock().unwrap().extend(scope["spans"].as_array().unwrap().clone());
        }
    }
    Json(json!({}))
}

async fn stage(share: &str) -> (Stage, Collector) {
    let (collector, address) = Collector::start().await;
    let stage = Stage::builder()
        .person("ann", "15550100001", &["Ops"])
        .open_windows()
        .settings(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}")),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret%20of%20ours"),
            ("OTEL_SERVICE_NAME", "our-switch"),
            ("OTEL_TRACES_SAMPLER_ARG", share),
        ])
        .start()
        .await;
    (stage, collector)
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn note(n: usize) -> Value {
    json!({"type": "any", "data": {"template": "note", "context": {"n": n}, "users": ["ann"]}})
}

async fn post_within(stage: &Stage, event: &Value, flags: &str) -> String {
    let key = create_key(&stage.database, &format!("producer{}", event["data"]["context"]["n"]), &["events"]);
    let request = http().post(format!("{}/v1/events", stage.host.url())).bearer_auth(key).json(event);
    let answer = request.header("traceparent", format!("00-{TRACE}-{PARENT}-{flags}")).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
}

fn attribute<'a>(span: &'a Value, name: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == name);
    found.map_or(&Value::Null, |found| &found["value"])
}

#[tokio::test]
async fn from_the_producers_span_to_read_there_is_one_trace() {
    let (stage, collector) = stage("0").await;
    let id = post_within(&stage, &note(1), "01").await;
    let message = stage.notification(&id, "read").await["id"].as_str().unwrap().to_owned();
    let mut parent = PARENT.to_owned();
    let mut last = 0;
    for name in ["POST /v1/events", "route any", "send note", "receipt read"] {
        let span = collector.span(name).await;
        assert_eq!((&span["traceId"], &span["parentSpanId"]), (&json!(TRACE), &json!(parent)), "{span}");
        let nanos = |at: &str| span[at].as_str().unwrap().parse::<u64>().unwrap();
        let (from, to) = (nanos("startTimeUnixNano"), nanos("endTimeUnixNano"));
        assert!(last <= from && from <= to, "{name} begins before its parent: {span}");
        last = from;
        parent = span["spanId"].as_str().unwrap().to_owned();
    }
    let (route, decide) = (collector.span("route any").await, collector.span("decide any/any.rhai:1").await);
    assert_eq!((&decide["traceId"], &decide["parentSpanId"]), (&json!(TRACE), &route["spanId"]));
    assert_eq!(attribute(&route, "hookswitch.event.id"), &json!({"stringValue": id}));
    let send = collector.span("send note").await;
    assert_eq!(attribute(&send, "messaging.system"), &json!({"stringValue": "whatsapp"}));
    assert_eq!(attribute(&send, "hookswitch.notification.id"), &json!({"stringValue": message}));
    assert_eq!((&send["kind"], &send["status"]), (&json!(3), &json!({})));
    for status in ["sent", "delivered"] {
        let receipt = collector.span(&format!("receipt {status}")).await;
        assert_eq!((&receipt["traceId"], &receipt["parentSpanId"]), (&json!(TRACE), &send["spanId"]));
    }

    // What its producer does not record is not recorded here, nor are events without a trace, of which none was asked for.
    let silent = post_within(&stage, &note(2), "00").await;
    let without = stage.host.accept(&note(3)).await;
    for id in [&silent, &without] {
        stage.notification(id, "read").await;
    }
    let third = post_within(&stage, &note(4), "01").await;
    let is_third = |span: &Value| attribute(span, "hookswitch.event.id")["stringValue"] == third.as_str();
    wait_until("the next one is there", SOON, async || collector.spans().iter().any(is_third)).await;
    let all = Value::Array(collector.spans()).to_string();
    assert!(!all.contains(&silent) && !all.contains(&without), "{all}");
    // Nothing personal, and nothing of it for Meta.
    assert!(!all.contains("15550100001") && !all.contains("ann"), "{all}");
    let sent = Value::Array(stage.simulator.messages().await).to_string();
    assert!(!sent.contains(TRACE), "{sent}");
}

#[tokio::test]
async fn what_the_log_tells_of_an_event_or_a_message_names_its_trace() {
    let (stage, _collector) = stage("0").await;
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    let event = |n: usize, more: Value| {
        let mut event = note(n);
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let unknown = post_within(&stage, &event(1, json!({"type": "other"})), "01").await;
    let fails =
        post_within(&stage, &event(2, json!({"data": {"context": {"n": 2}, "template": 7}})), "01").await;
    let failed = post_within(&stage, &note(3), "01").await;
    stage.notification(&failed, "failed").await;
    for (id, outcome) in [(&unknown, "no_route"), (&fails, "failed")] {
        stage.decision(id, outcome).await;
    }
    let trace = format!("trace=\"{TRACE}\"");
    let lines = ["no rule is for events of this type", "a rule failed", "a send did not go well"];
    wait_until("all is told", SOON, async || lines.iter().all(|line| stage.host.said().contains(line))).await;
    for line in lines {
        let said = stage.host.said();
        let told = said.lines().find(|told| told.contains(line)).unwrap();
        assert!(told.contains(&trace), "{told}");
    }
}

#[tokio::test]
async fn an_attempt_after_the_first_and_a_redrive_have_traces_that_are_linked() {
    let (stage, collector) = stage("1").await;
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    let id = stage.host.accept(&note(1)).await;
    stage.notification(&id, "failed").await;
    let send = collector.span("send note").await;
    assert_eq!(attribute(&send, "error.type"), &json!({"stringValue": "131026"}), "{send}");
    assert_eq!(send["status"]["code"], 2);
    // It began its own trace: intake has no parent.
    let intake = collector.span("POST /v1/events").await;
    assert_eq!((&intake["parentSpanId"], &intake["traceId"]), (&json!(""), &send["traceId"]));

    stage.simulator.turn(&json!({"errors": []})).await;
    stage.says(&["failed", "redrive", "--code", "131026"]);
    let again = async || {
        collector.spans().into_iter().find(|span| span["name"] == "send note" && span["status"] == json!({}))
    };
    wait_until("it is sent again", SOON, async || again().await.is_some()).await;
    let again = again().await.unwrap();
    let route = collector.span("route any").await;
    assert_ne!(again["traceId"], send["traceId"]);
    assert_eq!(again["links"], json!([{"traceId": route["traceId"], "spanId": route["spanId"]}]), "{again}");
    let read = collector.span("receipt read").await;
    assert_eq!((&read["traceId"], &read["parentSpanId"]), (&again["traceId"], &again["spanId"]));
}

#[tokio::test]
async fn a_digest_is_linked_with_what_it_collects() {
    let (collector, address) = Collector::start().await;
    let rules = "- on: alarm\n  template: alarms\n  groups: [Ops]\n  collect: 2s by group\n  context: {where: event.data.where}\n";
    let stage = Stage::builder()
        .person("ann", "15550100001", &["Ops"])
        .open_windows()
        .rules(&[("alarms/routes.yaml", rules), ("alarms/templates/alarms.j2", ALARMS)])
        .settings(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}")),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret%20of%20ours"),
            ("OTEL_SERVICE_NAME", "our-switch"),
        ])
        .start()
        .await;
    for place in ["Hall", "Yard"] {
        stage.host.accept(&json!({"type": "alarm", "data": {"where": place}})).await;
    }
    let digest = collector.span("route hookswitch.digest").await;
    let routed = collector.spans().into_iter().filter(|span| span["name"] == "route alarm");
    let links: Vec<Value> =
        routed.map(|span| json!({"traceId": span["traceId"], "spanId": span["spanId"]})).collect();
    assert_eq!((digest["links"].as_array(), links.len()), (Some(&links), 2), "{digest}");
}

const ALARMS: &str = "---\ndescription: Alarms\ncategory: utility\nlanguage: en_US\n---\n{{ count }} alarms: {% for item in items %}{{ item.where }} {% endfor %}now\n";
