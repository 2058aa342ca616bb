//! `POST /v1/people/import`.

use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Desk;
use crate::{
    directory::differences,
    http::{Admin, Budget, Limits, MIB, Problem, invalid, query},
    store::{ImportOptions, Imported},
};

/// The maximum size of a CSV file of people, in bytes.
const CSV_LIMIT: usize = 2 * MIB;
/// Maximum number of people listed in the answer.
const LISTED: usize = 1_000;

/// The query of an import.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct How {
    /// Change nothing: answer what would change.
    #[param(default = false)]
    dry_run: bool,
    /// Also remove the file's people from groups that their lines do not name.
    #[param(default = false)]
    exact_groups: bool,
    /// Also deactivate all active people whom the file does not name.
    #[param(default = false)]
    deactivate_missing: bool,
}

/// The result of an import, or of its dry run.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportResult)]
pub struct ImportedJson {
    /// Number of people added.
    added: usize,
    /// Number of existing people who were changed.
    updated: usize,
    /// Number of existing people who already were as the file says.
    unchanged: u64,
    /// Number of people deactivated because the file does not name them.
    deactivated: usize,
    /// The people added, updated and deactivated: the first 1,000.
    changes: Vec<ChangeJson>,
    /// Usernames of people in the file who were deactivated before, and receive no messages: the first 1,000.
    inactive: Vec<String>,
    /// People of the file who share a WhatsApp user with others: the usernames for each user, the first 100. A message for
    /// several of them is sent once.
    shared: Vec<Vec<String>>,
}

/// What an import changed of a person.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedPerson)]
struct ChangeJson {
    /// The person.
    username: String,
    /// `added`, `updated` or `deactivated`.
    change: &'static str,
    /// What changed of an existing person, for people to read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
}

impl From<Imported> for ImportedJson {
    fn from(imported: Imported) -> Self {
        let Imported { added, updated, unchanged, deactivated, mut inactive, shared } = imported;
        let change =
            |username: &str, change, details| ChangeJson { username: username.to_owned(), change, details };
        inactive.truncate(LISTED);
        ImportedJson {
            added: added.len(),
            updated: updated.len(),
            unchanged,
            deactivated: deactivated.len(),
            changes: added
                .iter()
                .map(|person| change(&person.username, "added", Vec::new()))
                .chain(
                    updated.iter().map(|(before, after)| {
                        change(&after.username, "updated", differences(before, after))
                    }),
                )
                .chain(deactivated.iter().map(|username| change(username, "deactivated", Vec::new())))
                .take(LISTED)
                .collect(),
            inactive,
            shared,
        }
    }
}

/// Import people from CSV.
///
/// Adds new people and updates those whose usernames exist; nothing is changed if a line is invalid. The columns are
/// username, name, whatsapp, groups (separated by semicolons), quiet_hours and time_zone; fields are separated by commas,
/// semicolons or tabs. What a line leaves empty stays as it is, except for its groups with `exact_groups`. At most 2 MiB.
#[utoipa::path(post, path = "/v1/people/import", operation_id = "importPeople", tag = "people",
    params(How), security(("key" = [])),
    request_body(content = String, content_type = "text/csv",
        example = "username,name,whatsapp,groups\ntendai,Tendai Moyo,+263771234567,Sales Team; Finance Team\n"),
    responses(
        (status = 200, description = "What was changed; with `dry_run`, what would be", body = ImportedJson),
        (status = 400, description = "The query is invalid, or lines of the file are invalid or name groups that do not exist"),
    ))]
pub async fn import(
    Admin(caller): Admin,
    State(desk): State<Desk>,
    how: Result<Query<How>, QueryRejection>,
    headers: HeaderMap,
    csv: Body,
) -> Result<Json<ImportedJson>, Problem> {
    let How { dry_run, exact_groups, deactivate_missing } = query(how)?;
    let too_large =
        |_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The file is larger than 2 MiB.");
    let csv = desk.bodies.read(&headers, csv, Limits::new(Budget::Large, CSV_LIMIT), too_large).await?;
    if csv.bytes.contains(&0) {
        return Err(invalid("The file contains the character U+0000; it must be CSV in UTF-8.".to_owned()));
    }
    let options = ImportOptions { dry_run, exact_groups, deactivate_missing };
    let imported = desk.by(&caller).import(&csv.bytes, options, &mut |_| {}).await?;
    Ok(Json(imported.into()))
}
