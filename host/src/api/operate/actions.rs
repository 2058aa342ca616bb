//! `GET /v1/actions`: what operators did.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::Uri,
    response::Response,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Office, page, storable};
use crate::{
    http::{Admin, Problem, last_of_full, page_limit, query},
    store::{Action, ActionFilter},
};

/// The query of a list of actions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only actions since this time.
    since: Option<Timestamp>,
    /// List only actions of this API key or user.
    who: Option<String>,
    /// List only this kind of action, for example `failed.redrive`.
    action: Option<String>,
    /// List only actions before this one: `next` of the previous page.
    before: Option<i64>,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A page of actions, newest first.
#[derive(Serialize, ToSchema)]
pub struct ActionPage {
    /// The actions.
    data: Vec<Action>,
    /// `before` of the next page; null on the last page.
    next: Option<i64>,
}

/// List what operators did, newest first. Actions are kept for a year. Scope: `admin`.
#[utoipa::path(get, path = "/v1/actions", operation_id = "listActions", tag = "messages", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of actions", body = ActionPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    _: Admin,
    State(office): State<Office>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { since, who, action, before, limit } = query(which)?;
    storable([&who, &action])?;
    let limit = page_limit(limit)?;
    let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
    let data = office.operate.actions(&ActionFilter { since, who, action, before, limit }).await?;
    let next = last_of_full(&data, limit).map(|last| last.id);
    let cursor = next.map(|id| id.to_string());
    Ok(page(&uri, "before", cursor.as_deref(), ActionPage { data, next }))
}
