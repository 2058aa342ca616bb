//! What can be wrong with a change to people and groups.

use axum::http::StatusCode;
use hookswitch_core::decide::did_you_mean;

use super::LineError;
use crate::{
    http::{Errors, Problem, ProblemError},
    store::StoreError,
};

/// So many wrong lines are shown.
const LINES_SHOWN: usize = 100;

/// Why people or groups stay as they were.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Nobody has these usernames.
    #[error("find {}: there is no such person; hookswitch people list shows who there is", .0.join(", "))]
    PersonUnknown(Vec<String>),
    /// No group has these names.
    #[error("find {}: {}", in_quotes(unknown), no_group(unknown, known))]
    GroupUnknown {
        /// As they were asked for.
        unknown: Vec<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// The username is taken.
    #[error("add {0}: somebody has this username; hookswitch people list shows who")]
    PersonExists(String),
    /// A value that cannot be.
    #[error("take this: {0}")]
    Invalid(String),
    /// Lines of a CSV file.
    #[error("import people; nothing was changed:{}", lines(.0))]
    Lines(Vec<LineError>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn in_quotes(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn no_group(unknown: &[String], known: &[String]) -> String {
    let help = match (unknown, known) {
        (_, []) => "there are no groups yet: hookswitch groups create-defaults".to_owned(),
        ([one], _) => did_you_mean(one, known.iter().map(String::as_str).collect::<Vec<_>>()),
        _ => format!("there are {}", known.join(", ")),
    };
    format!("there is no such group; {help}")
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

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Problem {
        let detail = error.to_string();
        match error {
            DirectoryError::PersonUnknown(_) => Problem::new(StatusCode::NOT_FOUND, "person_unknown", detail),
            DirectoryError::GroupUnknown { .. } => {
                Problem::new(StatusCode::NOT_FOUND, "group_unknown", detail)
            }
            DirectoryError::PersonExists(_) => Problem::new(StatusCode::CONFLICT, "person_exists", detail),
            DirectoryError::Invalid(why) => Problem::new(StatusCode::BAD_REQUEST, "invalid_value", why),
            DirectoryError::Lines(errors) => {
                let count = errors.len();
                let errors = errors
                    .into_iter()
                    .take(LINES_SHOWN)
                    .map(|error| ProblemError { at: format!("line {}", error.line), detail: error.detail });
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_csv",
                    format!("{count} lines are wrong; nothing was changed"),
                )
                .with_errors(errors.collect::<Errors>())
            }
            DirectoryError::Store(error) => error.into(),
        }
    }
}
