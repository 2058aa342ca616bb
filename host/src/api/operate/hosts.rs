//! `GET /v1/hosts`: the hosts that share the database.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::Office;
use crate::{
    http::{Problem, Reader},
    operate::HostState,
};

/// The hosts.
#[derive(Serialize, ToSchema)]
pub struct HostList {
    /// The hosts, the oldest first.
    data: Vec<HostState>,
}

/// List the hosts that share the database.
#[utoipa::path(get, path = "/v1/hosts", operation_id = "listHosts", tag = "set-up", security(("key" = [])),
    responses((status = 200, description = "The hosts", body = HostList)))]
pub async fn list(_: Reader, State(office): State<Office>) -> Result<Json<HostList>, Problem> {
    Ok(Json(HostList { data: office.operate.hosts().await? }))
}
