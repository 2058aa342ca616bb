//! `hookswitch migrate`: brings the tables up to date, for a role that owns them.

use std::process::ExitCode;

use clap::Args;

use crate::{app::Database, config::DatabaseConfig};

/// What to migrate.
#[derive(Args, Debug)]
pub struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Brings the tables up to date.
///
/// # Errors
/// Where the database cannot be reached, or the role may not change it.
pub async fn run(args: MigrateArgs) -> anyhow::Result<ExitCode> {
    let database = Database::open(&args.database, &mut |step| eprintln!("{step}")).await?;
    println!("The tables are up to date.");
    database.close().await;
    Ok(ExitCode::SUCCESS)
}
