//! A template's buttons.

use serde_json::Value;

use super::{
    definition::{no_example, too_long},
    variables::variables,
};
use crate::error::GraphError;

/// The longest label, in characters.
const LABEL: usize = 25;

/// What a send may put into a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonPart {
    /// Nothing: a fixed link or a phone number.
    Fixed,
    /// A payload that comes back; it may be left out.
    QuickReply,
    /// The end of the link.
    Url,
    /// A one-time code, which goes into the button as into a link.
    OneTimeCode,
    /// A code to copy.
    CopyCode,
}

fn error(text: impl Into<String>) -> GraphError {
    GraphError::parameter(text.into())
}

/// Checks the component of type BUTTONS.
pub fn buttons(component: &Value, category: &str) -> Result<Vec<ButtonPart>, GraphError> {
    let buttons = component["buttons"].as_array().filter(|buttons| !buttons.is_empty());
    let buttons = buttons.ok_or_else(|| error("Param buttons must be an array of at least one button."))?;
    if buttons.len() > 10 {
        return Err(error("Param buttons must have at most 10 buttons."));
    }
    let kinds: Vec<String> =
        buttons.iter().map(|button| button["type"].as_str().unwrap_or_default().to_uppercase()).collect();
    for (kind, limit) in [("URL", 2), ("PHONE_NUMBER", 1), ("COPY_CODE", 1), ("OTP", 1)] {
        if kinds.iter().filter(|other| *other == kind).count() > limit {
            return Err(error(format!("Param buttons must have at most {limit} of type {kind}.")));
        }
    }
    let is_authentication = category == "AUTHENTICATION";
    if kinds.iter().any(|kind| (kind == "OTP") != is_authentication) {
        return Err(error(
            "A button of type OTP is that of a template of the category AUTHENTICATION, which has no other.",
        ));
    }
    let mut groups = kinds.clone();
    groups.dedup_by(|a, b| (a == "QUICK_REPLY") == (b == "QUICK_REPLY"));
    if groups.iter().filter(|kind| *kind == "QUICK_REPLY").count() > 1 {
        return Err(error("Param buttons must have its quick replies next to each other."));
    }
    buttons.iter().zip(&kinds).map(|(button, kind)| part(button, kind)).collect()
}

fn part(button: &Value, kind: &str) -> Result<ButtonPart, GraphError> {
    let text = button["text"].as_str().unwrap_or_default();
    if text.chars().count() > LABEL {
        return Err(too_long("BUTTON", LABEL));
    }
    if text.is_empty() && !matches!(kind, "COPY_CODE" | "OTP") {
        return Err(error(format!("Param text is required for a button of type {kind}.")));
    }
    match kind {
        "QUICK_REPLY" => Ok(ButtonPart::QuickReply),
        "PHONE_NUMBER" => match button["phone_number"].as_str() {
            Some(number) if (1..=20).contains(&number.len()) => Ok(ButtonPart::Fixed),
            _ => Err(error("Param phone_number must be of 1 to 20 characters.")),
        },
        "URL" => url(button),
        "COPY_CODE" => match button["example"].as_str().or(button["example"][0].as_str()) {
            Some(code) if (1..=15).contains(&code.chars().count()) => Ok(ButtonPart::CopyCode),
            Some(_) => Err(too_long("COPY_CODE", 15)),
            None => Err(no_example("BUTTONS")),
        },
        "OTP" => match button["otp_type"].as_str().unwrap_or_default().to_uppercase().as_str() {
            "COPY_CODE" | "ONE_TAP" | "ZERO_TAP" => Ok(ButtonPart::OneTimeCode),
            _ => Err(error("Param otp_type must be one of {COPY_CODE, ONE_TAP, ZERO_TAP}.")),
        },
        "FLOW" => {
            Err(error("A button of type FLOW needs a flow at Meta, which the simulator does not have."))
        }
        "MPM" | "SPM" | "CATALOG" => Err(error(format!(
            "A button of type {kind} needs a product catalogue at Meta, which the simulator does not have."
        ))),
        other => Err(error(format!(
            "Param type must be one of {{QUICK_REPLY, PHONE_NUMBER, URL, COPY_CODE, OTP}} - got \"{other}\"."
        ))),
    }
}

fn url(button: &Value) -> Result<ButtonPart, GraphError> {
    let url = button["url"].as_str().unwrap_or_default();
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        return Err(error("Param url is not a valid URL."));
    }
    if url.chars().count() > 2000 {
        return Err(too_long("URL", 2000));
    }
    match variables(url).map_err(error)?.as_slice() {
        [] => Ok(ButtonPart::Fixed),
        [variable] if variable.place.end == url.len() => {
            let example = &button["example"];
            if example.is_string() || example.as_array().is_some_and(|examples| examples.len() == 1) {
                Ok(ButtonPart::Url)
            } else {
                Err(no_example("BUTTONS"))
            }
        }
        _ => Err(error("Param url may have one variable, at its end.")),
    }
}
