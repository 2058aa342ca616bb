//! `GET /v1/jobs/{id}`: how far a job has come, and the messages that it has changed.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri},
    response::Response,
};
use hookswitch_core::domain::NotificationId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Office, page};
use crate::{
    http::{Problem, Reader, from_path, last_of_full, page_limit, query},
    store::{Job, JobMessage},
};

/// The query of a list of a job's messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only messages whose ids sort after this one: `next` of the previous page.
    #[serde(default)]
    after: Uuid,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A page of the messages that a job has changed, by their ids.
#[derive(Serialize, ToSchema)]
pub struct JobMessagePage {
    /// The messages.
    data: Vec<JobMessage>,
    /// `after` of the next page; null on the last page.
    next: Option<NotificationId>,
}

/// A job by its id.
pub async fn find(office: &Office, id: i64) -> Result<Job, Problem> {
    office
        .operate
        .job(id)
        .await?
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "job_unknown", format!("No job has the id {id}.")))
}

/// Get a job's state and progress.
#[utoipa::path(get, path = "/v1/jobs/{id}", operation_id = "getJob", tag = "messages", security(("key" = [])),
    params(("id" = i64, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The job", body = Job),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No job has this id"),
    ))]
pub async fn get(
    _: Reader,
    State(office): State<Office>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Job>, Problem> {
    find(&office, from_path(id)?).await.map(Json)
}

/// List the messages that a job has changed, by their ids.
#[utoipa::path(get, path = "/v1/jobs/{id}/messages", operation_id = "listJobMessages", tag = "messages",
    security(("key" = [])), params(("id" = i64, Path, description = "The job's id"), Which),
    responses(
        (status = 200, description = "A page of messages", body = JobMessagePage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The path or the query is invalid"),
        (status = 404, description = "No job has this id"),
    ))]
pub async fn messages(
    _: Reader,
    State(office): State<Office>,
    uri: Uri,
    id: Result<Path<i64>, PathRejection>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let id = from_path(id)?;
    let Which { after, limit } = query(which)?;
    let limit = page_limit(limit)?;
    find(&office, id).await?;
    let data = office.operate.job_messages(id, NotificationId(after), limit).await?;
    let next = last_of_full(&data, limit).map(|last| last.id);
    let cursor = next.map(|id| id.to_string());
    Ok(page(&uri, "after", cursor.as_deref(), JobMessagePage { data, next }))
}
