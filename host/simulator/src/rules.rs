//! Meta's rules about a send beyond its shape: limits, templates, media and the recipient.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Enforcement,
    check::{self, Checked},
    error::GraphError,
    state::State,
    templates,
};

/// Checks how many messages the number sends, and how many to this recipient.
pub fn limits(
    state: &mut State,
    phone_number_id: &str,
    message: &Checked<'_>,
    now: Instant,
) -> Result<(), GraphError> {
    if state.throughput(phone_number_id).is_some_and(|bucket| !bucket.take(now)) {
        return Err(GraphError::new(130_429, "Cloud API message throughput has been reached."));
    }
    let pair = format!("{phone_number_id}/{}", message.recipient.key());
    if state.pairs.as_mut().is_some_and(|pairs| !pairs.take(&pair, now)) {
        return Err(GraphError::new(
            131_056,
            "Message failed to send because there were too many messages sent from this phone number to the same \
             phone number in a short period of time.",
        ));
    }
    Ok(())
}

/// The message's category; checks that its template exists and fits.
pub fn category(state: &State, message: &Checked<'_>) -> Result<String, GraphError> {
    let Some(send) = &message.template else { return Ok("service".into()) };
    match state.templates.find(send.name, send.language) {
        Some(template) => {
            templates::fit(template, send)?;
            if template.category == "AUTHENTICATION" && message.recipient.wa_id.is_none() {
                return Err(GraphError::new(131_062, "Authentication templates cannot be sent to a user id"));
            }
            Ok(template.category.to_lowercase())
        }
        None if state.knobs.unknown_templates => Ok("utility".into()),
        None => Err(templates::missing(send)),
    }
}

/// Checks that media which is named by id is there; the code with which the message will fail where it is of another
/// type than the message.
pub fn media(
    state: &State,
    phone_number_id: &str,
    body: &Value,
    kind: &str,
    at: Timestamp,
) -> Result<Option<u32>, GraphError> {
    let mut unfit = None;
    for named in check::media_references(body, kind) {
        let Some(media) = state.media.find(&named.id, Some(phone_number_id), at) else {
            return Err(GraphError::parameter(format!(
                "Param {} is not a valid whatsapp business account media attachment ID",
                named.place
            )));
        };
        // Any file can be sent as a document.
        if named.kind != "document" && named.kind != media.kind.message {
            unfit = Some(131_053);
        }
    }
    Ok(unfit)
}

/// Rules about the recipient: an error, or the code with which the message will fail.
pub fn refusal(
    state: &State,
    message: &Checked<'_>,
    category: &str,
    in_window: bool,
) -> Result<Option<u32>, GraphError> {
    let knobs = &state.knobs;
    let key = message.recipient.key();
    let listed = |numbers: &[String]| numbers.iter().any(|number| number == key);
    let (how, code, details) = if listed(&knobs.not_on_whatsapp) {
        (knobs.recipient_errors, 131_026, "Message undeliverable: the recipient is not on WhatsApp.")
    } else if category == "marketing" && listed(&knobs.opted_out) {
        let details = "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages \
                       on WhatsApp from your business";
        (knobs.recipient_errors, 131_050, details)
    } else if category == "service" && !in_window {
        let details = "Message failed to send because more than 24 hours have passed since the customer last replied \
                       to this number.";
        (knobs.window, 131_047, details)
    } else {
        return Ok(None);
    };
    match how {
        Enforcement::Sync => Err(GraphError::new(code, details)),
        Enforcement::Async => Ok(Some(code)),
        Enforcement::Off => Ok(None),
    }
}
