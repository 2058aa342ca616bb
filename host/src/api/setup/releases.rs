//! `/v1/releases`: releases of rules and plugins, compared and activated.

use axum::{
    Json,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, Uri},
    response::Response,
};
use hookswitch_core::{catalog::Findings, domain::LaneShare};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Host, page, shadow::WhenShadowClean};
use crate::{
    http::{
        Admin, Errors, JsonBody, Problem, ProblemError, Reader, attachment, from_path, invalid, last_of_full,
        page_limit, query, sentence,
    },
    operate::{
        Activated, ActivationError, CleanLimits, HowToActivate, NotActivated, Operator, ReleaseDetail,
        ReleaseDifference, ReleaseReport,
    },
    releases::ReleaseError,
};

/// Maximum length of a reason, in characters.
const REASON: usize = 1_000;

/// The query of a list of releases.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// List only releases after this place: `next` of the previous page.
    after: Option<String>,
    /// Maximum number of entries in the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<i64>,
}

/// A page of releases, the newest first.
#[derive(Serialize, ToSchema)]
pub struct ReleasePage {
    /// The releases.
    data: Vec<ReleaseReport>,
    /// `after` of the next page; null on the last page.
    next: Option<String>,
}

/// List releases of rules and plugins, the newest first: who created them, what their checks said, where they are live.
#[utoipa::path(get, path = "/v1/releases", operation_id = "listReleases", tag = "releases", params(Which),
    security(("key" = [])),
    responses(
        (status = 200, description = "A page of releases", body = ReleasePage,
            headers(("Link" = String, description = "The next page, with `rel=\"next\"`; absent on the last page"))),
        (status = 400, description = "The query is invalid"),
    ))]
pub async fn list(
    _: Reader,
    State(host): State<Host>,
    uri: Uri,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let Which { after, limit } = query(which)?;
    let limit = page_limit(limit)?;
    let after = after.as_deref().map(place).transpose()?;
    let data = host.setup.operate().releases(after, limit).await?;
    let next = last_of_full(&data, limit).map(|last| format!("{}_{}", last.created_at, last.id));
    let cursor = next.clone();
    Ok(page(&uri, "after", cursor.as_deref(), ReleasePage { data, next }))
}

fn place(text: &str) -> Result<(Timestamp, &str), Problem> {
    let place = text.split_once('_').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    place
        .filter(|(_, id)| !id.contains('\0'))
        .ok_or_else(|| invalid("The query parameter after must be `next` of the previous page."))
}

/// Get a release, with its files and its last activations.
#[utoipa::path(get, path = "/v1/releases/{release}", operation_id = "getRelease", tag = "releases", security(("key" = [])),
    params(("release" = String, Path, description = "At least the first 4 digits of its id")),
    responses(
        (status = 200, description = "The release", body = ReleaseDetail),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No release, or more than one, begins with these digits"),
    ))]
pub async fn get(
    _: Reader,
    State(host): State<Host>,
    release: Result<Path<String>, PathRejection>,
) -> Result<Json<ReleaseDetail>, Problem> {
    let release = from_path(release)?;
    Ok(Json(host.setup.operate().release(&release).await.map_err(problem)?))
}

/// Compare two releases: their files, line by line, and what the rules consist of.
#[utoipa::path(get, path = "/v1/releases/{release}/diff/{other}", operation_id = "diffReleases", tag = "releases",
    security(("key" = [])),
    params(
        ("release" = String, Path, description = "At least the first 4 digits of the id of the one"),
        ("other" = String, Path, description = "At least the first 4 digits of the id of the other"),
    ),
    responses(
        (status = 200, description = "What differs", body = ReleaseDifference),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No release, or more than one, begins with these digits"),
    ))]
pub async fn diff(
    _: Admin,
    State(host): State<Host>,
    releases: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<ReleaseDifference>, Problem> {
    let (from, to) = from_path(releases)?;
    Ok(Json(host.setup.operate().diff_releases(&from, &to).await.map_err(problem)?))
}

/// Get a file of a release, as it is.
#[utoipa::path(get, path = "/v1/releases/{release}/files/{sha256}", operation_id = "getReleaseFile", tag = "releases",
    security(("key" = [])),
    params(
        ("release" = String, Path, description = "At least the first 4 digits of its id"),
        ("sha256" = String, Path, description = "The SHA-256 of the file, as `GET /v1/releases/{release}` lists it"),
    ),
    responses(
        (status = 200, description = "The content, at most 100 MiB", content_type = "application/octet-stream",
            body = [u8]),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "The release is unknown, or has no such file"),
    ))]
pub async fn file(
    _: Admin,
    State(host): State<Host>,
    of: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let (release, sha256) = from_path(of)?;
    let found = host.setup.operate().release_content(&release, &sha256).await.map_err(problem)?;
    let Some((name, content)) = found else {
        let detail = format!("The release {release} has no file with the SHA-256 {sha256:?}.");
        return Err(Problem::new(StatusCode::NOT_FOUND, "file_unknown", detail));
    };
    let size = content.len() as u64;
    Ok(attachment("application/octet-stream", &name, Some(size), Body::from(content)))
}

/// How to activate a release.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"reason": "New texts for the spring"})))]
#[serde(deny_unknown_fields)]
pub struct ActivateRequest {
    /// Whether to activate it although cases fail; then a reason is needed. This is recorded.
    #[serde(default)]
    force: bool,
    /// The reason, at most 1000 characters; it is recorded.
    reason: Option<String>,
    /// The part of the subjects for which it decides, in percent: that share of the 64 lanes of events, always the same ones. The
    /// active release decides for the rest. A share only grows; without it, the release decides for all.
    #[schema(minimum = 1, maximum = 99)]
    share: Option<u8>,
    /// A condition: its last shadow, beside the release that is active now, found nothing beyond these limits, and either is
    /// under way or ended because its time was over. `{}` for the usual limits.
    when_shadow_clean: Option<WhenShadowClean>,
}

/// Check a release, run its cases, and make it live on all hosts that follow, within a second: for all events, or for a stable
/// share of the subjects.
#[utoipa::path(post, path = "/v1/releases/{release}/activate", operation_id = "activateRelease", tag = "releases",
    request_body = ActivateRequest, security(("key" = [])),
    params(("release" = String, Path, description = "At least the first 4 digits of its id")),
    responses(
        (status = 200, description = "The release is active", body = Activated),
        (status = 400, description = "The path or the body is invalid"),
        (status = 404, description = "No release, or more than one, begins with these digits"),
        (status = 409, description = "The release does not compile, or cases fail: `errors` says which; or it cannot have this \
            share: it would not grow, another release has one, or no release is active for the rest; or its shadow is not clean: \
            `errors` says why; or somebody else activated a release at the same time"),
    ))]
pub async fn activate(
    Admin(caller): Admin,
    State(host): State<Host>,
    release: Result<Path<String>, PathRejection>,
    JsonBody(ActivateRequest { force, reason, share, when_shadow_clean }): JsonBody<ActivateRequest>,
) -> Result<Json<Activated>, Problem> {
    let (release, reason) = (from_path(release)?, checked("/reason", reason)?);
    if force && reason.is_none() {
        return Err(invalid_member("/reason", "must say why, where force is true"));
    }
    let wrong = || invalid_member("/share", "must be a whole number from 1 to 99");
    let share = share.map(|percent| LaneShare::of_percent(percent).ok_or_else(wrong)).transpose()?;
    let by = Operator::by_key(caller.name());
    let when_clean = when_shadow_clean.map(CleanLimits::from);
    let how = HowToActivate { share, is_forced: force, reason: reason.as_deref(), when_clean };
    let activated = host.setup.activate_release(&by, &release, how).await;
    Ok(Json(activated.map_err(problem)?))
}

/// Why to go back.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"reason": "The new texts are wrong"})))]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The reason, at most 1000 characters; it is recorded.
    reason: Option<String>,
}

/// End the share of a release or, if none has a share, make the release live that was active before. Without checks.
#[utoipa::path(post, path = "/v1/releases/rollback", operation_id = "rollBackRelease", tag = "releases",
    request_body = Rollback, security(("key" = [])),
    responses(
        (status = 200, description = "The release that was active before is active", body = Activated),
        (status = 400, description = "The body is invalid"),
        (status = 409, description = "No other release was active before, or somebody else activated one at the same time"),
    ))]
pub async fn roll_back(
    Admin(caller): Admin,
    State(host): State<Host>,
    JsonBody(Rollback { reason }): JsonBody<Rollback>,
) -> Result<Json<Activated>, Problem> {
    let reason = checked("/reason", reason)?;
    let by = Operator::by_key(caller.name());
    Ok(Json(host.setup.operate().roll_back(&by, reason.as_deref()).await.map_err(problem)?))
}

pub(super) fn checked(at: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    match text.as_deref().map(str::trim) {
        None => Ok(None),
        Some("") => Err(invalid_member(at, "must not be empty; omit it if there is nothing to say")),
        Some(text) if text.chars().count() > REASON || text.contains('\0') => {
            let detail = format!("must have at most {REASON} characters, without U+0000");
            Err(invalid_member(at, &detail))
        }
        Some(text) => Ok(Some(text.to_owned())),
    }
}

pub(super) fn invalid_member(at: &str, detail: &str) -> Problem {
    let mut errors = Errors::default();
    errors.push(ProblemError { at: at.to_owned(), detail: detail.to_owned() });
    let detail = format!("The body is invalid: {at}: {detail}.");
    Problem::new(StatusCode::BAD_REQUEST, "invalid_value", detail).with_errors(errors)
}

pub(super) fn problem(error: ActivationError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        ActivationError::Unknown(_) => Problem::new(StatusCode::NOT_FOUND, "release_unknown", detail),
        ActivationError::Ambiguous(_) => Problem::new(StatusCode::NOT_FOUND, "release_ambiguous", detail),
        ActivationError::NoneBefore => Problem::new(StatusCode::CONFLICT, "no_earlier_release", detail),
        ActivationError::Not(NotActivated::NothingBeside) => {
            Problem::new(StatusCode::CONFLICT, "no_active_release", detail)
        }
        ActivationError::Not(NotActivated::IsActive(_) | NotActivated::Smaller { .. }) => {
            Problem::new(StatusCode::CONFLICT, "share_not_larger", detail)
        }
        ActivationError::Not(NotActivated::OtherShare { .. }) => {
            Problem::new(StatusCode::CONFLICT, "other_share", detail)
        }
        ActivationError::NotClean { wrong, .. } => {
            let mut errors = Errors::default();
            for detail in wrong {
                errors.push(ProblemError { at: "/when_shadow_clean".to_owned(), detail });
            }
            Problem::new(StatusCode::CONFLICT, "shadow_not_clean", detail).with_errors(errors)
        }
        ActivationError::Overtaken => Problem::new(StatusCode::CONFLICT, "activation_overtaken", detail),
        ActivationError::DoesNotCompile { findings, .. } => {
            let detail = "The release does not compile, so no host could load it.";
            found(StatusCode::CONFLICT, "release_invalid", detail, &findings)
        }
        ActivationError::CasesFail { findings, .. } => {
            let detail = "Cases of the release fail; with `force` and a `reason` it goes live all the same.";
            found(StatusCode::CONFLICT, "cases_fail", detail, &findings)
        }
        ActivationError::Release(ReleaseError::Store(error)) => error.into(),
        ActivationError::Release(ReleaseError::Path(_)) => invalid_member("/files", &error.to_string()),
        ActivationError::Release(ReleaseError::Missing(paths)) => {
            let mut errors = Errors::default();
            for path in paths {
                errors.push(ProblemError { at: path, detail: "the file was not uploaded".to_owned() });
            }
            let detail =
                "Files of the release were not uploaded: PUT them to /v1/release-files/{sha256} first.";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "files_missing", detail).with_errors(errors)
        }
        ActivationError::Release(ReleaseError::Unreadable(findings)) => {
            let detail = "The files are not those of rules and plugins.";
            found(StatusCode::UNPROCESSABLE_ENTITY, "release_unreadable", detail, &findings)
        }
        ActivationError::Release(error) => {
            tracing::error!(%error, "failed to work with a release");
            let detail = "The release could not be read or checked; the log of the host says why.";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "release_failed", detail)
        }
    }
}

/// A problem with what was found in a release.
pub(super) fn found(status: StatusCode, code: &'static str, detail: &str, findings: &Findings) -> Problem {
    let mut errors = Errors::default();
    for finding in &findings.findings {
        let at = match finding.line {
            0 => finding.file.clone(),
            line => format!("{}:{line}", finding.file),
        };
        errors.push(ProblemError { at, detail: finding.message.clone() });
    }
    Problem::new(status, code, detail).with_errors(errors)
}
