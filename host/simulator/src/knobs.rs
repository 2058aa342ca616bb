//! What can be changed while the simulator runs: delays, faults, and the shape of its webhooks.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fault;

/// All of them. A fraction is in 0..=1 and is drawn anew for each message or update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Knobs {
    /// Milliseconds before each answer to a send.
    pub latency_ms: u64,
    /// Milliseconds from the send to `sent`.
    pub sent_after_ms: u64,
    /// Milliseconds from `sent` to `delivered`.
    pub delivered_after_ms: u64,
    /// Milliseconds from `delivered` to `read`.
    pub read_after_ms: u64,
    /// Sends that fail.
    pub errors: Vec<Fault>,
    /// Fraction of sends that are taken but never answered: the caller's own timeout ends them.
    pub lost_answers: f64,
    /// Fraction of updates that no webhook ever tells.
    pub webhooks_lost: f64,
    /// Fraction of updates told late.
    pub webhooks_late: f64,
    /// How late, in milliseconds.
    pub webhooks_late_ms: u64,
    /// Fraction of updates told twice.
    pub webhooks_doubled: f64,
    /// Fraction of updates told only after the message's later ones.
    pub webhooks_reordered: f64,
    /// Fraction of messages that are read at once, for which Meta sends no `delivered`.
    pub no_delivered: f64,
    /// Updates in one webhook POST, at most; Meta's own limit is 1,000. Some clients read only the first.
    pub webhook_batch: usize,
    /// How webhooks name the user.
    pub webhook_shape: WebhookShape,
    /// Fraction of template messages answered `held_for_quality_assessment`.
    pub held_for_quality: f64,
    /// Milliseconds until a held message is released.
    pub held_ms: u64,
    /// Whether the 24-hour window is enforced, and how.
    pub window: Enforcement,
    /// The window's length in seconds; Meta's is 24 hours.
    pub window_seconds: u64,
    /// Numbers (digits) that have no WhatsApp: 131026.
    pub not_on_whatsapp: Vec<String>,
    /// Numbers (digits) that want no marketing: 131050.
    pub opted_out: Vec<String>,
    /// How 131026 and 131050 are told; `off` delivers to them all the same.
    pub recipient_errors: Enforcement,
    /// Milliseconds until a new or edited template is reviewed.
    pub template_review_ms: u64,
    /// Takes sends of templates that were never created.
    pub unknown_templates: bool,
    /// Permissions of the access token. Without `whatsapp_business_management` the account's paths are refused (200).
    pub token_permissions: Vec<String>,
}

/// The permission for the account and its templates.
pub(super) const MANAGEMENT: &str = "whatsapp_business_management";

impl Default for Knobs {
    fn default() -> Self {
        Knobs {
            latency_ms: 0,
            sent_after_ms: 20,
            delivered_after_ms: 40,
            read_after_ms: 80,
            errors: Vec::new(),
            lost_answers: 0.0,
            webhooks_lost: 0.0,
            webhooks_late: 0.0,
            webhooks_late_ms: 2_000,
            webhooks_doubled: 0.0,
            webhooks_reordered: 0.0,
            no_delivered: 0.0,
            webhook_batch: 1_000,
            webhook_shape: WebhookShape::V2026,
            held_for_quality: 0.0,
            held_ms: 1_000,
            window: Enforcement::Sync,
            window_seconds: 24 * 60 * 60,
            not_on_whatsapp: Vec::new(),
            opted_out: Vec::new(),
            recipient_errors: Enforcement::Sync,
            template_review_ms: 100,
            unknown_templates: false,
            token_permissions: vec![MANAGEMENT.into(), "whatsapp_business_messaging".into()],
        }
    }
}

impl Knobs {
    /// These knobs with `changes` (a JSON object of some of them) applied.
    ///
    /// # Errors
    /// Says which knob is unknown, has a wrong type or is out of range.
    pub fn with(&self, changes: &Value) -> Result<Knobs, String> {
        let changes = changes.as_object().ok_or("read the knobs: a JSON object is needed")?;
        let mut all = serde_json::to_value(self).map_err(|e| format!("read the knobs: {e}"))?;
        for (name, value) in changes {
            all[name] = value.clone();
        }
        let knobs: Knobs = serde_json::from_value(all).map_err(|e| format!("read the knobs: {e}"))?;
        knobs.check()?;
        Ok(knobs)
    }

    /// Whether all are in range.
    ///
    /// # Errors
    /// Says which is not.
    pub fn check(&self) -> Result<(), String> {
        let fractions = [
            ("lost_answers", self.lost_answers),
            ("webhooks_lost", self.webhooks_lost),
            ("webhooks_late", self.webhooks_late),
            ("webhooks_doubled", self.webhooks_doubled),
            ("webhooks_reordered", self.webhooks_reordered),
            ("no_delivered", self.no_delivered),
            ("held_for_quality", self.held_for_quality),
        ];
        for (name, value) in fractions {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("read the knobs: {name} is {value}, it must be from 0 to 1"));
            }
        }
        if !(1..=1_000).contains(&self.webhook_batch) {
            return Err(format!(
                "read the knobs: webhook_batch is {}, it must be from 1 to 1000",
                self.webhook_batch
            ));
        }
        self.errors.iter().try_for_each(Fault::check)
    }
}

/// Whether and how a rule of Meta's is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// The send is refused.
    Sync,
    /// The send is taken, and a webhook says `failed`.
    Async,
    /// Not at all.
    Off,
}

/// How webhooks name the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum WebhookShape {
    /// By phone number.
    #[serde(rename = "2025")]
    #[value(name = "2025")]
    V2025,
    /// By phone number and user id, with contacts beside statuses.
    #[serde(rename = "2026")]
    #[value(name = "2026")]
    V2026,
    /// By user id alone, as for users with a username.
    #[serde(rename = "2026-phoneless")]
    #[value(name = "2026-phoneless")]
    V2026Phoneless,
}

impl fmt::Display for WebhookShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WebhookShape::V2025 => "2025",
            WebhookShape::V2026 => "2026",
            WebhookShape::V2026Phoneless => "2026-phoneless",
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn some_knobs_change_and_the_others_stay() {
        let knobs = Knobs { latency_ms: 5, ..Knobs::default() };
        let changed = knobs.with(&json!({"webhooks_lost": 0.5, "webhook_shape": "2026-phoneless"})).unwrap();
        assert_eq!(changed.latency_ms, 5);
        assert_eq!(changed.webhooks_lost, 0.5);
        assert_eq!(changed.webhook_shape, WebhookShape::V2026Phoneless);
    }

    #[test]
    fn unknown_and_senseless_knobs_are_refused() {
        let refused = |changes: Value| Knobs::default().with(&changes).unwrap_err();
        assert!(refused(json!({"latencyms": 1})).contains("latencyms"));
        assert!(refused(json!({"webhooks_lost": 1.5})).contains("webhooks_lost"));
        assert!(refused(json!({"errors": [{"code": 5}]})).contains('5'));
        assert!(refused(json!({"errors": [{}]})).contains("code"));
        assert!(refused(json!([])).contains("object"));
    }
}
