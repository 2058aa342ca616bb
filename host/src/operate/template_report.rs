//! A template of the rules beside its versions at Meta, as it is told.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    metrics::TemplateCounts,
    store::MetaTemplateSwitch,
    whatsapp::{
        Difference, State, TemplateState,
        management::{TemplateOnMeta, category},
    },
};

/// A template of the rules beside its versions at Meta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Template)]
pub struct TemplateReport {
    /// The name in the rules.
    pub template: String,
    /// The language, for example `en_US`.
    pub language: String,
    /// Meta's word for the category: `UTILITY`, `MARKETING` or `AUTHENTICATION`.
    pub category: String,
    /// What its state at Meta means, in words for people.
    pub state: String,
    /// Whether a push submits it.
    pub needs_push: bool,
    /// The name under which a push submits it; null if it does not.
    pub next_name: Option<String>,
    /// What differs from the newest version at Meta, if no version has our text.
    pub differences: Vec<DifferingPart>,
    /// The versions at Meta, the newest first.
    pub versions: Vec<TemplateVersion>,
    /// What became of its messages, in all languages and versions, in the last 30 days (of UTC, today among them). Days
    /// without any are left out. Absent where it is not known, as for a command that does not ask the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<DayFigures>>,
}

/// What became of a template's messages on a day. A message counts on the day of each report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayFigures {
    /// The day, of UTC.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// The numbers.
    #[serde(flatten)]
    pub counts: TemplateCounts,
}

/// A part of a template that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DifferingPart {
    /// `header`, `body`, `footer`, `buttons`, or a part that ours lacks.
    pub part: String,
    /// Its text at Meta.
    pub at_meta: String,
    /// Our text.
    pub ours: String,
}

/// A version of a template at Meta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TemplateVersion {
    /// The name.
    pub name: String,
    /// Meta's id.
    pub id: String,
    /// Meta's state: `APPROVED`, `PENDING`, `REJECTED`, `PAUSED`, `DISABLED`, …
    pub status: String,
    /// Meta's category.
    pub category: Option<String>,
    /// Meta's word for its quality.
    pub quality: Option<String>,
    /// Meta's reason for rejecting it.
    pub rejected_reason: Option<String>,
    /// Since when messages are sent with it; null if they are not.
    pub in_use_since: Option<Timestamp>,
}

impl TemplateReport {
    /// `in_use` is the switch to the version in use, if it is known.
    pub fn new(state: &TemplateState, in_use: Option<&MetaTemplateSwitch>) -> Self {
        let definition = &state.definition;
        let differences = match &state.state {
            State::Differs(differences) => differences.as_slice(),
            _ => &[],
        };
        let part = |Difference { part, on_meta, ours }: &Difference| DifferingPart {
            part: part.clone(),
            at_meta: on_meta.clone(),
            ours: ours.clone(),
        };
        let version = |(_, version): &(u32, TemplateOnMeta)| TemplateVersion {
            name: version.name.clone(),
            id: version.id.clone(),
            status: version.status.to_string(),
            category: version.category.clone(),
            quality: version.quality.as_ref().map(ToString::to_string),
            rejected_reason: version.rejected_reason.clone(),
            in_use_since: in_use
                .filter(|switch| switch.name.as_deref() == Some(version.name.as_str()))
                .map(|switch| switch.switched_at),
        };
        TemplateReport {
            template: definition.template.clone(),
            language: definition.language.clone(),
            category: category(definition.category).to_owned(),
            state: meaning_of(&state.state),
            needs_push: state.needs_push(),
            next_name: state.needs_push().then(|| state.next_name()),
            differences: differences.iter().map(part).collect(),
            versions: state.versions.iter().map(version).collect(),
            days: None,
        }
    }
}

/// The state of a template at Meta, in words for people.
pub fn meaning_of(state: &State) -> String {
    match state {
        State::Missing => "not at Meta; submit it".to_owned(),
        State::Pending => "in review at Meta".to_owned(),
        State::Approved => "approved".to_owned(),
        State::Differs(_) => "changed; submit it".to_owned(),
        State::Rejected(None) => "rejected; edit and resubmit it".to_owned(),
        State::Rejected(Some(reason)) => format!("rejected ({reason}); edit and resubmit it"),
        State::Paused => "paused by Meta for low quality".to_owned(),
        State::Disabled => "disabled by Meta; edit and resubmit it".to_owned(),
        State::Recategorised { category } => format!("approved, but as {category}"),
        State::Other(status) => format!("{status} at Meta"),
    }
}

/// The switch to the version in use of a template.
pub fn switch_of<'a>(
    switches: &'a [MetaTemplateSwitch],
    state: &TemplateState,
) -> Option<&'a MetaTemplateSwitch> {
    let definition = &state.definition;
    switches.iter().find(|it| it.template == definition.template && it.language == definition.language)
}
