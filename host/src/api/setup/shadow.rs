//! `/v1/shadow`: a release that decides beside the live one, and sends nothing.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hookswitch_core::{decide, domain::LaneShare};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Host,
    releases::{checked, found, invalid_member, problem},
};
use crate::{
    http::{Admin, JsonBody, Problem, Reader, Scope, from_path, sentence},
    operate::{
        ActivationError, CleanLimits, NewShadow as New, NoShadow, Operator, ShadowDetail, ShadowReport,
    },
    releases::short,
};

/// How to try a release on live events.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"for": "2h", "share": 20, "note": "New texts for the spring"})))]
#[serde(deny_unknown_fields)]
pub struct NewShadow {
    /// How long: a number and a unit, for example `90s`, `10m`, `2h` or `1d`; at most `30d`.
    #[serde(rename = "for")]
    time: String,
    /// The part of the subjects that is looked at, in percent: that share of the 64 lanes of events. Without it, all.
    #[schema(minimum = 1, maximum = 99)]
    share: Option<u8>,
    /// What there is to say about it, at most 1000 characters.
    note: Option<String>,
}

/// What the shadow of a release may have found for it to be activated.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhenShadowClean {
    /// Maximum number of events that are decided differently.
    #[schema(default = 0)]
    differences: Option<u64>,
    /// Maximum number of events for which the rules fail, and those of the active release do not.
    #[schema(default = 0)]
    failures: Option<u64>,
    /// How much more CPU time the rules may take, at most, in percent.
    #[schema(default = 50)]
    slower_percent: Option<u32>,
    /// Minimum number of events that were compared.
    #[schema(default = 100)]
    events: Option<u64>,
}

impl From<WhenShadowClean> for CleanLimits {
    fn from(of: WhenShadowClean) -> Self {
        let usual = CleanLimits::default();
        CleanLimits {
            differences: of.differences.unwrap_or(usual.differences),
            failures: of.failures.unwrap_or(usual.failures),
            slower: of.slower_percent.unwrap_or(usual.slower),
            events: of.events.unwrap_or(usual.events),
        }
    }
}

/// Let a release decide beside the active one about the events that are accepted from now on. Nothing is sent.
///
/// A host decides each event once more, after it was decided, with the answers that the active release got, and compares the
/// messages, as in a replay. It does so on one thread that yields to its other work. The shadow ends when its time is over, when
/// its rules fail too often or take too long, or when another release is activated. One shadow at a time.
#[utoipa::path(post, path = "/v1/releases/{release}/shadow", operation_id = "createShadow", tag = "releases",
    request_body = NewShadow, security(("key" = [])),
    params(("release" = String, Path, description = "At least the first 4 digits of its id")),
    responses(
        (status = 201, description = "The shadow is under way", body = ShadowReport,
            headers(("Location" = String, description = "The shadow"))),
        (status = 400, description = "The path or the body is invalid"),
        (status = 404, description = "No release, or more than one, begins with these digits"),
        (status = 409, description = "The release does not compile, or cases fail: `errors` says which; or a shadow is under way, \
            another release has a share, or none is active"),
    ))]
pub async fn create(
    Admin(caller): Admin,
    State(host): State<Host>,
    release: Result<Path<String>, PathRejection>,
    JsonBody(NewShadow { time, share, note }): JsonBody<NewShadow>,
) -> Result<Response, Problem> {
    let (release, note) = (from_path(release)?, checked("/note", note)?);
    let time = decide::duration(&time).map_err(|why| invalid_member("/for", &why))?;
    let wrong = || invalid_member("/share", "must be a whole number from 1 to 99");
    let share = share.map(|percent| LaneShare::of_percent(percent).ok_or_else(wrong)).transpose()?;
    let by = Operator::by_key(caller.name());
    let new = New { time, share, note: note.as_deref() };
    let started = host.setup.start_shadow(&by, &release, new).await.map_err(refused)?;
    Ok((StatusCode::CREATED, [(header::LOCATION, "/v1/shadow")], Json(started)).into_response())
}

fn refused(error: NoShadow) -> Problem {
    let detail = sentence(&error.to_string());
    let conflict = |code| Problem::new(StatusCode::CONFLICT, code, detail.clone());
    match error {
        NoShadow::Time => invalid_member("/for", &error.to_string()),
        NoShadow::NothingBeside => conflict("no_active_release"),
        NoShadow::Share(_) => conflict("other_share"),
        NoShadow::UnderWay => conflict("shadow_under_way"),
        NoShadow::Release(ActivationError::CasesFail { release, findings }) => {
            let detail = format!("Cases of the release {} fail, so it is not tried.", short(&release));
            found(StatusCode::CONFLICT, "cases_fail", &detail, &findings)
        }
        NoShadow::Release(error) => problem(error),
    }
}

/// Get the shadow that is under way, or the last one, with what it found.
///
/// Without the scope `personal`, numbers are masked, and texts and questions are left out.
#[utoipa::path(get, path = "/v1/shadow", operation_id = "getShadow", tag = "releases", security(("key" = [])),
    responses(
        (status = 200, description = "The shadow and its report", body = ShadowDetail),
        (status = 404, description = "No release has been a shadow yet"),
    ))]
pub async fn get(Reader(caller): Reader, State(host): State<Host>) -> Result<Json<ShadowDetail>, Problem> {
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, "shadow_unknown", "No release has been a shadow yet.");
    let found = host.setup.operate().shadow().await?.ok_or_else(unknown)?;
    Ok(Json(if caller.may(Scope::Personal) { found } else { found.without_personal() }))
}

/// Stop the shadow that is under way. What it found stays.
#[utoipa::path(delete, path = "/v1/shadow", operation_id = "stopShadow", tag = "releases", security(("key" = [])),
    responses(
        (status = 200, description = "The shadow, which has ended", body = ShadowReport),
        (status = 404, description = "No shadow is under way"),
    ))]
pub async fn stop(Admin(caller): Admin, State(host): State<Host>) -> Result<Json<ShadowReport>, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "shadow_unknown", "No shadow is under way.");
    let by = Operator::by_key(caller.name());
    Ok(Json(host.setup.operate().stop_shadow(&by).await?.ok_or_else(none)?))
}
