//! `GET /v1/numbers`: the sending numbers.

use axum::{Json, extract::State};

use super::Host;
use crate::{
    http::{Problem, Reader},
    operate::Numbers,
};

/// List the sending numbers: what Meta says of them, their pace, and what waits for them.
///
/// Meta is asked at most once a minute.
#[utoipa::path(get, path = "/v1/numbers", operation_id = "listNumbers", tag = "set-up", security(("key" = [])),
    responses((status = 200, description = "The sending numbers", body = Numbers)))]
pub async fn list(_: Reader, State(host): State<Host>) -> Result<Json<Numbers>, Problem> {
    Ok(Json(host.setup.numbers().await?))
}
