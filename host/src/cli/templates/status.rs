//! `hookswitch templates status`: each version at Meta, and which one is in use.

use std::process::ExitCode;

use anyhow::{Context, Result};
use console::style;

use super::{Both, Common, words};
use crate::{app::Database, config::DatabaseConfig, store::MetaTemplateSwitch};

/// Shows all versions.
pub(super) async fn run(common: &Common, database: &DatabaseConfig) -> Result<ExitCode> {
    let Some(definitions) = common.definitions()? else { return Ok(ExitCode::FAILURE) };
    let both = common.both(&definitions).await?;
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let switches = database.store.meta_template_switches().await.context("read which versions are in use");
    database.close().await;
    show(&both, &switches?);
    Ok(ExitCode::SUCCESS)
}

fn show(both: &Both, switches: &[MetaTemplateSwitch]) {
    for state in &both.states {
        let definition = &state.definition;
        let switch =
            switches.iter().find(|s| s.template == definition.template && s.language == definition.language);
        println!("{} ({}): {}", style(&definition.template).bold(), definition.language, words(&state.state));
        for (_, version) in &state.versions {
            let mut facts = vec![version.status.to_string()];
            facts.extend(version.category.clone());
            facts.extend(version.quality.as_ref().map(|quality| format!("quality {quality}")));
            facts.extend(version.rejected_reason.clone());
            if let Some(switch) = switch.filter(|switch| switch.name.as_ref() == Some(&version.name)) {
                facts.push(format!("in use since {:.0}", switch.switched_at));
            }
            println!("  {}: {}", version.name, facts.join(", "));
        }
        if switch.is_none_or(|switch| switch.name.is_none()) {
            println!("  none is in use: outside of the 24-hour window, messages wait");
        }
    }
}
