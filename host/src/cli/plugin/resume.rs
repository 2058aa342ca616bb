//! `hookswitch plugin resume`.

use std::process::ExitCode;

use clap::Args;

use crate::{app::Database, config::DatabaseConfig};

/// What to resume.
#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// The plugin's id; without one, how many events are parked for which plugin is listed.
    id: Option<String>,
    #[command(flatten)]
    database: DatabaseConfig,
}

/// Has parked events decided again: hosts that run take them up within a second.
///
/// # Errors
/// Where the database cannot be reached.
pub async fn run(args: ResumeArgs) -> anyhow::Result<ExitCode> {
    let database = Database::open(&args.database, &mut |_| {}).await?;
    let store = &database.store;
    match &args.id {
        Some(id) => {
            let count = store.resume_parked(id).await?;
            store.notify().await?;
            println!("{count} events of {id} are decided again.");
        }
        None => {
            let parked = store.parked().await?;
            if parked.is_empty() {
                println!("No event is parked.");
            }
            for facts in parked {
                println!("{} events of {} since {:.0}", facts.count, facts.plugin, facts.since);
            }
        }
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}
