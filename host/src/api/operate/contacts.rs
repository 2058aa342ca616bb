//! `/v1/contacts/{contact}`: opted out and in, linked to a person.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use hookswitch_core::domain::OptOutScope;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Office;
use crate::{
    directory::{DirectoryError, PersonJson},
    http::{Admin, JsonBody, Problem, ProblemError, from_path, invalid, sentence},
    operate::Operator,
};

/// An opt-out.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"scope": "all"})))]
#[serde(deny_unknown_fields)]
#[schema(as = NewOptOut)]
pub struct OptOutJson {
    /// The messages that are no longer sent; all messages by default.
    #[serde(default)]
    scope: OptOutScope,
}

/// Opt a contact out.
#[utoipa::path(put, path = "/v1/contacts/{contact}/opt-out", operation_id = "optOutContact", tag = "contacts",
    request_body = OptOutJson, security(("key" = [])),
    params(("contact" = String, Path, description = "A number, a user id, or the username of a linked person")),
    responses(
        (status = 204, description = "The contact is opted out"),
        (status = 400, description = "The path or the body is invalid"),
    ))]
pub async fn opt_out(
    Admin(caller): Admin,
    State(office): State<Office>,
    contact: Result<Path<String>, PathRejection>,
    JsonBody(opt_out): JsonBody<OptOutJson>,
) -> Result<StatusCode, Problem> {
    let by = Operator::by_key(caller.name());
    office.operate.opt_out(&by, &name(contact)?, opt_out.scope).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Opt a contact in again.
#[utoipa::path(delete, path = "/v1/contacts/{contact}/opt-out", operation_id = "optInContact", tag = "contacts",
    security(("key" = [])),
    params(("contact" = String, Path, description = "A number, a user id, or the username of a linked person")),
    responses(
        (status = 204, description = "The contact is not opted out"),
        (status = 400, description = "The path is invalid"),
    ))]
pub async fn opt_in(
    Admin(caller): Admin,
    State(office): State<Office>,
    contact: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    office.operate.opt_in(&Operator::by_key(caller.name()), &name(contact)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A link of a contact to a person.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"username": "tendai"})))]
#[serde(deny_unknown_fields)]
pub struct ContactLink {
    /// The username of the person.
    username: String,
}

/// Link a contact to a person, who then gets their messages there.
///
/// The contact must be known: it has written in or was written to. `PATCH /v1/people/{username}` links any number.
#[utoipa::path(post, path = "/v1/contacts/{contact}/link", operation_id = "linkContact", tag = "contacts",
    request_body = ContactLink, security(("key" = [])),
    params(("contact" = String, Path, description = "A number or a user id")),
    responses(
        (status = 200, description = "The person with the new link", body = PersonJson),
        (status = 400, description = "The path or the body is invalid"),
        (status = 404, description = "No contact has this number or user id"),
        (status = 422, description = "No person has this username"),
    ))]
pub async fn link(
    Admin(caller): Admin,
    State(office): State<Office>,
    contact: Result<Path<String>, PathRejection>,
    JsonBody(ContactLink { username }): JsonBody<ContactLink>,
) -> Result<Json<PersonJson>, Problem> {
    let contact = name(contact)?;
    if username.contains('\0') {
        return Err(invalid("A name must not contain the character U+0000."));
    }
    let by = Operator::by_key(caller.name());
    let linked = office.operate.link_contact(&by, &contact, &username).await;
    linked.map_err(|error| match error {
        DirectoryError::PersonUnknown(_) => {
            let detail = error.to_string();
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "person_unknown", sentence(&detail));
            problem.with_errors(vec![ProblemError { at: "/username".to_owned(), detail }])
        }
        error => error.into(),
    })?;
    let person = office.operate.person(&username).await?;
    let person = person.ok_or_else(|| DirectoryError::PersonUnknown(vec![username]))?;
    Ok(Json(person.into()))
}

/// The contact in a path. U+0000 is refused here: PostgreSQL cannot store it.
fn name(path: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let name = from_path(path)?;
    if name.contains('\0') {
        return Err(invalid("A name must not contain the character U+0000."));
    }
    Ok(name)
}
