//! `hookswitch plugin list`.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use hookswitch_core::catalog;

use crate::{app, cli::table, config::RulesConfig};

/// Which plugins to list.
#[derive(Args, Debug)]
pub struct ListArgs {
    #[command(flatten)]
    rules: RulesConfig,
}

/// Prints the plugins that would go live.
///
/// # Errors
/// Where the rules or a plugin are wrong.
pub fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let catalog = catalog::load(&app::folders(&args.rules, false)?)
        .map_err(|findings| anyhow!("load the rules:\n{findings}"))?;
    for warning in &catalog.warnings {
        eprintln!("warning: {}: {}", warning.file, warning.message);
    }
    if catalog.plugins.is_empty() {
        println!("There are none in {}: hookswitch plugin new NAME", args.rules.plugins.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table::table(&["PLUGIN", "VERSION", "DECIDES ABOUT", "OWNER", "HTTP"]);
    for (id, plugin) in &catalog.plugins {
        let manifest = plugin.manifest();
        let on: Vec<&str> = manifest.on.iter().map(|on| on.text.as_str()).collect();
        let http: Vec<String> = manifest.http.iter().map(ToString::to_string).collect();
        table.add_row([
            id.clone(),
            manifest.version.clone(),
            on.join(", "),
            manifest.owner.clone(),
            http.join(", "),
        ]);
    }
    table::print(&table);
    Ok(ExitCode::SUCCESS)
}
