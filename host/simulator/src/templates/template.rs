//! One template.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::definition::Parts;

/// A template whose name contains this is rejected in review.
pub const REJECTION_MARKER: &str = "simulate_rejection";

/// Where a template stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TemplateStatus {
    /// In review.
    Pending,
    /// May be sent.
    Approved,
    /// Did not pass the review.
    Rejected,
    /// Paused for low quality.
    Paused,
    /// Paused too often.
    Disabled,
}

impl TemplateStatus {
    /// As Meta writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            TemplateStatus::Pending => "PENDING",
            TemplateStatus::Approved => "APPROVED",
            TemplateStatus::Rejected => "REJECTED",
            TemplateStatus::Paused => "PAUSED",
            TemplateStatus::Disabled => "DISABLED",
        }
    }
}

/// A template in one language.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its place in the order of creation, given by the store.
    pub seq: u64,
    /// Meta's id: digits.
    pub id: String,
    /// The name.
    pub name: String,
    /// The language, such as `en_US`.
    pub language: String,
    /// `MARKETING`, `UTILITY` or `AUTHENTICATION`.
    pub category: String,
    /// Where it stands.
    pub status: TemplateStatus,
    /// Whether its variables are named.
    pub named: bool,
    /// As it was given.
    pub components: Vec<Value>,
    /// What a send must fit.
    pub parts: Parts,
    /// Why it was rejected: `NONE` where it was not.
    pub rejected_reason: &'static str,
    /// `message_send_ttl_seconds`.
    pub ttl: Option<i64>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was edited while approved.
    pub edits: Vec<Timestamp>,
}

impl Template {
    /// Nobody blocks or reports what the simulator sends, so there is no score.
    pub fn quality_score(&self) -> &'static str {
        "UNKNOWN"
    }

    /// As Meta shows it.
    pub fn value(&self) -> Value {
        let mut value = json!({
            "id": self.id,
            "name": self.name,
            "language": self.language,
            "status": self.status,
            "category": self.category,
            "parameter_format": if self.named { "NAMED" } else { "POSITIONAL" },
            "components": self.components,
            "quality_score": {"score": self.quality_score(), "date": self.created_at.as_second()},
            "rejected_reason": self.rejected_reason,
        });
        if let Some(ttl) = self.ttl {
            value["message_send_ttl_seconds"] = ttl.into();
        }
        value
    }

    /// The value of a `message_template_status_update` webhook.
    pub fn event(&self, event: &str, reason: &str) -> Value {
        let mut value = json!({
            "event": event,
            "message_template_id": self.id.parse::<u64>().unwrap_or_default(),
            "message_template_name": self.name,
            "message_template_language": self.language,
            "reason": reason,
            "message_template_category": self.category,
        });
        if event == "REJECTED" {
            value["rejection_info"] = json!({
                "reason": "The template's format does not follow the guidelines.",
                "recommendation": "Change the template and submit it again.",
            });
        }
        value
    }

    /// What the review will say of it.
    pub fn verdict(&self) -> (TemplateStatus, &'static str) {
        let adjacent = self
            .parts
            .body
            .windows(2)
            .any(|pair| self.parts.text[pair[0].place.end..pair[1].place.start].trim().is_empty());
        if adjacent || self.name.contains(REJECTION_MARKER) {
            (TemplateStatus::Rejected, "INVALID_FORMAT")
        } else {
            (TemplateStatus::Approved, "NONE")
        }
    }
}
