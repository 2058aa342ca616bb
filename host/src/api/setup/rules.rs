//! `GET /v1/rules`: the live rules of a host.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::Uri,
    response::Response,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Host, page};
use crate::{
    http::{Problem, Reader, page_limit, query},
    operate::RuleMap,
};

/// The query of a list of rules.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only rules after this place: `next` of the previous page.
    #[serde(default)]
    after: usize,
    /// Maximum number of rules in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// List the live rules of this host: for which event types which message goes to whom.
///
/// `GET /v1/hosts` lists the release of each host.
#[utoipa::path(get, path = "/v1/rules", operation_id = "listRules", tag = "set-up", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "The release, and a page of its rules", body = RuleMap,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    _: Reader,
    State(host): State<Host>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { after, limit } = query(which)?;
    let limit = usize::try_from(page_limit(limit)?).unwrap_or_default();
    let rules = host.setup.rules(after, limit);
    let cursor = rules.next.map(|next| next.to_string());
    Ok(page(&uri, "after", cursor.as_deref(), rules))
}
