//! `/v1/failed`: messages that failed permanently.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use hookswitch_core::domain::{Notification, NotificationId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Office, page, place, storable, written_place};
use crate::{
    http::{Acting, JsonBody, Problem, Reader, Scope, invalid, last_of_full, page_limit, query},
    operate::{Choice, Operator, hide_recipient, mask},
    store::{DeadLetter, Job},
};

/// Messages per second that a job redrives if the body does not say.
const RATE: u32 = 20;
const FASTEST: u32 = 10_000;
/// Maximum number of ids in a body.
const IDS: usize = 5_000;
/// Maximum length of a reason, in bytes.
const REASON: usize = 1_000;

/// The query of a list of failed messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only messages with this template.
    template: Option<String>,
    /// List only messages to this person, by username, number or Meta's user id.
    person: Option<String>,
    /// List only messages with this error code of Meta.
    code: Option<i32>,
    /// List only messages that failed since this time.
    since: Option<Timestamp>,
    /// List only messages after this place: `next` of the previous page.
    after: Option<String>,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A message that failed permanently.
#[derive(Serialize, ToSchema)]
pub struct FailedMessage {
    /// The notification's id.
    id: NotificationId,
    /// When it failed.
    failed_at: Timestamp,
    /// The username of the recipient; null if the recipient is not a person.
    username: Option<String>,
    /// The name of the recipient, if known.
    name: Option<String>,
    /// The `wa_id` or user id of the recipient.
    recipient: Option<String>,
    /// The name of the template.
    template: String,
    /// Meta's error code, if Meta gave one.
    code: Option<i32>,
    /// Human-readable detail.
    detail: Option<String>,
}

/// A page of failed messages, oldest failure first.
#[derive(Serialize, ToSchema)]
pub struct FailedPage {
    /// The messages.
    data: Vec<FailedMessage>,
    /// `after` of the next page; null on the last page.
    next: Option<String>,
}

/// List messages that failed permanently, oldest failure first.
///
/// Without the scope `personal`, only the last four characters of a recipient are shown.
#[utoipa::path(get, path = "/v1/failed", operation_id = "listFailed", tag = "messages", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of failed messages", body = FailedPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    Reader(caller): Reader,
    State(office): State<Office>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { template, person, code, since, after, limit } = query(which)?;
    storable([&template, &person])?;
    let limit = page_limit(limit)?;
    let after = after.map(|after| place(&after)).transpose()?.map(|(at, id)| (at, NotificationId(id)));
    let choice = Choice { ids: Vec::new(), template, person, code, since };
    let letters = office.operate.failed(&choice.filter(office.operate.now()), after, limit).await?;
    let next = last_of_full(&letters, limit).map(|last| {
        let (at, id) = last.place();
        written_place(at, id.0)
    });
    let message = |DeadLetter { mut notification, failed_at, code, mut detail, .. }: DeadLetter| {
        if !caller.may(Scope::Personal) {
            let Notification { username, name, recipient, .. } = &mut notification;
            hide_recipient(username.as_deref(), name, recipient);
            mask(&mut detail);
        }
        FailedMessage {
            id: notification.id,
            failed_at,
            username: notification.username,
            name: notification.name,
            recipient: notification.recipient,
            template: notification.template,
            code,
            detail,
        }
    };
    let data = letters.into_iter().map(message).collect();
    let cursor = next.clone();
    Ok(page(&uri, "after", cursor.as_deref(), FailedPage { data, next }))
}

/// Which failed messages. At least one member restricts the choice, or `all` is true.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"code": 131_026, "since": "2026-03-01T00:00:00Z"}), json!({"all": true})))]
#[serde(deny_unknown_fields)]
pub struct FailedChoice {
    /// Only these messages, 5,000 at most.
    #[serde(default)]
    ids: Vec<Uuid>,
    /// Only messages with this template.
    template: Option<String>,
    /// Only messages to this person, by username, number or Meta's user id.
    person: Option<String>,
    /// Only messages with this error code of Meta.
    code: Option<i32>,
    /// Only messages that failed since this time.
    since: Option<Timestamp>,
    /// All failed messages.
    #[serde(default)]
    all: bool,
    /// The reason, for the record; for discarding only.
    reason: Option<String>,
    /// Maximum messages per second, 20 by default; for redriving only.
    #[schema(minimum = 1, maximum = 10000)]
    rate: Option<u32>,
}

impl FailedChoice {
    fn choice(&self) -> Result<Choice, Problem> {
        let FailedChoice { ids, template, person, code, since, reason, .. } = self;
        storable([template, person, reason])?;
        if ids.len() > IDS {
            return Err(invalid(format!("The body must contain at most {IDS} ids.")));
        }
        if reason.as_ref().is_some_and(|reason| reason.len() > REASON) {
            return Err(invalid(format!("The reason must be at most {REASON} bytes long.")));
        }
        let choice = Choice {
            ids: ids.clone(),
            template: template.clone(),
            person: person.clone(),
            code: *code,
            since: *since,
        };
        if choice.is_empty() && !self.all {
            let detail = "The body chooses no messages: it needs ids, template, person, code, since, or all.";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "nothing_chosen", detail));
        }
        Ok(choice)
    }
}

/// Redrive failed messages: resend them as new messages that refer to the old.
///
/// The messages are those that have failed by now. The answer is a job, which hosts carry out at the given rate.
#[utoipa::path(post, path = "/v1/failed/redrive", operation_id = "redriveFailed", tag = "messages",
    request_body = FailedChoice, security(("key" = [])),
    responses(
        (status = 202, description = "The job", body = Job,
            headers(("Location" = String, description = "The path of the job"))),
        (status = 400, description = "The body is invalid, or chooses no messages"),
    ))]
pub async fn redrive(
    Acting(caller): Acting,
    State(office): State<Office>,
    JsonBody(chosen): JsonBody<FailedChoice>,
) -> Result<Response, Problem> {
    let choice = chosen.choice()?;
    if chosen.reason.is_some() {
        return Err(invalid("A reason is for discarding only."));
    }
    let rate = chosen.rate.unwrap_or(RATE);
    if !(1..=FASTEST).contains(&rate) {
        return Err(invalid(format!("The rate must be from 1 to {FASTEST} messages per second.")));
    }
    let id = office.operate.redrive_job(&Operator::by_key(caller.name()), &choice, rate).await?;
    created(&office, id).await
}

/// Discard failed messages: lists and checks no longer show them; their history is kept.
///
/// The messages are those that have failed by now. The answer is a job, which hosts carry out.
#[utoipa::path(post, path = "/v1/failed/discard", operation_id = "discardFailed", tag = "messages",
    request_body = FailedChoice, security(("key" = [])),
    responses(
        (status = 202, description = "The job", body = Job,
            headers(("Location" = String, description = "The path of the job"))),
        (status = 400, description = "The body is invalid, or chooses no messages"),
    ))]
pub async fn discard(
    Acting(caller): Acting,
    State(office): State<Office>,
    JsonBody(chosen): JsonBody<FailedChoice>,
) -> Result<Response, Problem> {
    let choice = chosen.choice()?;
    if chosen.rate.is_some() {
        return Err(invalid("A rate is for redriving only."));
    }
    let by = Operator::by_key(caller.name());
    let id = office.operate.discard_job(&by, &choice, chosen.reason.as_deref()).await?;
    created(&office, id).await
}

async fn created(office: &Office, id: i64) -> Result<Response, Problem> {
    let job = super::jobs::find(office, id).await?;
    let location = [(header::LOCATION, format!("/v1/jobs/{id}"))];
    Ok((StatusCode::ACCEPTED, location, Json(job)).into_response())
}
