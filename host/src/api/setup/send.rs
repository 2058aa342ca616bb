//! `POST /v1/send`: a test message.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hookswitch_core::domain::{EventKey, did_you_mean};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Host;
use crate::{
    http::{Acting, JsonBody, Problem, ProblemError, Scope, invalid, sentence},
    operate::{Operator, SendError, TestMessage, TriedNotification},
};

/// A test message.
#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"template": "stock_low", "to": "tendai", "context": {"item": "Inverter"}, "dry_run": true})))]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The name of the template in the rules.
    template: String,
    /// A username, a group, or a number with its country code.
    to: String,
    /// Values for the template.
    #[serde(default)]
    #[schema(value_type = Object)]
    context: BTreeMap<String, Value>,
    /// Show the messages without sending them.
    #[serde(default)]
    dry_run: bool,
}

/// A test message that is sent, or would be.
#[derive(Serialize, ToSchema)]
pub struct SentMessage {
    /// The event that carries it, whose history tells how far it has come; null in a dry run.
    event: Option<EventKey>,
    /// The messages and their recipients; of a group, the first 1,000 members.
    notifications: Vec<TriedNotification>,
}

/// Send a test message. It takes the same path as every event, with the type `hookswitch.test`.
///
/// Without the scope `personal`, numbers are masked and texts left out.
#[utoipa::path(post, path = "/v1/send", operation_id = "sendMessage", tag = "messages", request_body = NewMessage,
    security(("key" = [])),
    responses(
        (status = 200, description = "A dry run: the messages that would be sent", body = SentMessage),
        (status = 202, description = "The message is on its way", body = SentMessage,
            headers(("Location" = String, description = "The path of the event's history"))),
        (status = 400, description = "The body is invalid"),
        (status = 422, description = "The template, a variable or the recipient does not exist, or the message cannot be made"),
    ))]
pub async fn send(
    Acting(caller): Acting,
    State(host): State<Host>,
    JsonBody(NewMessage { template, to, context, dry_run }): JsonBody<NewMessage>,
) -> Result<Response, Problem> {
    if template.contains('\0') || to.contains('\0') {
        return Err(invalid("The request must not contain the character U+0000."));
    }
    let message = TestMessage { template, to, context };
    let (prepared, mut notifications) = host.setup.prepare_message(message).await.map_err(problem)?;
    if !caller.may(Scope::Personal) {
        notifications.iter_mut().for_each(TriedNotification::hide_personal);
    }
    if dry_run {
        return Ok(Json(SentMessage { event: None, notifications }).into_response());
    }
    let by = Operator::by_key(caller.name());
    let key = host.setup.operate().send_message(&by, &prepared).await?;
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let location = format!("/v1/events/{}?source={}", encoded(&key.id), encoded(&key.source));
    let sent = SentMessage { event: Some(key), notifications };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(sent)).into_response())
}

fn problem(error: SendError) -> Problem {
    let what = error.to_string();
    let (code, at, help) = match &error {
        SendError::TemplateUnknown { name, known } => {
            ("template_unknown", "/template".to_owned(), Some(meant(name, known)))
        }
        SendError::VariableUnknown { name, known, .. } => {
            ("variable_unknown", pointer(name), Some(meant(name, known)))
        }
        SendError::RecipientUnknown { help, .. } => {
            ("recipient_unknown", "/to".to_owned(), Some(help.clone()))
        }
        SendError::Refused { missing, .. } => {
            let missing = (!missing.is_empty()).then(|| format!("no value for {}", missing.join(", ")));
            ("message_refused", "/context".to_owned(), missing)
        }
        SendError::ValueUnfit { name, .. } => {
            let error = ProblemError { at: pointer(name), detail: what.clone() };
            let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_value", sentence(&what));
            return problem.with_errors(vec![error]);
        }
        SendError::Store(_) => {
            let SendError::Store(error) = error else { return invalid(what) };
            return error.into();
        }
    };
    let detail = help.map_or_else(|| what.clone(), |help| format!("{what}; {help}"));
    let error = ProblemError { at, detail: what };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, sentence(&detail)).with_errors(vec![error])
}

fn meant(name: &str, known: &[String]) -> String {
    did_you_mean(name, known.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The place of a value in the body (RFC 6901).
fn pointer(variable: &str) -> String {
    format!("/context/{}", variable.replace('~', "~0").replace('/', "~1"))
}
