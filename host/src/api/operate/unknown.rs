//! `/v1/unknown`: messages whose delivery could not be confirmed.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::Uri,
    response::Response,
};
use hookswitch_core::domain::NotificationId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Office, page, storable};
use crate::{
    http::{Acting, JsonBody, Problem, Reader, Scope, invalid, last_of_full, page_limit, query},
    operate::{Operator, Resolution, hide_recipient},
    store::UnknownNotification,
};

/// Maximum number of ids in a body.
const IDS: usize = 1_000;

/// The query of a list of messages whose delivery could not be confirmed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only messages after this place: `next` of the previous page.
    #[serde(default)]
    after: i64,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A page of messages whose delivery could not be confirmed, oldest first.
#[derive(Serialize, ToSchema)]
pub struct UnknownPage {
    /// The messages.
    data: Vec<UnknownNotification>,
    /// `after` of the next page; null on the last page.
    next: Option<i64>,
}

/// List messages whose delivery could not be confirmed, oldest first.
///
/// Without the scope `personal`, only the last four characters of a recipient are shown.
#[utoipa::path(get, path = "/v1/unknown", operation_id = "listUnknown", tag = "messages", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of messages", body = UnknownPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    Reader(caller): Reader,
    State(office): State<Office>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { after, limit } = query(which)?;
    let limit = page_limit(limit)?;
    let mut data = office.operate.unknown(after, limit).await?;
    if !caller.may(Scope::Personal) {
        for UnknownNotification { username, recipient, .. } in &mut data {
            hide_recipient(username.as_deref(), &mut None, recipient);
        }
    }
    let next = last_of_full(&data, limit).map(|last| last.seq);
    let cursor = next.map(|seq| seq.to_string());
    Ok(page(&uri, "after", cursor.as_deref(), UnknownPage { data, next }))
}

/// What to do with a message whose delivery could not be confirmed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownResolution {
    /// Resend it: a recipient who has it gets it twice.
    Resend,
    /// Drop it: a recipient who does not have it never gets it.
    Drop,
}

/// Messages to resolve, and how.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnknownChoice {
    /// The ids of the messages, 1 to 1,000.
    #[schema(min_items = 1, max_items = 1000)]
    ids: Vec<Uuid>,
    /// What to do with them.
    resolution: UnknownResolution,
    /// The reason, for the record.
    reason: Option<String>,
}

/// The result of resolving.
#[derive(Serialize, ToSchema)]
pub struct UnknownResolved {
    /// Number of messages that were resent or dropped.
    count: usize,
    /// The messages whose delivery is not in doubt; nothing was done to them.
    others: Vec<NotificationId>,
}

/// Resolve messages whose delivery could not be confirmed: resend or drop them.
#[utoipa::path(post, path = "/v1/unknown/resolve", operation_id = "resolveUnknown", tag = "messages",
    request_body = UnknownChoice, security(("key" = [])),
    responses(
        (status = 200, description = "The result", body = UnknownResolved),
        (status = 400, description = "The body is invalid"),
    ))]
pub async fn resolve(
    Acting(caller): Acting,
    State(office): State<Office>,
    JsonBody(chosen): JsonBody<UnknownChoice>,
) -> Result<Json<UnknownResolved>, Problem> {
    let UnknownChoice { ids, resolution, reason } = chosen;
    storable([&reason])?;
    if !(1..=IDS).contains(&ids.len()) {
        return Err(invalid(format!("The body must contain 1 to {IDS} ids.")));
    }
    let resolution = match resolution {
        UnknownResolution::Resend => Resolution::Resend,
        UnknownResolution::Drop => Resolution::Drop,
    };
    let ids: Vec<NotificationId> = ids.into_iter().map(NotificationId).collect();
    let by = Operator::by_key(caller.name());
    let done = office.operate.resolve_unknown(&by, Some(&ids), resolution, reason.as_deref()).await?;
    Ok(Json(UnknownResolved { count: done.count, others: done.others }))
}
