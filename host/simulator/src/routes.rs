//! The Graph API's paths that take and answer JSON, and the download of media.

use std::time::Instant;

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Simulator, accounts, error::GraphError, knobs::MANAGEMENT, media, profile, templates,
    templates::Query as Parameters, webhook::Update,
};

/// A request.
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The segments of its path, without the version.
    pub path: &'a [&'a str],
    /// Its query.
    pub query: &'a Parameters,
    /// Its body.
    pub body: &'a [u8],
    /// The address of this host, without a path.
    pub base: &'a str,
    /// The path with the version.
    pub full_path: &'a str,
}

/// Answers a request of an authorized caller.
///
/// # Errors
/// Graph's error.
pub fn route(simulator: &Simulator, request: &Request<'_>) -> Result<Response, GraphError> {
    let Some((id, rest)) = request.path.split_first() else { return Err(no_path(&[])) };
    let settings = simulator.settings();
    let answer = match (request.method.as_str(), *id, rest) {
        ("GET", "whatsapp_business", ["attachments"]) => return media::download(simulator, request.query),
        ("GET", "me", []) => accounts::me(settings, request.fields()),
        ("GET", "debug_token", []) => accounts::debug_token(simulator),
        ("POST", accounts::APP_ID, ["uploads"]) => media::resumable::open(request.query)?,
        (_, id, rest) if settings.number(id).is_some() => number(simulator, request, id, rest)?,
        (_, id, rest) if id == settings.waba_id => account(simulator, request, rest)?,
        (_, id, rest) => object(simulator, request, id, rest)?,
    };
    Ok(Json(answer).into_response())
}

/// A phone number, and what hangs from it; messages and uploads are taken before.
fn number(
    simulator: &Simulator,
    request: &Request<'_>,
    id: &str,
    rest: &[&str],
) -> Result<Value, GraphError> {
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(accounts::phone_number(simulator, id, request.fields())),
        ("GET", ["whatsapp_business_profile"]) => profile::get(simulator, id, request.fields()),
        ("POST", ["whatsapp_business_profile"]) => profile::set(simulator, id, &request.json()?),
        (_, [] | ["messages" | "media" | "whatsapp_business_profile"]) => {
            Err(GraphError::no_object(request.method.as_str(), id))
        }
        _ => Err(no_path(rest)),
    }
}

/// The business account, and what hangs from it.
fn account(simulator: &Simulator, request: &Request<'_>, rest: &[&str]) -> Result<Value, GraphError> {
    let settings = simulator.settings();
    if !simulator.state().knobs.token_permissions.iter().any(|permission| permission == MANAGEMENT) {
        return Err(GraphError::new(200, format!("Requires {MANAGEMENT} permission to manage the object")));
    }
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(accounts::account(settings, request.fields())),
        ("GET", ["phone_numbers"]) => {
            let more = settings.more_numbers.iter().map(|(id, _)| id);
            let ids = [&settings.phone_number_id].into_iter().chain(more);
            let numbers = ids.map(|id| accounts::phone_number(simulator, id, request.fields()));
            Ok(json!({"data": numbers.collect::<Vec<_>>()}))
        }
        (_, ["subscribed_apps"]) => accounts::subscribed_apps(simulator, request.method, request.body),
        (_, ["message_templates"]) => message_templates(simulator, request),
        (_, [] | ["phone_numbers"]) => Err(GraphError::no_object(request.method.as_str(), &settings.waba_id)),
        _ => Err(no_path(rest)),
    }
}

/// Media or a template, by its id.
fn object(
    simulator: &Simulator,
    request: &Request<'_>,
    id: &str,
    rest: &[&str],
) -> Result<Value, GraphError> {
    let missing = || GraphError::no_object(request.method.as_str(), id);
    let Request { query, .. } = request;
    match (request.method.as_str(), rest) {
        ("GET", []) => match media::get(simulator, id, query, request.base) {
            Some(media) => Ok(media),
            None => templates::get(&simulator.state().templates, id, query).ok_or_else(missing)?,
        },
        ("DELETE", []) => media::delete(simulator, id, query),
        ("POST", []) => {
            let body = request.json()?;
            let mut state = simulator.state();
            let review = state.knobs.template_review_ms;
            let edited =
                templates::edit(&mut state.templates, id, &body, review, (Instant::now(), Timestamp::now()));
            drop(state);
            simulator.wake();
            edited.ok_or_else(missing)?
        }
        ("POST", ["unpause"]) => {
            let mut state = simulator.state();
            let (answer, event) = templates::unpause(&mut state.templates, id).ok_or_else(missing)?;
            if let Some(event) = event {
                state.tell(Update::Template(event), Instant::now());
            }
            drop(state);
            simulator.wake();
            Ok(answer)
        }
        (_, []) => Err(missing()),
        // What is asked of a number or an account that is not there.
        (_, [edge]) if EDGES.contains(edge) => Err(missing()),
        _ => Err(no_path(rest)),
    }
}

/// What hangs from numbers and accounts.
const EDGES: &[&str] = &[
    "media",
    "message_templates",
    "messages",
    "phone_numbers",
    "subscribed_apps",
    "whatsapp_business_profile",
];

fn message_templates(simulator: &Simulator, request: &Request<'_>) -> Result<Value, GraphError> {
    let now = (Instant::now(), Timestamp::now());
    let mut state = simulator.state();
    match *request.method {
        Method::GET => {
            let here = format!("{}{}", request.base, request.full_path);
            templates::list(&state.templates, request.query, &here)
        }
        Method::DELETE => templates::delete(&mut state.templates, request.query, now.1),
        Method::POST => {
            let body = request.json()?;
            let review = state.knobs.template_review_ms;
            let created = templates::create(&mut state.templates, &body, review, now)?;
            drop(state);
            simulator.wake();
            Ok(created)
        }
        _ => Err(GraphError::no_object(request.method.as_str(), &simulator.settings().waba_id)),
    }
}

impl Request<'_> {
    fn fields(&self) -> Option<&str> {
        self.query.get("fields").map(String::as_str)
    }

    fn json(&self) -> Result<Value, GraphError> {
        serde_json::from_slice(self.body)
            .map_err(|e| GraphError::parameter(format!("Invalid parameter: the body is not JSON: {e}")))
    }
}

/// 2500: Meta may have this path, the simulator does not.
fn no_path(rest: &[&str]) -> GraphError {
    let path = rest.join("/");
    let text = format!("The simulator does not have /{path}. Meta's API may have it.");
    GraphError {
        code: 2500,
        message: format!("Unknown path components: /{path}"),
        user: Some(Box::new(("Not in the simulator".into(), text))),
        ..GraphError::parameter("")
    }
}
