//! The Graph API's paths: with or without a version, behind a bearer token.

use std::time::Duration;

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Query, Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use subtle::ConstantTimeEq as _;

use super::{
    Simulator,
    error::GraphError,
    media::{self, LARGEST, resumable},
    routes::{Request, route},
    send::{Answer, send},
    templates::Query as Parameters,
};

/// The largest body that is read, but for uploads.
const BODY: usize = 1024 * 1024;
/// The version that is answered where the caller names none.
const VERSION: &str = "v25.0";

/// Answers any path of the Graph API.
pub async fn handle(State(simulator): State<Simulator>, request: HttpRequest) -> Response {
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
        Ok(()) => match (&parts.method, path.as_slice()) {
            (&Method::POST, [id, "media"]) if simulator.settings().number(id).is_some() => {
                let uploaded = media::upload(&simulator, id, &parts.headers, &query, body).await;
                uploaded.map_or_else(GraphError::into_response, |id| Json(id).into_response())
            }
            (&Method::POST, [session]) if session.starts_with(resumable::SESSION) => {
                let taken = match to_bytes(body, LARGEST).await {
                    Ok(content) => resumable::take(session, &content),
                    Err(_) => Err(GraphError::parameter("Invalid parameter: the file is too large.")),
                };
                taken.map_or_else(GraphError::into_response, |handle| Json(handle).into_response())
            }
            (method, path) => match to_bytes(body, BODY).await {
                Err(_) => GraphError::parameter("Invalid parameter: the body is too large or was cut off.")
                    .into_response(),
                Ok(body) if method == Method::POST && is_send(&simulator, path) => {
                    answer_send(&simulator, path[0], &body).await
                }
                Ok(body) => {
                    let request = Request {
                        method,
                        path,
                        query: &query,
                        body: &body,
                        base: &base(&parts.headers),
                        full_path: parts.uri.path(),
                    };
                    route(&simulator, &request).unwrap_or_else(GraphError::into_response)
                }
            },
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
        // Meta documents `OAuth` for resumable uploads.
        let is_known = ["bearer", "oauth"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        is_known.then_some(token.trim())
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

/// The address of this host, for links.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}

fn with_headers(simulator: &Simulator, version: &str, mut answer: Response<Body>) -> Response {
    let headers = answer.headers_mut();
    if let Ok(version) = HeaderValue::from_str(version) {
        headers.insert("facebook-api-version", version);
    }
    headers.insert("x-business-use-case-usage", simulator.usage_header());
    answer
}
