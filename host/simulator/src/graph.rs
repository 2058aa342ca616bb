//! The Graph API's paths: with or without a version, behind a bearer token.

use std::time::{Duration, Instant};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::{
    Simulator, accounts,
    error::GraphError,
    send::{Answer, send},
    templates,
    templates::Query as Parameters,
    webhook::Update,
};

/// The largest body that is read.
const BODY: usize = 1024 * 1024;
/// The version that is answered where the caller names none.
const VERSION: &str = "v25.0";

/// Answers any path of the Graph API.
pub async fn handle(State(simulator): State<Simulator>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut path: Vec<&str> = parts.uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let mut version = VERSION;
    if path.first().is_some_and(|segment| is_version(segment)) {
        version = path.remove(0);
    }
    let Ok(Query(query)) = Query::<Parameters>::try_from_uri(&parts.uri) else {
        return GraphError::parameter("Invalid parameter: the query cannot be read.").into_response();
    };
    let answer = match authorize(&simulator, &parts.headers, &query) {
        Err(error) => error.into_response(),
        Ok(()) => match to_bytes(body, BODY).await {
            Err(_) => GraphError::parameter("Invalid parameter: the body is too large or was cut off.")
                .into_response(),
            Ok(body) if parts.method == Method::POST && is_send(&simulator, &path) => {
                answer_send(&simulator, path[0], &body).await
            }
            Ok(body) => {
                let here = here(&parts.headers, parts.uri.path());
                route(&simulator, &parts.method, &path, &query, &body, &here)
                    .unwrap_or_else(|error| error.into_response())
            }
        },
    };
    with_headers(&simulator, version, answer)
}

fn is_version(segment: &str) -> bool {
    let number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    segment
        .strip_prefix('v')
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| number(major) && number(minor))
}

fn is_send(simulator: &Simulator, path: &[&str]) -> bool {
    matches!(path, [id, "messages"] if simulator.settings().number(id).is_some())
}

fn authorize(simulator: &Simulator, headers: &HeaderMap, query: &Parameters) -> Result<(), GraphError> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let token = bearer.or(query.get("access_token").map(String::as_str));
    match token {
        None => Err(GraphError::token("An access token is required to request this resource.")),
        Some(token) if token.as_bytes().ct_eq(simulator.settings().access_token.as_bytes()).into() => Ok(()),
        Some(_) => Err(GraphError::token("Invalid OAuth access token - Cannot parse access token")),
    }
}

async fn answer_send(simulator: &Simulator, phone_number_id: &str, body: &[u8]) -> Response {
    let latency = simulator.state().knobs.latency_ms;
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    match send(simulator, phone_number_id, body) {
        Answer::Taken(answer) => Json(answer).into_response(),
        Answer::Refused(error) => error.into_response(),
        Answer::Broken(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, Html("<html><body>Sorry, something went wrong.</body></html>")).into_response()
        }
        // The caller gives up, which drops this.
        Answer::Lost => std::future::pending().await,
    }
}

/// This request's own address, for `paging.next`.
fn here(headers: &HeaderMap, path: &str) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}{path}")
}

fn route(
    simulator: &Simulator,
    method: &Method,
    path: &[&str],
    query: &Parameters,
    body: &[u8],
    here: &str,
) -> Result<Response, GraphError> {
    let settings = simulator.settings();
    let fields = query.get("fields").map(String::as_str);
    let (id, rest) = path.split_first().ok_or_else(|| no_path(""))?;
    let answer = match (method.as_str(), *id, rest) {
        ("GET", "me", []) => accounts::me(settings, fields),
        ("GET", "debug_token", []) => accounts::debug_token(settings),
        ("GET", id, []) if settings.number(id).is_some() => accounts::phone_number(simulator, id, fields),
        ("GET", id, []) if id == settings.waba_id => accounts::account(settings, fields),
        ("GET", id, ["phone_numbers"]) if id == settings.waba_id => {
            let more = settings.more_numbers.iter().map(|(id, _)| id);
            let ids = [&settings.phone_number_id].into_iter().chain(more);
            json!({"data": ids.map(|id| accounts::phone_number(simulator, id, fields)).collect::<Vec<_>>()})
        }
        (_, id, ["subscribed_apps"]) if id == settings.waba_id => {
            accounts::subscribed_apps(simulator, method, body)?
        }
        (_, id, ["message_templates"]) if id == settings.waba_id => {
            message_templates(simulator, method, query, body, here)?
        }
        ("GET", id, []) => {
            let state = simulator.state();
            templates::get(&state.templates, id, query).ok_or_else(|| GraphError::no_object("GET", id))?
        }
        ("POST", id, []) => {
            let body = json_body(body)?;
            let mut state = simulator.state();
            let review = state.knobs.template_review_ms;
            let edited =
                templates::edit(&mut state.templates, id, &body, review, (Instant::now(), Timestamp::now()));
            drop(state);
            simulator.wake();
            edited.ok_or_else(|| GraphError::no_object("POST", id))??
        }
        ("POST", id, ["unpause"]) => {
            let mut state = simulator.state();
            let (answer, event) = templates::unpause(&mut state.templates, id)
                .ok_or_else(|| GraphError::no_object("POST", id))?;
            if let Some(event) = event {
                state.tell(Update::Template(event), Instant::now());
            }
            drop(state);
            simulator.wake();
            answer
        }
        (_, id, [] | ["messages" | "message_templates" | "phone_numbers" | "subscribed_apps"]) => {
            return Err(GraphError::no_object(method.as_str(), id));
        }
        _ => return Err(no_path(&path.join("/"))),
    };
    Ok(Json(answer).into_response())
}

fn message_templates(
    simulator: &Simulator,
    method: &Method,
    query: &Parameters,
    body: &[u8],
    here: &str,
) -> Result<Value, GraphError> {
    let now = (Instant::now(), Timestamp::now());
    let mut state = simulator.state();
    match *method {
        Method::GET => Ok(templates::list(&state.templates, query, here)),
        Method::DELETE => templates::delete(&mut state.templates, query, now.1),
        Method::POST => {
            let body = json_body(body)?;
            let review = state.knobs.template_review_ms;
            let created = templates::create(&mut state.templates, &body, review, now)?;
            drop(state);
            simulator.wake();
            Ok(created)
        }
        _ => Err(GraphError::no_object(method.as_str(), &simulator.settings().waba_id)),
    }
}

fn json_body(body: &[u8]) -> Result<Value, GraphError> {
    serde_json::from_slice(body)
        .map_err(|e| GraphError::parameter(format!("Invalid parameter: the body is not JSON: {e}")))
}

fn no_path(path: &str) -> GraphError {
    GraphError {
        code: 2500,
        message: format!("Unknown path components: /{path}"),
        ..GraphError::parameter("")
    }
}

fn with_headers(simulator: &Simulator, version: &str, mut answer: Response<Body>) -> Response {
    let headers = answer.headers_mut();
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.insert("facebook-api-version", version);
    }
    headers.insert("x-business-use-case-usage", simulator.usage_header());
    answer
}
