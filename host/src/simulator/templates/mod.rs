//! Message templates: Meta's checks at creation, review, states, and whether a send fits.

mod buttons;
mod definition;
mod endpoints;
mod fit;
mod samples;
mod variables;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::{
    definition::Parts,
    endpoints::{Query, create, delete, edit, get, list, set_status, unpause},
    fit::{fit, missing},
};
use super::{error::GraphError, ids};

/// A template whose name contains this is rejected in review.
pub const REJECTION_MARKER: &str = "simulate_rejection";
/// How many templates an account may have (Meta, verified accounts).
const TEMPLATES: usize = 6_000;

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
    fn as_str(self) -> &'static str {
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
    edits: Vec<Timestamp>,
}

impl Template {
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
            "quality_score": {"score": "UNKNOWN"},
            "rejected_reason": self.rejected_reason,
        });
        if let Some(ttl) = self.ttl {
            value["message_send_ttl_seconds"] = ttl.into();
        }
        value
    }

    /// The value of a `message_template_status_update` webhook.
    fn event(&self, event: &str, reason: &str) -> Value {
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
    fn verdict(&self) -> (TemplateStatus, &'static str) {
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

/// All templates of the account, in the order of their creation.
#[derive(Default)]
pub struct Templates {
    all: Vec<Template>,
    by_name: HashMap<String, Vec<usize>>,
    reviews: Vec<(Instant, String)>,
    blocked: HashMap<(String, String), Timestamp>,
}

impl Templates {
    /// With the samples that Meta puts into each new account.
    pub fn with_samples() -> Self {
        let mut templates = Templates::default();
        templates.all.extend(samples::samples());
        templates.index();
        templates
    }

    fn index(&mut self) {
        self.by_name.clear();
        for (index, template) in self.all.iter().enumerate() {
            self.by_name.entry(template.name.clone()).or_default().push(index);
        }
    }

    /// All of them.
    pub fn all(&self) -> &[Template] {
        &self.all
    }

    /// By name and language.
    pub fn find(&self, name: &str, language: &str) -> Option<&Template> {
        let indices = self.by_name.get(name)?;
        indices.iter().map(|index| &self.all[*index]).find(|template| template.language == language)
    }

    fn by_id(&mut self, id: &str) -> Option<&mut Template> {
        self.all.iter_mut().find(|template| template.id == id)
    }

    fn add(&mut self, template: Template) -> Result<(), GraphError> {
        if self.all.len() >= TEMPLATES {
            return Err(GraphError::template(
                2_388_019,
                "Message template limit exceeded",
                format!("This account has {TEMPLATES} templates, which is the limit."),
            ));
        }
        self.by_name.entry(template.name.clone()).or_default().push(self.all.len());
        self.all.push(template);
        Ok(())
    }

    fn submit(&mut self, id: &str, now: Instant, review_ms: u64) {
        self.reviews.retain(|(_, other)| other != id);
        self.reviews.push((now + Duration::from_millis(review_ms), id.to_owned()));
    }

    /// When the next review ends.
    pub fn next_review(&self) -> Option<Instant> {
        self.reviews.iter().map(|(at, _)| *at).min()
    }

    /// Ends the reviews that are due; returns the values of their webhooks.
    pub fn review(&mut self, now: Instant) -> Vec<Value> {
        if self.next_review().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let due: Vec<String> = self.reviews.extract_if(.., |(at, _)| *at <= now).map(|(_, id)| id).collect();
        let mut values = Vec::new();
        for id in due {
            let Some(template) = self.by_id(&id) else { continue };
            let (status, reason) = template.verdict();
            template.status = status;
            template.rejected_reason = reason;
            values.push(template.event(status.as_str(), reason));
        }
        values
    }

    fn remove(&mut self, gone: impl Fn(&Template) -> bool, now: Timestamp) -> usize {
        let before = self.all.len();
        let blocked_until = now.checked_add(SignedDuration::from_hours(30 * 24)).unwrap_or(now);
        for template in self.all.iter().filter(|template| gone(template)) {
            if template.status == TemplateStatus::Approved {
                let key = (template.name.clone(), template.language.clone());
                self.blocked.insert(key, blocked_until);
            }
        }
        self.all.retain(|template| !gone(template));
        self.index();
        before - self.all.len()
    }
}

fn new_id() -> String {
    ids::object_id()
}
