//! `hookswitch openapi`: the HTTP API's description.

use std::process::ExitCode;

use crate::api;

/// Prints the description.
///
/// # Errors
/// If it is not serialisable.
pub fn run() -> anyhow::Result<ExitCode> {
    println!("{}", api::document().to_pretty_json()?);
    Ok(ExitCode::SUCCESS)
}
