//! `GET /v1/notifications`: notifications and their status.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri},
    response::Response,
};
use hookswitch_core::domain::{NotificationId, Status};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Office, page, storable};
use crate::{
    http::{Problem, Reader, Scope, from_path, invalid, page_limit, query},
    operate::{LISTING, NotificationDetail, hide_personal, hide_recipient, mask, stored_recipient},
    store::{ListedNotification, NotificationFilter, NotificationPage},
};

/// How far back notifications are listed if the query does not say.
const SINCE: SignedDuration = SignedDuration::from_hours(24);

/// The query of a list of notifications.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only notifications that failed; excludes `status`.
    #[serde(default)]
    failed: bool,
    /// List only notifications with this status.
    #[param(inline)]
    status: Option<Status>,
    /// List only notifications created since this time; 24 hours ago by default.
    since: Option<Timestamp>,
    /// List only notifications to this person, by username, number or Meta's user id.
    person: Option<String>,
    /// List only notifications with this template.
    template: Option<String>,
    /// List only notifications created before this one: `next` of the previous page.
    before: Option<Uuid>,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// List notifications and their status, newest first.
///
/// Of one person, and of a status that few notifications have, the newest 10,000 are looked at. Where a filter lets few
/// through, a page may be short, even empty, and have a next one. Without the scope `personal`, only the last four characters of
/// a recipient are shown.
#[utoipa::path(get, path = "/v1/notifications", operation_id = "listNotifications", tag = "messages",
    params(Which), security(("key" = [])),
    responses(
        (status = 200, description = "A page of notifications", body = NotificationPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    Reader(caller): Reader,
    State(office): State<Office>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { failed, status, since, person, template, before, limit } = query(which)?;
    storable([&person, &template])?;
    if failed && status.is_some() {
        return Err(invalid("The query must not contain both failed and status."));
    }
    let limit = page_limit(limit)?;
    let day = office.operate.now().checked_sub(SINCE).unwrap_or(Timestamp::UNIX_EPOCH);
    let filter = NotificationFilter {
        since: since.unwrap_or(day),
        status: if failed { Some(Status::Failed) } else { status },
        person: person.as_deref().map(stored_recipient),
        template,
        before: before.map(NotificationId),
        limit,
    };
    let NotificationPage { mut data, next } = office.operate.notifications(&filter, LISTING).await?;
    if !caller.may(Scope::Personal) {
        for ListedNotification { username, name, recipient, detail, .. } in &mut data {
            hide_recipient(username.as_deref(), name, recipient);
            mask(detail);
        }
    }
    let cursor = next.map(|id| id.to_string());
    Ok(page(&uri, "before", cursor.as_deref(), NotificationPage { data, next }))
}

/// Get a notification's full history: its deliveries, what it waits for, and what operators did.
///
/// Without the scope `personal`, only the last four characters of the recipient are shown, and `message` is null.
#[utoipa::path(get, path = "/v1/notifications/{id}", operation_id = "getNotification", tag = "messages",
    security(("key" = [])), params(("id" = Uuid, Path, description = "The notification's id")),
    responses(
        (status = 200, description = "The notification", body = NotificationDetail),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No notification has this id"),
    ))]
pub async fn get(
    Reader(caller): Reader,
    State(office): State<Office>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<NotificationDetail>, Problem> {
    let id = from_path(id)?;
    let Some(mut detail) = office.operate.notification(NotificationId(id)).await? else {
        let text = format!("No notification has the id {id}.");
        return Err(Problem::new(StatusCode::NOT_FOUND, "notification_unknown", text));
    };
    if !caller.may(Scope::Personal) {
        hide_personal(&mut detail.notification);
    }
    Ok(Json(detail))
}
