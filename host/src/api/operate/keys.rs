//! `/v1/keys`: API keys.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Office, page};
use crate::{
    http::{
        Admin, Errors, Grant, JsonBody, Problem, ProblemError, Scope, from_path, last_of_full, page_limit,
        query,
    },
    operate::{KeyReport, Operator, check_key_name, check_key_source},
    store::StoreError,
};

/// Maximum number of sources of a key.
const SOURCES: usize = 100;
/// Maximum of a limit, in requests per second.
const FASTEST: u32 = 100_000;

/// The query of a list of keys.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only keys whose names sort after this one: `next` of the previous page.
    #[serde(default)]
    after: String,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A page of API keys, by name.
#[derive(Serialize, ToSchema)]
pub struct KeyPage {
    /// The keys, without the keys themselves.
    data: Vec<KeyReport>,
    /// `after` of the next page; null on the last page.
    next: Option<String>,
}

/// List API keys, by name; revoked ones are among them.
#[utoipa::path(get, path = "/v1/keys", operation_id = "listKeys", tag = "keys", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of keys", body = KeyPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    _: Admin,
    State(office): State<Office>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { after, limit } = query(which)?;
    let limit = page_limit(limit)?;
    let mut data = office.operate.keys().await?;
    data.sort_by(|one, other| one.name.cmp(&other.name));
    data.retain(|key| key.name > after);
    data.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = last_of_full(&data, limit).map(|key| key.name.clone());
    // The characters of a name need no encoding.
    let cursor = next.clone();
    Ok(page(&uri, "after", cursor.as_deref(), KeyPage { data, next }))
}

/// A key to create.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"name": "shop", "scopes": ["events"], "sources": ["/shop"], "rate": 50})))]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The name: 1 to 64 letters, digits, or `-` `.` `_` `~`. Events without a source get `/keys/NAME`.
    name: String,
    /// What the key may be used for: `events`, `read`, `personal`, `operate`, `admin`.
    scopes: Vec<String>,
    /// The sources that its events must have or be below, at most 100; the first is the default source.
    #[serde(default)]
    sources: Vec<String>,
    /// Maximum requests per second, per host; they are not limited by default.
    #[schema(minimum = 1, maximum = 100000)]
    rate: Option<u32>,
}

impl NewKey {
    fn grant(self) -> Result<Grant, Problem> {
        let NewKey { name, scopes, sources, rate } = self;
        let mut errors = Errors::default();
        let mut wrong = |at: String, detail: String| errors.push(ProblemError { at, detail });
        if let Err(why) = check_key_name(&name) {
            wrong("/name".to_owned(), why);
        }
        if scopes.is_empty() || scopes.len() > 5 {
            wrong("/scopes".to_owned(), "must name 1 to 5 scopes".to_owned());
        }
        let mut parsed: Vec<Scope> = Vec::new();
        for (n, scope) in scopes.iter().enumerate().take(5) {
            match scope.parse() {
                Ok(scope) => parsed.push(scope),
                Err(why) => wrong(format!("/scopes/{n}"), why),
            }
        }
        if sources.len() > SOURCES {
            wrong("/sources".to_owned(), format!("must have at most {SOURCES} sources"));
        }
        for (n, source) in sources.iter().enumerate().take(SOURCES) {
            if let Err(why) = check_key_source(source) {
                wrong(format!("/sources/{n}"), why);
            }
        }
        if rate.is_some_and(|rate| !(1..=FASTEST).contains(&rate)) {
            wrong("/rate".to_owned(), format!("must be from 1 to {FASTEST}"));
        }
        match errors.listed().first() {
            None => Ok(Grant { name, scopes: parsed, sources, rate }),
            Some(first) => {
                let detail = format!("The body is invalid: {}: {}.", first.at, first.detail);
                Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_value", detail).with_errors(errors))
            }
        }
    }
}

/// A new key.
#[derive(Serialize, ToSchema)]
pub struct CreatedKey {
    /// The name.
    name: String,
    /// The key, to be sent as `Authorization: Bearer hsk_…`. It is shown only here; only a hash is stored.
    key: String,
}

/// Create an API key. It can be given only scopes and sources that the key of the request has.
#[utoipa::path(post, path = "/v1/keys", operation_id = "createKey", tag = "keys", request_body = NewKey,
    security(("key" = [])),
    responses(
        (status = 201, description = "The new key, which is shown only here", body = CreatedKey),
        (status = 400, description = "The body is invalid"),
        (status = 403, description = "The API key lacks the scope `admin`, or a scope or a source that it would give"),
        (status = 409, description = "An active key has this name"),
    ))]
pub async fn create(
    Admin(caller): Admin,
    State(office): State<Office>,
    JsonBody(new): JsonBody<NewKey>,
) -> Result<Response, Problem> {
    let grant = new.grant()?;
    if !caller.may_grant(&grant) {
        let detail =
            format!("The key {:?} lacks a scope or a source that the new key would have.", caller.name());
        return Err(Problem::new(StatusCode::FORBIDDEN, "grant_refused", detail));
    }
    match office.operate.create_key(&Operator::by_key(caller.name()), &grant).await {
        Ok(key) => {
            let created = CreatedKey { name: grant.name, key };
            Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(created)).into_response())
        }
        Err(StoreError::Conflict(_)) => {
            let detail = format!("An active key named {} exists.", grant.name);
            Err(Problem::new(StatusCode::CONFLICT, "key_exists", detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// Revoke an API key. Running hosts refuse it within 5 seconds.
#[utoipa::path(delete, path = "/v1/keys/{name}", operation_id = "revokeKey", tag = "keys", security(("key" = [])),
    params(("name" = String, Path, description = "The name of the key")),
    responses(
        (status = 204, description = "The key is revoked"),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No active key has this name"),
    ))]
pub async fn revoke(
    Admin(caller): Admin,
    State(office): State<Office>,
    name: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let name = from_path(name)?;
    let is_known = check_key_name(&name).is_ok()
        && office.operate.revoke_key(&Operator::by_key(caller.name()), &name).await?;
    if !is_known {
        let detail = format!("No active key is named {name:?}.");
        return Err(Problem::new(StatusCode::NOT_FOUND, "key_unknown", detail));
    }
    Ok(StatusCode::NO_CONTENT)
}
