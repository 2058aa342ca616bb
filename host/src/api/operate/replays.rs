//! `/v1/replays`: what other rules would have made of past events.

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Office, page};
use crate::{
    http::{
        Acting, JsonBody, Problem, Reader, Scope, from_path, invalid, last_of_full, page_limit, query,
        sentence,
    },
    operate::{
        ActivationError, KeptReplay, NoReplay, Operator, Price, ReplayChoice, ReplayDetail, ReplayDifference,
    },
    releases::ReleaseError,
    store::StoreError,
};

/// How far back a replay looks by default.
const SINCE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What to replay.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"release": "3f2a9c1d40b7", "since": "2026-11-20T00:00:00Z", "types": ["order.*"]})))]
#[serde(deny_unknown_fields)]
pub struct NewReplay {
    /// The release to try: at least the first 4 digits of its id.
    release: String,
    /// Only events that were received since then; by default those of the last 7 days.
    since: Option<Timestamp>,
    /// Only events that were received before then.
    until: Option<Timestamp>,
    /// Only events of these types, for example `order.created` or `payment.*`; at most 100.
    #[serde(default)]
    types: Vec<String>,
    /// Only one of so many events, always the same ones: by a hash of the event's id.
    #[schema(minimum = 1, maximum = 1_000_000)]
    one_of: Option<u32>,
    /// Meta's prices, at most 2,000: then the report says what the messages cost that differ.
    #[serde(default)]
    prices: Vec<Price>,
}

/// The query of a list of replays.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only replays after this one: `next` of the previous page.
    after: Option<i64>,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A page of replays, the newest first.
#[derive(Serialize, ToSchema)]
pub struct ReplayPage {
    /// The replays.
    data: Vec<KeptReplay>,
    /// `after` of the next page; null on the last page.
    next: Option<i64>,
}

/// Replay past events by a release: decide them with the answers of then, and compare the messages. Nothing is sent.
///
/// A host does it in the background, on one thread that yields to its other work; another host carries it on if that one
/// ends. Plugins ask no service: events for which they ask what they did not ask then are counted and not compared.
#[utoipa::path(post, path = "/v1/replays", operation_id = "createReplay", tag = "releases", request_body = NewReplay,
    security(("key" = [])),
    responses(
        (status = 202, description = "The replay was created", body = KeptReplay,
            headers(("Location" = String, description = "The replay"))),
        (status = 400, description = "The body is invalid"),
        (status = 409, description = "10 replays are running"),
        (status = 422, description = "No release, or more than one, begins with these digits"),
    ))]
pub async fn create(
    Acting(caller): Acting,
    State(office): State<Office>,
    JsonBody(new): JsonBody<NewReplay>,
) -> Result<Response, Problem> {
    let operate = &office.operate;
    let NewReplay { release, since, until, types, one_of, prices } = new;
    let since = match since {
        Some(since) => since,
        None => operate.now().checked_sub(SINCE).map_err(|error| invalid(sentence(&error.to_string())))?,
    };
    let choice = ReplayChoice { since, until, types, one_of: one_of.unwrap_or(1), network: false, prices };
    let by = Operator::by_key(caller.name());
    let id = operate.ask_for_replay(&by, &release, &choice).await.map_err(problem)?;
    let created = find(&office, id).await?;
    let location = [(header::LOCATION, format!("/v1/replays/{id}"))];
    Ok((StatusCode::ACCEPTED, location, Json(created.replay)).into_response())
}

fn problem(error: NoReplay) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        NoReplay::Choice(_) => invalid(detail),
        NoReplay::Release(ActivationError::Unknown(_)) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "release_unknown", detail)
        }
        NoReplay::Release(ActivationError::Ambiguous(_)) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "release_ambiguous", detail)
        }
        NoReplay::Release(ActivationError::Release(ReleaseError::Store(error))) | NoReplay::Store(error) => {
            error.into()
        }
        NoReplay::Release(error) => StoreError::Row(error.to_string()).into(),
        NoReplay::TooMany => Problem::new(StatusCode::CONFLICT, "too_many_replays", detail),
    }
}

/// List replays, the newest first, with their numbers.
#[utoipa::path(get, path = "/v1/replays", operation_id = "listReplays", tag = "releases", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of replays", body = ReplayPage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    _: Reader,
    State(office): State<Office>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { after, limit } = query(which)?;
    let limit = page_limit(limit)?;
    let data = office.operate.replays(after, limit).await?;
    let next = last_of_full(&data, limit).map(|last| last.id);
    let cursor = next.map(|id| id.to_string());
    Ok(page(&uri, "after", cursor.as_deref(), ReplayPage { data, next }))
}

/// Get a replay with its report, which grows while it is running.
///
/// Without the scope `personal`, numbers are masked, and texts and questions are left out.
#[utoipa::path(get, path = "/v1/replays/{id}", operation_id = "getReplay", tag = "releases", security(("key" = [])),
    params(("id" = i64, Path, description = "The replay's id")),
    responses(
        (status = 200, description = "The replay and its report", body = ReplayDetail),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No replay has this id"),
    ))]
pub async fn get(
    Reader(caller): Reader,
    State(office): State<Office>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<ReplayDetail>, Problem> {
    let id = from_path(id)?;
    let found = find(&office, id).await?;
    Ok(Json(if caller.may(Scope::Personal) { found } else { found.without_personal() }))
}

/// Compare two replays: the numbers in which they differ.
#[utoipa::path(get, path = "/v1/replays/{id}/diff/{other}", operation_id = "diffReplays", tag = "releases",
    security(("key" = [])),
    params(
        ("id" = i64, Path, description = "The id of the one replay"),
        ("other" = i64, Path, description = "The id of the other"),
    ),
    responses(
        (status = 200, description = "Both replays, and the numbers in which they differ", body = ReplayDifference),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No replay has one of these ids"),
    ))]
pub async fn diff(
    _: Reader,
    State(office): State<Office>,
    replays: Result<Path<(i64, i64)>, PathRejection>,
) -> Result<Json<ReplayDifference>, Problem> {
    let (one, other) = from_path(replays)?;
    let (one, other) = (find(&office, one).await?, find(&office, other).await?);
    Ok(Json(one.compared_with(other)))
}

async fn find(office: &Office, id: i64) -> Result<ReplayDetail, Problem> {
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "replay_unknown", format!("No replay has the id {id}."));
    office.operate.replay(id).await?.ok_or_else(unknown)
}
