//! `/v1/groups`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Desk, name, storable};
use crate::{
    http::{Admin, IfMatch, JsonBody, Problem, etag, from_path, last_of_full, page, page_limit, query},
    store::StoredGroup,
};

/// A group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
pub struct GroupJson {
    /// The name, unique. Rules refer to the group by it.
    name: String,
    /// When the group was created.
    created_at: Timestamp,
    /// Usernames of the first 100 members; `GET /v1/people?group=NAME` lists all of them.
    members: Vec<String>,
    /// Number of members.
    size: i64,
    /// Number of active members.
    active: i64,
}

impl From<StoredGroup> for GroupJson {
    fn from(StoredGroup { name, created_at, members, size, active, .. }: StoredGroup) -> Self {
        GroupJson { name, created_at, members, size, active }
    }
}

/// A page of groups, by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupPage {
    /// The groups.
    data: Vec<GroupJson>,
    /// `after` of the next page; null on the last page.
    next: Option<String>,
}

/// The query of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only groups whose names sort after this one: `next` of the previous page.
    #[serde(default)]
    after: String,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// List groups, by name.
#[utoipa::path(get, path = "/v1/groups", operation_id = "listGroups", tag = "groups", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of groups", body = GroupPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    _: Admin,
    State(desk): State<Desk>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { after, limit: asked } = query(which)?;
    storable(&after)?;
    let limit = page_limit(asked)?;
    let groups = desk.directory.groups(&after, limit).await?;
    let next = last_of_full(&groups, limit).map(|group| group.name.clone());
    let cursor = next.clone();
    let data = groups.into_iter().map(GroupJson::from).collect();
    Ok(page(&uri, "after", cursor.as_deref(), GroupPage { data, next }))
}

/// Get a group.
#[utoipa::path(get, path = "/v1/groups/{name}", operation_id = "getGroup", tag = "groups", security(("key" = [])),
    params(("name" = String, Path, description = "The group's name")),
    responses(
        (status = 200, description = "The group", body = GroupJson,
            headers(("ETag" = String, description = "For `If-Match` of a change"))),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No group has this name"),
    ))]
pub async fn get(
    _: Admin,
    State(desk): State<Desk>,
    group: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Problem> {
    let group = GroupJson::from(desk.directory.group(&name(group)?).await?);
    Ok((etag(&group), Json(group)))
}

/// Create a group. An existing group is left unchanged.
#[utoipa::path(put, path = "/v1/groups/{name}", operation_id = "createGroup", tag = "groups",
    security(("key" = [])), params(("name" = String, Path, description = "The group's name, 1 to 150 characters")),
    responses(
        (status = 200, description = "The group existed already", body = GroupJson),
        (status = 201, description = "The new group", body = GroupJson),
        (status = 400, description = "The name is invalid"),
    ))]
pub async fn create(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    group: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Problem> {
    let group = name(group)?;
    let created = desk.by(&caller).create_groups(&[&group]).await?;
    let status = if created.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(GroupJson::from(desk.directory.group(&group).await?))))
}

/// A new name for a group.
#[derive(Deserialize, ToSchema)]
#[schema(as = GroupChange)]
#[serde(deny_unknown_fields)]
pub struct GroupChangeJson {
    /// The new name: 1 to 150 characters on one line.
    name: String,
}

/// A renamed group.
#[derive(Serialize, ToSchema)]
#[schema(as = RenamedGroup)]
pub struct RenamedGroupJson {
    /// The group under its new name.
    group: GroupJson,
    /// Places of the live rules that name the group as it was called before, for example `orders/routes.yaml:3`, and
    /// scripts and plugins that decided for it lately. They notify nobody until they name it as it is called now.
    former_name_in: Vec<String>,
}

/// Rename a group.
///
/// Its members stay, digests that wait for it are sent to it, and histories keep its former name.
#[utoipa::path(patch, path = "/v1/groups/{name}", operation_id = "updateGroup", tag = "groups",
    request_body = GroupChangeJson, security(("key" = [])),
    params(("name" = String, Path, description = "The group's name"), ("If-Match" = Option<String>, Header,
        description = "The ETag of the group as it was read: it is changed only if nobody else has changed it")),
    responses(
        (status = 200, description = "The renamed group", body = RenamedGroupJson,
            headers(("ETag" = String, description = "The new one of the group"))),
        (status = 412, description = "`If-Match` is given, and the group was changed"),
        (status = 400, description = "The path or the body is invalid"),
        (status = 404, description = "No group has this name"),
        (status = 409, description = "Another group has the new name"),
    ))]
pub async fn rename(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    group: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
    JsonBody(change): JsonBody<GroupChangeJson>,
) -> Result<impl IntoResponse, Problem> {
    let group = name(group)?;
    let version = version(&desk, &group, &if_match).await?;
    let used = desk.directory.group_use(&group, desk.live.in_force().all().map(Arc::as_ref)).await?;
    desk.by(&caller).rename_group(&group, &change.name, version.as_deref()).await?;
    let former_name_in = match group == change.name {
        true => Vec::new(),
        false => used.rules.into_iter().chain(used.decided_by).collect(),
    };
    let group = GroupJson::from(desk.directory.group(&change.name).await?);
    Ok((etag(&group), Json(RenamedGroupJson { group, former_name_in })))
}

/// The version of a group that may be changed, if the request has a condition.
async fn version(desk: &Desk, name: &str, if_match: &IfMatch) -> Result<Option<String>, Problem> {
    if !if_match.is_given() {
        return Ok(None);
    }
    let group = desk.directory.group(name).await?;
    let version = group.version.clone();
    if_match.check(&GroupJson::from(group))?;
    Ok(Some(version))
}

/// The query of a deletion.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Force {
    /// Delete the group even if rules name it or digests wait for it: they notify nobody then.
    #[serde(default)]
    #[param(default = false)]
    force: bool,
}

/// Delete a group. Its members are not deleted.
#[utoipa::path(delete, path = "/v1/groups/{name}", operation_id = "deleteGroup", tag = "groups",
    security(("key" = [])), params(("name" = String, Path, description = "The group's name"), Force, ("If-Match" = Option<String>, Header,
        description = "The ETag of the group as it was read: it is deleted only if nobody else has changed it")),
    responses(
        (status = 204, description = "The group is deleted"),
        (status = 400, description = "The path or the query is invalid"),
        (status = 404, description = "No group has this name"),
        (status = 412, description = "`If-Match` is given, and the group was changed"),
        (status = 409, description = "Rules name the group, or digests wait for it, and `force` is not set"),
    ))]
pub async fn delete(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    group: Result<Path<String>, PathRejection>,
    force: Result<Query<Force>, QueryRejection>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let (group, Force { force }) = (name(group)?, query(force)?);
    let version = version(&desk, &group, &if_match).await?;
    let used = desk.directory.group_use(&group, desk.live.in_force().all().map(Arc::as_ref)).await?;
    if !force && !used.is_empty() {
        let detail =
            format!("The group {group:?} is in use: {used}. Add force=true to the query to delete it.");
        return Err(Problem::new(StatusCode::CONFLICT, "group_in_use", detail));
    }
    desk.by(&caller).delete_group(&group, version.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A membership, as named by a path.
#[derive(Deserialize)]
pub struct Place {
    name: String,
    username: String,
}

fn place(path: Result<Path<Place>, PathRejection>) -> Result<Place, Problem> {
    let place = from_path(path)?;
    storable(&place.name)?;
    storable(&place.username)?;
    Ok(place)
}

/// Add a person to a group.
#[utoipa::path(put, path = "/v1/groups/{name}/members/{username}", operation_id = "addGroupMember", tag = "groups",
    security(("key" = [])),
    params(
        ("name" = String, Path, description = "The group's name"),
        ("username" = String, Path, description = "The person's username"),
    ),
    responses(
        (status = 204, description = "The person is a member of the group"),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No group has this name, or no person has this username"),
    ))]
pub async fn add_member(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    path: Result<Path<Place>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Place { name, username } = place(path)?;
    desk.by(&caller).add_members(&name, &[&username]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a person from a group.
#[utoipa::path(delete, path = "/v1/groups/{name}/members/{username}", operation_id = "removeGroupMember",
    tag = "groups", security(("key" = [])),
    params(
        ("name" = String, Path, description = "The group's name"),
        ("username" = String, Path, description = "The person's username"),
    ),
    responses(
        (status = 204, description = "The person is not a member of the group"),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No group has this name, or no person has this username"),
    ))]
pub async fn remove_member(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    path: Result<Path<Place>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let Place { name, username } = place(path)?;
    desk.by(&caller).remove_members(&name, &[&username]).await?;
    Ok(StatusCode::NO_CONTENT)
}
