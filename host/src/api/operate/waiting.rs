//! `/v1/waiting`: how many messages wait, by reason, and withdrawing them by key.

use axum::{Json, extract::State};
use hookswitch_core::domain::NotificationId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Office, storable};
use crate::{
    http::{Acting, JsonBody, Problem, Reader, invalid, sentence},
    operate::{MOST_COUNTED, Operator, wrong_key},
    store::DeferredFacts,
};

/// Messages that wait for one reason.
#[derive(Serialize, ToSchema)]
pub struct WaitingMessages {
    /// The reason: `send_at`, `quiet`, `retry`, `pair`, `unknown`, `hold`, `as_template`, `window`, `daily`, `behind`,
    /// `unreadable`, `stopped` or `resumed`.
    reason: String,
    /// Number of messages, counted up to 2,000.
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
        more: facts.count >= MOST_COUNTED,
        reason: facts.reason,
        count: facts.count,
        first_due_at: facts.first_due_at,
        last_due_at: facts.last_due_at,
        oldest: facts.oldest,
        oldest_at: facts.oldest_at,
    };
    let data = office.operate.waiting(MOST_COUNTED).await?.into_iter().map(of_reason).collect();
    Ok(Json(Waiting { data }))
}

/// Which messages to withdraw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyToWithdraw {
    /// The key of the messages.
    #[schema(min_length = 1, max_length = 200)]
    key: String,
    /// The reason, for the record.
    reason: Option<String>,
}

/// The result of withdrawing.
#[derive(Serialize, ToSchema)]
pub struct Withdrawn {
    /// Number of messages with the key that waited for their time.
    count: u64,
}

/// Withdraw messages by key: whatever of all events so far is not sent yet is not sent.
#[utoipa::path(post, path = "/v1/waiting/withdraw", operation_id = "withdrawWaiting", tag = "messages",
    request_body = KeyToWithdraw, security(("key" = [])),
    responses(
        (status = 200, description = "The result", body = Withdrawn),
        (status = 400, description = "The body is invalid"),
    ))]
pub async fn withdraw(
    Acting(caller): Acting,
    State(office): State<Office>,
    JsonBody(chosen): JsonBody<KeyToWithdraw>,
) -> Result<Json<Withdrawn>, Problem> {
    let KeyToWithdraw { key, reason } = chosen;
    storable([&reason])?;
    if let Some(why) = wrong_key(&key) {
        return Err(invalid(sentence(&why)));
    }
    let by = Operator::by_key(caller.name());
    let count = office.operate.withdraw(&by, &key, reason.as_deref()).await?;
    Ok(Json(Withdrawn { count }))
}
