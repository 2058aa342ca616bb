//! The whole HTTP API, and its description in OpenAPI 3.1 at `/openapi.json`.

mod operate;
mod refusals;
mod setup;

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hookswitch_core::catalog::Live;
use sha2::{Digest, Sha256};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use self::{operate::Office, setup::Host};
use crate::{
    directory::{self, Directory},
    http::{Bodies, Keys, Problem},
    intake::{self, Intake},
    operate::{Operate, Setup},
    receipts::{self, Receipts},
};

/// The API's description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookswitch",
        description = "Events in, WhatsApp messages out.\n\n\
            Errors are `application/problem+json` (RFC 9457) with a stable `code`. 400: the request is wrong by itself. \
            404: the path or the query names something that does not exist. 422: the body names something that does \
            not exist. In 400 and 422, `errors` says where: `at` is a JSON pointer into the body, the name of a \
            header, or `line N` of a CSV file.",
        license(name = "MIT", identifier = "MIT"),
    ),
    modifiers(&Key),
    components(schemas(Problem)),
    tags(
        (name = "events", description = "Post events, read their history, route them again. Scopes: `events`, `read` and `operate`."),
        (name = "messages", description = "List messages and act on them, get files that people sent. Scopes: `read`, with `personal` for numbers and \
            texts, and `operate`; `admin` for what operators did."),
        (name = "switches", description = "What is stopped at once on all hosts: rules, templates, groups, people, plugins, \
            sending numbers, all sending. Scopes: `read` and `operate`."),
        (name = "people", description = "Members of staff and their WhatsApp numbers. Scope: `admin`."),
        (name = "groups", description = "Groups of people that rules can notify. Scope: `admin`."),
        (name = "contacts", description = "WhatsApp users and their opt-outs. Scope: `admin`."),
        (name = "set-up", description = "The check of the whole set-up, rules, schedules, hosts and sending numbers. Scopes: \
            `read`, and `admin` to fix something."),
        (name = "releases", description = "Releases of rules and plugins: compared, activated, taken back. Scopes: `read`, and \
            `admin` for files and to activate."),
        (name = "templates", description = "Our templates beside those at Meta. Scopes: `read`, and `admin` to push."),
        (name = "plugins", description = "Plugins, what they have used, and events that are parked for them. Scopes: `admin`, \
            and `read` for parked events."),
        (name = "keys", description = "API keys. Scope: `admin`."),
        (name = "health", description = "Health checks for supervisors. No key needed."),
    ),
)]
struct Description;

/// Describes API keys.
struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut Document) {
        let key = SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API key: `Authorization: Bearer hsk_…`"))
                .build(),
        );
        document.components.get_or_insert_default().add_security_scheme("key", key);
    }
}

/// The description of the API in this version.
pub fn document() -> Document {
    let mut document = Description::openapi();
    document.merge(intake::routes().into_openapi());
    document.merge(directory::routes().into_openapi());
    document.merge(operate::routes().into_openapi());
    document.merge(setup::routes().into_openapi());
    refusals::declare(&mut document);
    intake::name_members(&mut document);
    document
}

/// The description in JSON and its ETag, both constant for the life of the process.
static DESCRIPTION: LazyLock<(Bytes, String)> = LazyLock::new(|| {
    let json = document().to_json().unwrap_or_default();
    let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&json)[..16]));
    (json.into(), etag)
});

async fn description(headers: HeaderMap) -> Response {
    let (json, etag) = &*DESCRIPTION;
    let etag = (header::ETAG, etag.as_str());
    let known =
        headers.get_all(header::IF_NONE_MATCH).iter().any(|value| value.as_bytes() == etag.1.as_bytes());
    if known {
        return (StatusCode::NOT_MODIFIED, [etag]).into_response();
    }
    ([(header::CONTENT_TYPE, "application/json"), etag], json.clone()).into_response()
}

/// The router of what operators list and do, the history of events among it.
pub fn office(operate: Operate, keys: &Keys, bodies: &Bodies) -> Router {
    let office = Office { operate, keys: keys.clone(), bodies: bodies.clone() };
    Router::from(operate::routes().with_state(office))
}

/// The router of all endpoints.
pub fn router(
    intake: Intake,
    directory: Directory,
    receipts: Receipts,
    live: Arc<Live>,
    setup: Arc<Setup>,
) -> Router {
    let (keys, bodies) = (intake.keys(), intake.bodies());
    let office = office(setup.operate().clone(), &keys, &bodies);
    let host = Host { setup, keys: keys.clone(), bodies: bodies.clone() };
    intake::router(intake)
        .merge(office)
        .merge(directory::router(directory, live, keys, bodies.clone()))
        .merge(Router::from(setup::routes().with_state(host)))
        .merge(receipts::router(receipts, bodies))
        .route("/openapi.json", get(description))
}
