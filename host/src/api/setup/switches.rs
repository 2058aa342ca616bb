//! `/v1/switches`: what is stopped, stopping and resuming.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};
use hookswitch_core::domain::{SwitchKind, SwitchName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Host;
use crate::{
    http::{Acting, JsonBody, Problem, Reader, Scope, from_path, invalid, query, sentence},
    operate::{Operator, Switch, SwitchError},
};

/// What is stopped.
#[derive(Serialize, ToSchema)]
pub struct SwitchList {
    /// An entry for everything that is stopped or being resumed, by kind and name.
    data: Vec<Switch>,
}

/// List what is stopped: rules, templates, groups, people, plugins, sending numbers, all sending.
#[utoipa::path(get, path = "/v1/switches", operation_id = "listSwitches", tag = "switches", security(("key" = [])),
    responses((status = 200, description = "What is stopped", body = SwitchList)))]
pub async fn list(Reader(caller): Reader, State(host): State<Host>) -> Result<Json<SwitchList>, Problem> {
    let mut data = host.setup.operate().switches().await?;
    if !caller.may(Scope::Personal) {
        data = data.into_iter().map(Switch::without_personal).collect();
    }
    Ok(Json(SwitchList { data }))
}

/// What becomes of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStop {
    /// They wait until it is resumed, or until they expire.
    #[default]
    Held,
    /// They are never sent, those that are held already among them.
    Dropped,
}

/// How to stop something.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"messages": "held", "reason": "a typo in the link"})))]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// What becomes of messages.
    #[serde(default)]
    messages: OnStop,
    /// Why, for the record and for the history of each message: 1 to 200 characters.
    reason: String,
}

/// Stop something at once on all hosts, or change what becomes of its messages.
///
/// After the response no host begins to send a message that it covers. What is being sent at that moment goes out.
#[utoipa::path(put, path = "/v1/switches/{kind}/{name}", operation_id = "stopSwitch", tag = "switches",
    request_body = StopRequest, security(("key" = [])),
    params(
        ("kind" = SwitchKind, Path, description = "What to stop"),
        ("name" = String, Path, description = "Its name: a rule by its file, or file:line; a person by username or number; `all` for all sending"),
    ),
    responses(
        (status = 200, description = "It is stopped", body = Switch),
        (status = 400, description = "The path or the body is invalid"),
        (status = 404, description = "Nothing has this name"),
    ))]
pub async fn stop(
    Acting(caller): Acting,
    State(host): State<Host>,
    path: Result<Path<(String, String)>, PathRejection>,
    JsonBody(StopRequest { messages, reason }): JsonBody<StopRequest>,
) -> Result<Json<Switch>, Problem> {
    let name = name(path)?;
    let by = Operator::by_key(caller.name());
    let stopped = host.setup.stop(&by, &name, messages == OnStop::Dropped, &reason).await;
    stopped.map(Json).map_err(problem)
}

/// The query of resuming.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Maximum number of held messages that are sent per second.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    per_second: Option<i32>,
    /// Why, for the record; at most 200 characters.
    reason: Option<String>,
}

/// Resume something: what was held is sent, the oldest first and at a bounded pace, except what has expired.
///
/// What something else has stopped, too, waits on.
#[utoipa::path(delete, path = "/v1/switches/{kind}/{name}", operation_id = "resumeSwitch", tag = "switches",
    security(("key" = [])),
    params(
        ("kind" = SwitchKind, Path, description = "What to resume"),
        ("name" = String, Path, description = "Its name; `all` for all sending"),
        Pace,
    ),
    responses(
        (status = 200, description = "It is resumed; this was stopped", body = Switch),
        (status = 400, description = "The path or the query is invalid"),
        (status = 404, description = "It is not stopped"),
    ))]
pub async fn resume(
    Acting(caller): Acting,
    State(host): State<Host>,
    path: Result<Path<(String, String)>, PathRejection>,
    pace: Result<Query<Pace>, QueryRejection>,
) -> Result<Json<Switch>, Problem> {
    let (name, Pace { per_second, reason }) = (name(path)?, query(pace)?);
    let by = Operator::by_key(caller.name());
    let resumed = host.setup.resume(&by, &name, per_second, reason.as_deref()).await;
    resumed.map(Json).map_err(problem)
}

fn name(path: Result<Path<(String, String)>, PathRejection>) -> Result<SwitchName, Problem> {
    let (kind, name) = from_path(path)?;
    let kind = kind.parse().map_err(|why| invalid(format!("The kind {kind:?} {why}.")))?;
    Ok(SwitchName { kind, name })
}

fn problem(error: SwitchError) -> Problem {
    let detail = match error.help() {
        Some(help) => sentence(&format!("{error}; {help}")),
        None => sentence(&error.to_string()),
    };
    match error {
        SwitchError::Unknown { .. } => Problem::new(StatusCode::NOT_FOUND, "name_unknown", detail),
        SwitchError::NotStopped { .. } => Problem::new(StatusCode::NOT_FOUND, "not_stopped", detail),
        SwitchError::Ambiguous { .. } | SwitchError::Invalid(_) => invalid(detail),
        SwitchError::Store(error) => error.into(),
    }
}
