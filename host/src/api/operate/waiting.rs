//! `GET /v1/waiting`: how many messages wait, by reason.

use axum::{Json, extract::State};
use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Office;
use crate::{
    http::{Problem, Reader},
    store::{COUNTED, DeferredFacts},
};

/// Messages that wait for one reason.
#[derive(Serialize, ToSchema)]
pub struct WaitingMessages {
    /// The reason: `send_at`, `quiet`, `retry`, `pair`, `unknown`, `hold`, `as_template`, `window`, `daily`, `behind` or
    /// `unreadable`.
    reason: String,
    /// Number of messages, counted up to 10,000.
    count: i64,
    /// Whether there may be more than `count`.
    more: bool,
    /// When the first of those counted is due.
    first_due_at: Timestamp,
    /// When the last of those counted is due.
    last_due_at: Timestamp,
    /// The oldest of those counted; null if it has just been sent.
    oldest: Option<NotificationId>,
    /// When the oldest was created.
    oldest_at: Option<Timestamp>,
}

/// The messages that wait.
#[derive(Serialize, ToSchema)]
pub struct Waiting {
    /// An entry for each reason for which messages wait, by reason.
    data: Vec<WaitingMessages>,
}

/// List how many messages wait, by reason, with the oldest of each.
#[utoipa::path(get, path = "/v1/waiting", operation_id = "listWaiting", tag = "messages", security(("key" = [])),
    responses((status = 200, description = "The messages that wait", body = Waiting)))]
pub async fn list(_: Reader, State(office): State<Office>) -> Result<Json<Waiting>, Problem> {
    let of_reason = |facts: DeferredFacts| WaitingMessages {
        more: facts.count >= COUNTED,
        reason: facts.reason,
        count: facts.count,
        first_due_at: facts.first_due_at,
        last_due_at: facts.last_due_at,
        oldest: facts.oldest,
        oldest_at: facts.oldest_at,
    };
    let data = office.operate.waiting().await?.into_iter().map(of_reason).collect();
    Ok(Json(Waiting { data }))
}
