//! `PUT /v1/release-files/{sha256}` and `POST /v1/releases`: a release of files that are uploaded, for example by CI.

use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    Host,
    releases::{checked, problem},
};
use crate::{
    http::{Admin, Budget, JsonBody, Limits, MIB, Problem, from_path, invalid},
    operate::{Operator, ReleaseReport},
};

/// Maximum size of a file, in bytes. The command line has no such limit.
const LARGEST: usize = 15 * MIB;
/// Maximum number of files of a release.
const FILES: usize = 10_000;

/// Upload a file of a release, by its SHA-256. A file that no release names within a day is dropped.
#[utoipa::path(put, path = "/v1/release-files/{sha256}", operation_id = "addReleaseFile", tag = "releases",
    security(("key" = [])),
    params(("sha256" = String, Path, description = "The SHA-256 of the file, in hexadecimal digits")),
    request_body(content = [u8], content_type = "application/octet-stream",
        description = "The file, at most 15 MiB; `hookswitch release create` takes larger ones"),
    responses(
        (status = 204, description = "The file is stored"),
        (status = 400, description = "The path is invalid, or the body has another SHA-256"),
    ))]
pub async fn upload(
    _: Admin,
    State(host): State<Host>,
    sha256: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let sha256 = from_path(sha256)?;
    let sha256 =
        hash(&sha256).ok_or_else(|| invalid("The path must end with a SHA-256: 64 hexadecimal digits."))?;
    let (head, body) = request.into_parts();
    let too_large = |limit| {
        let detail = format!("A file of a release must have at most {} MiB here.", limit / MIB);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", detail)
    };
    let body = host.bodies.read(&head.headers, body, Limits::new(Budget::Large, LARGEST), too_large).await?;
    if Sha256::digest(&body.bytes)[..] != sha256[..] {
        return Err(invalid("The SHA-256 of the body is not the one in the path."));
    }
    host.setup.operate().add_release_file(&sha256, &body.bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn hash(text: &str) -> Option<Vec<u8>> {
    hex::decode(text).ok().filter(|bytes| bytes.len() == 32)
}

/// A release to create.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"note": "New texts", "files": [{"path": "rules/groups.yaml",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]})))]
#[serde(deny_unknown_fields)]
pub struct NewRelease {
    /// What is said of it, at most 1000 characters.
    note: Option<String>,
    /// Its files, which were uploaded before. What the rules do not use, for example `README.md`, is left out.
    files: Vec<NewFile>,
}

/// A file of a release to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFile {
    /// `rules/…` or `plugins/…`.
    path: String,
    /// The SHA-256 of its content, in hexadecimal digits.
    sha256: String,
}

/// A release that was created, or was there before.
#[derive(Serialize, ToSchema)]
pub struct Created {
    /// The release.
    release: ReleaseReport,
    /// Whether it is new: the same files are the same release.
    created: bool,
}

/// Create a release of files that were uploaded, check it and run its cases. It does not go live.
#[utoipa::path(post, path = "/v1/releases", operation_id = "createRelease", tag = "releases", request_body = NewRelease,
    security(("key" = [])),
    responses(
        (status = 200, description = "The same release exists", body = Created),
        (status = 201, description = "The release; its verdict says whether cases fail", body = Created),
        (status = 400, description = "The body is invalid"),
        (status = 422, description = "Files were not uploaded, or are not those of rules and plugins"),
    ))]
pub async fn create(
    Admin(caller): Admin,
    State(host): State<Host>,
    JsonBody(NewRelease { note, files }): JsonBody<NewRelease>,
) -> Result<Response, Problem> {
    let note = checked("/note", note)?;
    if files.is_empty() || files.len() > FILES {
        return Err(invalid(format!("A release must have 1 to {FILES} files.")));
    }
    let mut all = Vec::with_capacity(files.len());
    for NewFile { path, sha256 } in files {
        let Some(sha256) = hash(&sha256) else {
            return Err(invalid(format!("The SHA-256 of {path:?} must have 64 hexadecimal digits.")));
        };
        all.push((path, sha256));
    }
    let by = Operator::by_key(caller.name());
    let created = host.setup.create_release(&by, &all, note.as_deref()).await;
    let created = created.map_err(|error| problem(error.into()))?;
    let status = if created.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Created { release: created.release, created: created.is_new })).into_response())
}
