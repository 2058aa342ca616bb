//! The simulator's own control API, under `/_simulator`. No token: it is a tool for tests, on loopback.

use axum::{
    Json, Router,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Knobs, ReceivedMessage, Simulator,
    inbound::InboundMessage,
    panel,
    stats::Stats,
    templates::{self, TemplateStatus},
    webhook::Update,
};

/// Messages on a page, where the caller does not say.
const PAGE: usize = 1_000;

/// Its paths.
pub fn router() -> Router<Simulator> {
    Router::new()
        .route(panel::PATH, get(panel::show).post(panel::act))
        .route("/_simulator/messages", get(messages).delete(clear))
        .route("/_simulator/stats", get(stats))
        .route("/_simulator/inbound", post(inbound))
        .route("/_simulator/knobs", get(knobs).post(set_knobs))
        .route("/_simulator/templates", get(list_templates).post(set_template))
        .route("/_simulator/{*unknown}", any(unknown))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Filter {
    after: u64,
    to: Option<String>,
    limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Filter { after: 0, to: None, limit: PAGE }
    }
}

/// A page of messages: the next one is asked for with `after` the `last`.
#[derive(Serialize)]
struct Page {
    data: Vec<ReceivedMessage>,
    last: u64,
}

async fn messages(
    State(simulator): State<Simulator>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let Query(filter) = match filter {
        Ok(filter) => filter,
        Err(error) => return refuse(&format!("read the query: {}", error.body_text())),
    };
    let to = filter.to.as_deref().map(|to| to.trim_start_matches('+'));
    let data: Vec<ReceivedMessage> = simulator
        .state()
        .messages(filter.after)
        .filter(|message| to.is_none_or(|to| message.to == to))
        .take(filter.limit)
        .collect();
    let last = data.last().map_or(filter.after, |message| message.seq);
    Json(Page { data, last }).into_response()
}

async fn clear(State(simulator): State<Simulator>) -> Json<Value> {
    simulator.state().clear_messages();
    Json(json!({"success": true}))
}

async fn stats(State(simulator): State<Simulator>) -> Json<Stats> {
    Json(simulator.stats())
}

async fn inbound(
    State(simulator): State<Simulator>,
    body: Result<Json<InboundMessage>, JsonRejection>,
) -> Response {
    answer(read(body).and_then(|message| simulator.receive(message)).map(|wamid| json!({"id": wamid})))
}

async fn knobs(State(simulator): State<Simulator>) -> Json<Knobs> {
    Json(simulator.state().knobs.clone())
}

async fn set_knobs(State(simulator): State<Simulator>, body: Result<Json<Value>, JsonRejection>) -> Response {
    let changed = read(body).and_then(|changes| {
        let mut state = simulator.state();
        state.knobs = state.knobs.with(&changes)?;
        serde_json::to_value(&state.knobs).map_err(|e| format!("write the knobs: {e}"))
    });
    simulator.wake();
    answer(changed)
}

async fn list_templates(State(simulator): State<Simulator>) -> Json<Value> {
    let state = simulator.state();
    let templates: Vec<Value> = state.templates.all().iter().map(templates::Template::value).collect();
    Json(json!({"data": templates}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetTemplate {
    name: String,
    status: TemplateStatus,
}

async fn set_template(
    State(simulator): State<Simulator>,
    body: Result<Json<SetTemplate>, JsonRejection>,
) -> Response {
    let set = read(body).and_then(|SetTemplate { name, status }| {
        let mut state = simulator.state();
        let events = templates::set_status(&mut state.templates, &name, status);
        if events.is_empty() {
            return Err(format!("find the template {name:?}: no such template"));
        }
        for event in events {
            state.tell(Update::Template(event), std::time::Instant::now());
        }
        Ok(json!({"success": true}))
    });
    simulator.wake();
    answer(set)
}

fn read<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, String> {
    body.map(|Json(body)| body).map_err(|e| format!("read the body: {}", e.body_text()))
}

fn answer(result: Result<Value, String>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": format!("failed to {error}")}))).into_response()
}

async fn unknown(uri: Uri) -> Response {
    let paths = "messages, stats, inbound, knobs, templates";
    let error = format!("failed to find {}: there are {paths}", uri.path());
    (StatusCode::NOT_FOUND, Json(json!({"error": error}))).into_response()
}
