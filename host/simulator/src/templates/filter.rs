//! Which templates a list is asked for.

use super::{Query, Template};
use crate::error::GraphError;

/// Meta's categories, those of before April 2023 among them.
const CATEGORIES: &[&str] = &[
    "ACCOUNT_UPDATE",
    "ALERT_UPDATE",
    "APPOINTMENT_UPDATE",
    "AUTHENTICATION",
    "AUTO_REPLY",
    "ISSUE_RESOLUTION",
    "MARKETING",
    "OTP",
    "PAYMENT_UPDATE",
    "PERSONAL_FINANCE_UPDATE",
    "RESERVATION_UPDATE",
    "SHIPPING_UPDATE",
    "TICKET_UPDATE",
    "TRANSACTIONAL",
    "TRANSPORTATION_UPDATE",
    "UTILITY",
];
const STATUSES: &[&str] = &[
    "APPROVED",
    "ARCHIVED",
    "DELETED",
    "DISABLED",
    "IN_APPEAL",
    "LIMIT_EXCEEDED",
    "PAUSED",
    "PENDING",
    "PENDING_DELETION",
    "REJECTED",
];
const SCORES: &[&str] = &["GREEN", "RED", "UNKNOWN", "YELLOW"];

/// What a template must be like to be listed. An empty list takes all.
#[derive(Default)]
pub struct Filter {
    categories: Vec<String>,
    languages: Vec<String>,
    scores: Vec<String>,
    statuses: Vec<String>,
    name: String,
    content: String,
    name_or_content: String,
}

impl Filter {
    /// Reads the filters of a query.
    ///
    /// # Errors
    /// 100 for a value that Meta does not know.
    pub fn read(query: &Query) -> Result<Self, GraphError> {
        let text = |name: &str| query.get(name).map(|text| text.to_lowercase()).unwrap_or_default();
        Ok(Filter {
            categories: values(query, "category", Some(CATEGORIES))?,
            languages: values(query, "language", None)?,
            scores: values(query, "quality_score", Some(SCORES))?,
            statuses: values(query, "status", Some(STATUSES))?,
            name: text("name"),
            content: text("content"),
            name_or_content: text("name_or_content"),
        })
    }

    /// Whether this template is listed.
    pub fn takes(&self, template: &Template) -> bool {
        let one_of = |wanted: &[String], value: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let named = |part: &str| template.name.contains(part);
        one_of(&self.categories, &template.category)
            && one_of(&self.languages, &template.language)
            && one_of(&self.scores, template.quality_score())
            && one_of(&self.statuses, template.status.as_str())
            && named(&self.name)
            && says(template, &self.content)
            && (named(&self.name_or_content) || says(template, &self.name_or_content))
    }
}

/// Whether a text of the template (header, body, footer, button) contains this, in lower case.
fn says(template: &Template, part: &str) -> bool {
    let parts = template.components.iter().flat_map(|component| {
        let buttons = component["buttons"].as_array().map(Vec::as_slice).unwrap_or_default();
        std::iter::once(component).chain(buttons)
    });
    part.is_empty()
        || parts.filter_map(|part| part["text"].as_str()).any(|text| text.to_lowercase().contains(part))
}

/// The values of a parameter: `A,B` or `["A","B"]`.
fn values(query: &Query, name: &str, known: Option<&[&str]>) -> Result<Vec<String>, GraphError> {
    let Some(text) = query.get(name) else { return Ok(Vec::new()) };
    let values: Vec<String> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text)
            .map_err(|_| GraphError::parameter(format!("Param {name} must be an array of strings.")))?
    } else {
        text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    };
    let Some(known) = known else { return Ok(values) };
    let is_known = |value: &String| known.iter().any(|known| known.eq_ignore_ascii_case(value));
    match values.iter().enumerate().find(|(_, value)| !is_known(value)) {
        None => Ok(values),
        Some((index, value)) => Err(GraphError::parameter(format!(
            "Param {name}[{index}] must be one of {{{}}} - got \"{value}\".",
            known.join(", ")
        ))),
    }
}
