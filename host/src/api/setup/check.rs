//! `/v1/check`: whether everything is in place for messages to be sent.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Host;
use crate::{
    check::Report,
    http::{Admin, JsonBody, Problem, Reader, Scope},
    operate::{FixStep, Operator, report_without_personal},
};

/// A check that takes longer goes on meanwhile.
const AGAIN: Duration = Duration::from_secs(5);

/// Check the whole set-up: settings, database, rules, people, templates, the Cloud API, hosts, and what waits or failed.
///
/// The result of a check within the last minute is repeated. Without the scope `personal`, numbers are masked.
#[utoipa::path(get, path = "/v1/check", operation_id = "check", tag = "set-up", security(("key" = [])),
    responses(
        (status = 200, description = "The findings", body = Report),
        (status = 503, description = "The check takes longer than 5 seconds, or the host is busy; try again after \
            `Retry-After` seconds"),
    ))]
pub async fn check(Reader(caller): Reader, State(host): State<Host>) -> Result<Json<Report>, Problem> {
    let report = host.setup.report().await.ok_or_else(|| {
        let detail = "The check takes longer than 5 seconds; send the request again for its result.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "check_in_progress", detail).retry_after(AGAIN)
    })?;
    match caller.may(Scope::Personal) {
        true => Ok(Json((*report).clone())),
        false => Ok(Json(report_without_personal(&report))),
    }
}

/// What to fix.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"submit_templates": true})))]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// Whether to submit the templates that Meta does not have for Meta's review.
    #[serde(default)]
    submit_templates: bool,
}

/// What was fixed.
#[derive(Serialize, ToSchema)]
pub struct Fixed {
    /// The steps with their results; empty if there was nothing to do.
    steps: Vec<FixStep>,
}

/// Fix what is safe to fix: create the groups that rules name and, if asked, submit missing templates to Meta.
#[utoipa::path(post, path = "/v1/check/fix", operation_id = "fix", tag = "set-up", request_body = Fix,
    security(("key" = [])),
    responses(
        (status = 200, description = "The steps with their results", body = Fixed),
        (status = 400, description = "The body is invalid"),
    ))]
pub async fn fix(
    Admin(caller): Admin,
    State(host): State<Host>,
    JsonBody(fix): JsonBody<Fix>,
) -> Json<Fixed> {
    let by = Operator::by_key(caller.name());
    Json(Fixed { steps: host.setup.fix(&by, fix.submit_templates).await })
}
