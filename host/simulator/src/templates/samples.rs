//! The templates that Meta puts into each new account.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Template, TemplateStatus, definition::parts};
use crate::ids;

/// The samples.
pub fn samples(now: Timestamp) -> impl Iterator<Item = Template> {
    let hello = json!([
        {"type": "HEADER", "format": "TEXT", "text": "Hello World"},
        {"type": "BODY", "text": "Welcome and congratulations!! This message demonstrates your ability to send a \
            WhatsApp message notification from the Cloud API, hosted by Meta. Thank you for taking the time to test \
            with us."},
        {"type": "FOOTER", "text": "WhatsApp Business Platform sample message"},
    ]);
    let shipping = json!([
        {"type": "BODY", "text": "Your package has been shipped. It will be delivered in {{1}} business days.",
         "example": {"body_text": [["2"]]}},
        {"type": "FOOTER", "text": "This message is from an unverified business."},
    ]);
    let issue = json!([
        {"type": "BODY", "text": "Hi {{1}}, were we able to solve the issue that you were facing?",
         "example": {"body_text": [["Mr. Jones"]]}},
        {"type": "FOOTER", "text": "This message is from an unverified business."},
        {"type": "BUTTONS", "buttons": [
            {"type": "QUICK_REPLY", "text": "Yes"},
            {"type": "QUICK_REPLY", "text": "No"},
        ]},
    ]);
    [("hello_world", hello), ("sample_shipping_confirmation", shipping), ("sample_issue_resolution", issue)]
        .into_iter()
        .map(move |(name, components)| sample(name, components, now))
}

fn sample(name: &str, components: Value, now: Timestamp) -> Template {
    let components = components.as_array().cloned().unwrap_or_default();
    Template {
        seq: 0,
        id: ids::object_id(),
        name: name.into(),
        language: "en_US".into(),
        category: "UTILITY".into(),
        status: TemplateStatus::Approved,
        named: false,
        parts: parts(&components, "UTILITY", false).unwrap_or_default(),
        components,
        rejected_reason: "NONE",
        ttl: None,
        created_at: now,
        edits: Vec::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_samples_pass_the_checks() {
        for sample in samples(Timestamp::UNIX_EPOCH) {
            parts(&sample.components, &sample.category, false).unwrap();
        }
    }
}
