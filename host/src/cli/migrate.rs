//! `hookswitch migrate`: creates or updates the tables, for a role that owns them.

use std::process::ExitCode;

use crate::{app::Database, config::DatabaseConfig};

/// Creates or updates the tables.
///
/// # Errors
/// If the database cannot be reached, or the role may not change it.
pub async fn run(database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    println!("The tables are up to date.");
    database.close().await;
    Ok(ExitCode::SUCCESS)
}
