//! The whole HTTP API under one roof, with its description in OpenAPI 3.1 at `/openapi.json`.

mod plugins;

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
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::plugins::Plugins;
use crate::{
    directory::{self, Directory},
    intake::{self, Intake},
    receipts::{self, Receipts},
};

/// The API's description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookswitch",
        description = "Events in, WhatsApp messages out. Errors are problem+json (RFC 9457) with a stable `code`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    modifiers(&Key),
    tags(
        (name = "events", description = "Post events, and see what came of them. Scopes: `events`, `read`."),
        (name = "people", description = "The staff, and their WhatsApp numbers. Scope: `admin`."),
        (name = "groups", description = "Who belongs together. Scope: `admin`."),
        (name = "contacts", description = "WhatsApp users who wrote or were written to. Scope: `admin`."),
        (name = "plugins", description = "What plugins have used. Scope: `admin`."),
        (name = "health", description = "For supervisors; without a key."),
    ),
)]
struct Description;

/// `hookswitch keys create` makes keys.
struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut Document) {
        let key = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("key", key);
    }
}

/// The API's description, of this version.
pub fn document() -> Document {
    let mut document = Description::openapi();
    document.merge(intake::routes().into_openapi());
    document.merge(directory::routes().into_openapi());
    document.merge(of_plugins().into_openapi());
    document
}

fn of_plugins() -> OpenApiRouter<Plugins> {
    OpenApiRouter::new().routes(routes!(plugins::list))
}

/// The description in JSON, with its ETag. It is the same for the life of the process.
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

/// All that this service answers.
pub fn router(intake: Intake, directory: Directory, receipts: Receipts, live: Arc<Live>) -> Router {
    let (keys, bodies) = (intake.keys(), intake.bodies());
    let plugins = Plugins { live, keys: keys.clone() };
    intake::router(intake)
        .merge(directory::router(directory, keys, bodies.clone()))
        .merge(Router::from(of_plugins().with_state(plugins)))
        .merge(receipts::router(receipts, bodies))
        .route("/openapi.json", get(description))
}
