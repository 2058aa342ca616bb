//! `GET /v1/schedules`: when schedules fire, and the result of the last time.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::Host;
use crate::{
    http::{Problem, Reader},
    operate::ScheduleState,
};

/// The schedules of the live rules.
#[derive(Serialize, ToSchema)]
pub struct ScheduleList {
    /// The schedules, in the order of the files.
    data: Vec<ScheduleState>,
}

/// List the schedules of the live rules: when they fire, and the result of the last time.
#[utoipa::path(get, path = "/v1/schedules", operation_id = "listSchedules", tag = "set-up", security(("key" = [])),
    responses((status = 200, description = "The schedules", body = ScheduleList)))]
pub async fn list(_: Reader, State(host): State<Host>) -> Result<Json<ScheduleList>, Problem> {
    Ok(Json(ScheduleList { data: host.setup.schedules().await? }))
}
