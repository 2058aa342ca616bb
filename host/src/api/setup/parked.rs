//! `GET /v1/parked` and `POST /v1/plugins/{id}/resume`: events that were parked when a plugin failed.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Host;
use crate::{
    http::{Admin, JsonBody, Problem, Reader, from_path, invalid},
    operate::{Operator, ParkedEvents},
};

/// The events that are parked.
#[derive(Serialize, ToSchema)]
pub struct ParkedList {
    /// An entry for each plugin for which events are parked, by id.
    data: Vec<ParkedEvents>,
}

/// List how many events are parked because a plugin failed, by plugin.
#[utoipa::path(get, path = "/v1/parked", operation_id = "listParked", tag = "plugins", security(("key" = [])),
    responses((status = 200, description = "The events that are parked", body = ParkedList)))]
pub async fn list(_: Reader, State(host): State<Host>) -> Result<Json<ParkedList>, Problem> {
    Ok(Json(ParkedList { data: host.setup.operate().parked().await? }))
}

/// How to resume a plugin: nothing can be chosen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resume {}

/// A plugin that was resumed.
#[derive(Serialize, ToSchema)]
pub struct Resumed {
    /// Number of events that are run again.
    events: u64,
}

/// Run the parked events of a plugin again.
#[utoipa::path(post, path = "/v1/plugins/{id}/resume", operation_id = "resumePlugin", tag = "plugins",
    request_body = Resume, security(("key" = [])),
    params(("id" = String, Path, description = "The plugin's id")),
    responses(
        (status = 200, description = "The number of events that are run again", body = Resumed),
        (status = 400, description = "The path or the body is invalid"),
        (status = 404, description = "No plugin has this id, and no events are parked for it"),
    ))]
pub async fn resume(
    Admin(caller): Admin,
    State(host): State<Host>,
    id: Result<Path<String>, PathRejection>,
    JsonBody(Resume {}): JsonBody<Resume>,
) -> Result<Json<Resumed>, Problem> {
    let id = from_path(id)?;
    if id.contains('\0') {
        return Err(invalid("An id must not contain the character U+0000."));
    }
    let events = host.setup.operate().resume_plugin(&Operator::by_key(caller.name()), &id).await?;
    if events == 0 && !host.setup.live().in_force().all().any(|catalog| catalog.plugins.contains_key(&id)) {
        let detail = format!("No plugin has the id {id:?}, and no events are parked for it.");
        return Err(Problem::new(StatusCode::NOT_FOUND, "plugin_unknown", detail));
    }
    Ok(Json(Resumed { events }))
}
