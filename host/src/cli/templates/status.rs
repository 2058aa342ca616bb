//! `hookswitch templates status`: each version at Meta, and which one is in use.

use std::process::ExitCode;

use anyhow::{Context, Result};
use console::style;

use super::Both;
use crate::{
    app::Database,
    cli::{output, table},
    config::DatabaseConfig,
    operate::{TemplateReport, meaning_of, switch_of},
    store::MetaTemplateSwitch,
};

/// Shows all versions.
pub(super) async fn run(both: &Both, database: &DatabaseConfig, json: bool) -> Result<ExitCode> {
    let database = Database::open(database, &mut |step| eprintln!("{step}")).await?;
    let switches = database.store.meta_template_switches().await;
    database.close().await;
    let switches = switches.context("cannot read which versions are in use")?;
    if json {
        output::json_lines(
            both.states.iter().map(|state| TemplateReport::new(state, switch_of(&switches, state))),
        )?;
    } else {
        show(both, &switches);
    }
    Ok(ExitCode::SUCCESS)
}

fn show(both: &Both, switches: &[MetaTemplateSwitch]) {
    for state in &both.states {
        let definition = &state.definition;
        let switch = switch_of(switches, state);
        println!(
            "{} ({}): {}",
            style(&definition.template).bold(),
            definition.language,
            meaning_of(&state.state)
        );
        for (_, version) in &state.versions {
            let mut facts = vec![version.status.to_string()];
            facts.extend(version.category.clone());
            facts.extend(version.quality.as_ref().map(|quality| format!("quality {quality}")));
            facts.extend(version.rejected_reason.clone());
            if let Some(switch) = switch.filter(|switch| switch.name.as_ref() == Some(&version.name)) {
                facts.push(format!("in use since {}", table::time(switch.switched_at)));
            }
            println!("  {}: {}", version.name, facts.join(", "));
        }
        if switch.is_none_or(|switch| switch.name.is_none()) {
            println!("  no version in use: outside the 24-hour window, messages wait");
        }
    }
}
