//! How a command fails: what is wrong, what helps, and the exit status.

use std::process::ExitCode;

use hookswitch_core::domain::did_you_mean;

use crate::directory::DirectoryError;

/// The status of usage errors, as clap has it.
const USAGE: u8 = 2;

/// Why a command failed, with help on a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    what: String,
    help: Option<String>,
    is_usage: bool,
}

impl Failure {
    /// Something that cannot be done (status 1).
    pub fn new(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), help: None, is_usage: false }
    }

    /// A command line that makes no sense (status 2).
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure { is_usage: true, ..Failure::new(what) }
    }

    /// Adds the name that was probably meant, or those that exist.
    pub fn did_you_mean<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Failure {
        let known: Vec<&str> = known.into_iter().collect();
        if known.is_empty() { self } else { self.help(did_you_mean(word, known)) }
    }

    /// Adds what to do about it.
    pub fn help(self, help: impl Into<String>) -> Failure {
        Failure { help: Some(help.into()), ..self }
    }
}

/// Prints why a command failed, and returns its exit status.
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", with_causes(error));
    let (help, is_usage) = match (error.downcast_ref::<Failure>(), error.downcast_ref::<DirectoryError>()) {
        (Some(failure), _) => (failure.help.clone(), failure.is_usage),
        (None, Some(error)) => (directory_help(error), false),
        (None, None) => (None, false),
    };
    if let Some(help) = help {
        eprintln!("{help}");
    }
    if is_usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}

/// An error with what caused it. Some errors say their cause themselves, and it is not said twice.
fn with_causes(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |said, cause| {
        let cause = cause.to_string();
        if said.ends_with(&cause) { said } else { format!("{said}: {cause}") }
    })
}

/// What helps with an error of the directory, with the command to run.
fn directory_help(error: &DirectoryError) -> Option<String> {
    match error {
        DirectoryError::PersonUnknown(_) | DirectoryError::PersonExists(_) => {
            Some("to list people: hookswitch people list".to_owned())
        }
        DirectoryError::GroupUnknown { known, .. } if known.is_empty() => Some(
            "no groups exist yet; to create those of the rules: hookswitch groups create-defaults".to_owned(),
        ),
        other => other.help(),
    }
}
