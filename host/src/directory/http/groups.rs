//! `/v1/groups`.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::IntoResponse,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Desk, invalid, name, storable};
use crate::{
    http::{Admin, Problem},
    store::StoredGroup,
};

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupJson {
    /// Unique; what rules name.
    name: String,
    created_at: Timestamp,
    /// Usernames.
    members: Vec<String>,
    /// How many of them are active.
    active: i64,
}

impl From<StoredGroup> for GroupJson {
    fn from(StoredGroup { name, created_at, members, active }: StoredGroup) -> Self {
        GroupJson { name, created_at, members, active }
    }
}

/// All groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupList {
    data: Vec<GroupJson>,
}

/// Lists the groups with their members.
#[utoipa::path(get, path = "/v1/groups", tag = "groups", security(("key" = [])),
    responses((status = 200, body = GroupList)))]
pub async fn list(_: Admin, State(desk): State<Desk>) -> Result<Json<GroupList>, Problem> {
    let groups = desk.directory.groups().await?;
    Ok(Json(GroupList { data: groups.into_iter().map(GroupJson::from).collect() }))
}

/// Tells of a group.
#[utoipa::path(get, path = "/v1/groups/{name}", tag = "groups", security(("key" = [])),
    responses((status = 200, body = GroupJson), (status = 404, body = Problem)))]
pub async fn get(
    _: Admin,
    State(desk): State<Desk>,
    group: Result<Path<String>, PathRejection>,
) -> Result<Json<GroupJson>, Problem> {
    Ok(Json(desk.directory.group(&name(group)?).await?.into()))
}

/// Creates a group; one that exists stays as it is.
#[utoipa::path(put, path = "/v1/groups/{name}", tag = "groups", security(("key" = [])),
    responses((status = 200, body = GroupJson), (status = 201, body = GroupJson), (status = 400, body = Problem)))]
pub async fn create(
    _: Admin,
    State(desk): State<Desk>,
    group: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Problem> {
    let group = name(group)?;
    let created = desk.directory.create_groups(&[&group]).await?;
    let status = if created.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(GroupJson::from(desk.directory.group(&group).await?))))
}

/// Deletes a group; its people stay.
#[utoipa::path(delete, path = "/v1/groups/{name}", tag = "groups", security(("key" = [])),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete(
    _: Admin,
    State(desk): State<Desk>,
    group: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    desk.directory.delete_group(&name(group)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A person's place in a group.
#[derive(Deserialize)]
pub struct Place {
    name: String,
    username: String,
}

fn place(path: Result<Path<Place>, PathRejection>) -> Result<Place, Problem> {
    let Path(place) = path.map_err(|error| invalid(error.body_text()))?;
    storable(&place.name)?;
    storable(&place.username)?;
    Ok(place)
}

/// Puts a person into a group.
#[utoipa::path(put, path = "/v1/groups/{name}/members/{username}", tag = "groups", security(("key" = [])),
    params(("name" = String, Path), ("username" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn add_member(
    _: Admin,
    State(desk): State<Desk>,
    path: Result<Path<Place>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Place { name, username } = place(path)?;
    desk.directory.add_members(&name, &[&username]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a person out of a group.
#[utoipa::path(delete, path = "/v1/groups/{name}/members/{username}", tag = "groups", security(("key" = [])),
    params(("name" = String, Path), ("username" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove_member(
    _: Admin,
    State(desk): State<Desk>,
    path: Result<Path<Place>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Place { name, username } = place(path)?;
    desk.directory.remove_members(&name, &[&username]).await?;
    Ok(StatusCode::NO_CONTENT)
}
