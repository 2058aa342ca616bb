//! `/v1/groups`.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::IntoResponse,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Desk, invalid, name, query, storable};
use crate::{
    http::{Admin, Problem, last_of_full, page_limit},
    store::StoredGroup,
};

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupJson {
    /// Unique; what rules name.
    name: String,
    created_at: Timestamp,
    /// Usernames of the first 100; `GET /v1/people?group=NAME` lists all.
    members: Vec<String>,
    /// How many members there are.
    size: i64,
    /// How many of them are active.
    active: i64,
}

impl From<StoredGroup> for GroupJson {
    fn from(StoredGroup { name, created_at, members, size, active }: StoredGroup) -> Self {
        GroupJson { name, created_at, members, size, active }
    }
}

/// A page of groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupPage {
    data: Vec<GroupJson>,
    /// The next page's `after`; null on the last.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Only those whose names come after this one: what `next` of the page before said.
    #[serde(default)]
    after: String,
    /// How many, from 1 to 1,000; 100 by default.
    limit: Option<i64>,
}

/// Lists groups by name.
#[utoipa::path(get, path = "/v1/groups", tag = "groups", params(Which), security(("key" = [])),
    responses((status = 200, body = GroupPage), (status = 400, body = Problem)))]
pub async fn list(
    _: Admin,
    State(desk): State<Desk>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<GroupPage>, Problem> {
    let Which { after, limit: asked } = query(which)?;
    storable(&after)?;
    let limit = page_limit(asked)?;
    let groups = desk.directory.groups(&after, limit).await?;
    let next = last_of_full(&groups, limit).map(|group| group.name.clone());
    Ok(Json(GroupPage { data: groups.into_iter().map(GroupJson::from).collect(), next }))
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
