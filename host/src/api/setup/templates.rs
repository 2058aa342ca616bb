//! `/v1/templates`: ours beside those at Meta.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Host;
use crate::{
    http::{Admin, Errors, JsonBody, Problem, ProblemError, Reader, from_path, invalid, sentence},
    operate::{Operator, PushChoice, Pushed, TemplateDifference, TemplateList, TemplatesError},
};

/// Maximum number of names in a body.
const NAMES: usize = 1_000;

/// List the templates of the live rules beside their versions at Meta, with Meta's states.
///
/// Meta is asked at most once a minute.
#[utoipa::path(get, path = "/v1/templates", operation_id = "listTemplates", tag = "templates", security(("key" = [])),
    responses(
        (status = 200, description = "The templates", body = TemplateList),
        (status = 409, description = "The host has no WhatsApp Business Account"),
        (status = 502, description = "Meta did not answer, or refused"),
    ))]
pub async fn list(_: Reader, State(host): State<Host>) -> Result<Json<TemplateList>, Problem> {
    Ok(Json(host.setup.templates().await.map_err(problem)?))
}

/// What a push would change of a template.
#[derive(Serialize, ToSchema)]
pub struct TemplateDifferences {
    /// An entry for each language in which the template is new or changed.
    data: Vec<TemplateDifference>,
}

/// Show line by line what a push would change of a template.
#[utoipa::path(get, path = "/v1/templates/{name}/diff", operation_id = "diffTemplate", tag = "templates",
    security(("key" = [])), params(("name" = String, Path, description = "The name of the template in the rules")),
    responses(
        (status = 200, description = "The differences; empty if a push would change nothing",
            body = TemplateDifferences),
        (status = 400, description = "The path is invalid"),
        (status = 404, description = "No template has this name"),
        (status = 409, description = "The host has no WhatsApp Business Account"),
        (status = 502, description = "Meta did not answer, or refused"),
    ))]
pub async fn diff(
    _: Reader,
    State(host): State<Host>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<TemplateDifferences>, Problem> {
    let name = from_path(name)?;
    Ok(Json(TemplateDifferences { data: host.setup.template_diff(&name).await.map_err(problem)? }))
}

/// Which templates to submit. Either `templates` or `all` chooses them.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"all": true}), json!({"templates": ["stock_low"], "dry_run": true})))]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The names of templates in the rules; at most 1,000.
    #[serde(default)]
    templates: Vec<String>,
    /// All that are new or changed.
    #[serde(default)]
    all: bool,
    /// List them without submitting them.
    #[serde(default)]
    dry_run: bool,
}

/// The templates that were submitted.
#[derive(Serialize, ToSchema)]
pub struct PushedTemplates {
    /// Those that are new or changed, with Meta's answers.
    data: Vec<Pushed>,
}

/// Submit new and changed templates to Meta for review.
///
/// A changed template becomes a new version under another name; the old version stays in use until the new one is approved.
/// Templates that Meta would reject for their form are left out: `GET /v1/templates` lists them.
#[utoipa::path(post, path = "/v1/templates/push", operation_id = "pushTemplates", tag = "templates",
    request_body = Push, security(("key" = [])),
    responses(
        (status = 200, description = "What was submitted", body = PushedTemplates),
        (status = 400, description = "The body is invalid, or chooses no templates"),
        (status = 409, description = "The host has no WhatsApp Business Account"),
        (status = 422, description = "No template has one of the names"),
        (status = 502, description = "Meta did not answer, or refused"),
    ))]
pub async fn push(
    Admin(caller): Admin,
    State(host): State<Host>,
    JsonBody(Push { templates, all, dry_run }): JsonBody<Push>,
) -> Result<Json<PushedTemplates>, Problem> {
    let choice = match (templates.len(), all) {
        (0, true) => PushChoice::All,
        (1..=NAMES, false) => PushChoice::Named(templates.clone()),
        (0, false) => {
            let detail = "The body chooses no templates: it needs templates or all.";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "nothing_chosen", detail));
        }
        (_, true) => return Err(invalid("The body must contain either templates or all.")),
        (_, false) => return Err(invalid(format!("The body must contain at most {NAMES} templates."))),
    };
    let by = Operator::by_key(caller.name());
    let pushed = host.setup.push_templates(&by, &choice, dry_run).await;
    Ok(Json(PushedTemplates { data: pushed.map_err(|error| about_body(error, &templates))? }))
}

fn problem(error: TemplatesError) -> Problem {
    let detail = sentence(&error.to_string());
    match error {
        TemplatesError::NoAccount => Problem::new(StatusCode::CONFLICT, "account_missing", detail),
        TemplatesError::Unknown(_) => Problem::new(StatusCode::NOT_FOUND, "template_unknown", detail),
        TemplatesError::Meta(_) => Problem::new(StatusCode::BAD_GATEWAY, "meta_failed", detail),
        TemplatesError::Store(error) => error.into(),
    }
}

/// The problem of a body that lists these templates at `/templates`.
fn about_body(error: TemplatesError, templates: &[String]) -> Problem {
    let TemplatesError::Unknown(unknown) = &error else { return problem(error) };
    let places = templates.iter().enumerate().filter(|(_, name)| unknown.contains(name));
    let errors: Errors = places
        .map(|(n, name)| ProblemError {
            at: format!("/templates/{n}"),
            detail: format!("unknown template {name:?}"),
        })
        .collect();
    let detail = sentence(&error.to_string());
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "template_unknown", detail).with_errors(errors)
}
