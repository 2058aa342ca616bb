//! Reasons to refuse a change to people or groups.

use axum::http::StatusCode;
use hookswitch_core::domain::did_you_mean;

use super::csv::LineError;
use crate::{
    http::{Errors, Problem, ProblemError, changed, sentence},
    store::StoreError,
};

/// Maximum number of wrong lines shown.
pub const LINES_SHOWN: usize = 100;

/// Why people or groups were not changed. Each text stands alone; [`DirectoryError::help`] says what else there is to
/// know.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Usernames that nobody has.
    #[error("no person named {}", .0.join(", "))]
    PersonUnknown(Vec<String>),
    /// Names that no group has.
    #[error("unknown group{} {}", if unknown.len() == 1 { "" } else { "s" }, in_quotes(unknown))]
    GroupUnknown {
        /// The names as given.
        unknown: Vec<String>,
        /// The names of existing groups.
        known: Vec<String>,
    },
    /// A number or user id that no contact has or had.
    #[error("no contact {0}: nobody with this number has written in or was written to")]
    ContactUnknown(String),
    /// Somebody else has changed it since it was read.
    #[error("it was changed after it was read")]
    Changed,
    /// A name that another group has.
    #[error("a group named {0:?} exists already")]
    GroupExists(String),
    /// A username that another person has.
    #[error("the username {0} is taken")]
    PersonExists(String),
    /// An invalid value.
    #[error("{0}")]
    Invalid(String),
    /// Invalid values of a person.
    #[error("{}", .0.iter().map(|value| value.why.as_str()).collect::<Vec<_>>().join("; "))]
    Values(Vec<ValueError>),
    /// Invalid lines of a CSV file.
    #[error("invalid CSV, nothing was changed:{}", lines(.0))]
    Lines(Vec<LineError>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An invalid value of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// The member of the JSON object in which it comes.
    pub member: &'static str,
    /// What is wrong, in words.
    pub why: String,
}

fn in_quotes(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

impl DirectoryError {
    /// What else there is to know: the name that was probably meant, or those that exist.
    pub fn help(&self) -> Option<String> {
        let DirectoryError::GroupUnknown { unknown, known } = self else { return None };
        match (&unknown[..], &known[..]) {
            (_, []) => Some("no groups exist yet".to_owned()),
            ([one], _) => Some(did_you_mean(one, known.iter().map(String::as_str).collect::<Vec<_>>())),
            _ => Some(format!("existing groups: {}", known.join(", "))),
        }
    }

    /// The error with its help, on one line.
    pub fn with_help(&self) -> String {
        match self.help() {
            Some(help) => format!("{self}; {help}"),
            None => self.to_string(),
        }
    }
}

fn lines(errors: &[LineError]) -> String {
    let shown: String = errors
        .iter()
        .take(LINES_SHOWN)
        .map(|error| format!("\n  line {}: {}", error.line, error.detail))
        .collect();
    match errors.len().checked_sub(LINES_SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown}\n  and {more} more"),
    }
}

impl DirectoryError {
    /// The problem of a request whose body lists these groups at `/groups`: 422 with a pointer to each unknown one.
    pub fn about_body(self, groups: &[String]) -> Problem {
        let DirectoryError::GroupUnknown { unknown, .. } = &self else { return self.into() };
        let places = groups.iter().enumerate().filter(|(_, group)| unknown.contains(group));
        let errors: Errors = places
            .map(|(n, group)| ProblemError {
                at: format!("/groups/{n}"),
                detail: format!("unknown group {group:?}"),
            })
            .collect();
        let detail = sentence(&self.with_help());
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "group_unknown", detail).with_errors(errors)
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Problem {
        let detail = sentence(&error.with_help());
        match error {
            DirectoryError::PersonUnknown(_) => Problem::new(StatusCode::NOT_FOUND, "person_unknown", detail),
            DirectoryError::GroupUnknown { .. } => {
                Problem::new(StatusCode::NOT_FOUND, "group_unknown", detail)
            }
            DirectoryError::Changed => changed(),
            DirectoryError::ContactUnknown(_) => {
                Problem::new(StatusCode::NOT_FOUND, "contact_unknown", detail)
            }
            DirectoryError::GroupExists(_) => Problem::new(StatusCode::CONFLICT, "group_exists", detail),
            DirectoryError::PersonExists(_) => Problem::new(StatusCode::CONFLICT, "person_exists", detail),
            DirectoryError::Invalid(why) => {
                Problem::new(StatusCode::BAD_REQUEST, "invalid_value", sentence(&why))
            }
            DirectoryError::Values(values) => {
                let errors = values
                    .into_iter()
                    .map(|value| ProblemError { at: format!("/{}", value.member), detail: value.why });
                Problem::new(StatusCode::BAD_REQUEST, "invalid_value", detail)
                    .with_errors(errors.collect::<Errors>())
            }
            DirectoryError::Lines(errors) => {
                let count = errors.len();
                let errors = errors
                    .into_iter()
                    .take(LINES_SHOWN)
                    .map(|error| ProblemError { at: format!("line {}", error.line), detail: error.detail });
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_csv",
                    format!(
                        "{count} {} invalid; nothing was changed.",
                        if count == 1 { "line is" } else { "lines are" }
                    ),
                )
                .with_errors(errors.collect::<Errors>())
            }
            DirectoryError::Store(error) => error.into(),
        }
    }
}
