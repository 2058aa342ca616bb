//! `hookswitch plugin list`.

use std::process::ExitCode;

use clap::Args;
use hookswitch_core::catalog;
use serde::Serialize;

use crate::{
    app,
    cli::{failure::Failure, output, table},
    config::{DatabaseConfig, RulesConfig},
};

/// The arguments of `hookswitch plugin list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Print each plugin as a JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesConfig,
}

/// A plugin as it is listed.
#[derive(Serialize)]
struct PluginJson<'a> {
    id: &'a str,
    version: &'a str,
    owner: &'a str,
    /// Patterns of event types.
    on: Vec<&'a str>,
    http: Vec<String>,
    secrets: &'a [String],
}

/// Prints the plugins that would go live.
///
/// # Errors
/// If the rules or a plugin are invalid.
pub fn run(args: &ListArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let catalog = catalog::load(&app::folders(&args.rules, database, false)?)
        .map_err(|findings| Failure::new(format!("invalid rules:\n{findings}")))?;
    for warning in &catalog.warnings {
        eprintln!("warning: {}: {}", warning.file, warning.message);
    }
    let plugins = catalog.plugins.iter().map(|(id, plugin)| {
        let manifest = plugin.manifest();
        PluginJson {
            id,
            version: &manifest.version,
            owner: &manifest.owner,
            on: manifest.on.iter().map(|on| on.text.as_str()).collect(),
            http: manifest.http.iter().map(ToString::to_string).collect(),
            secrets: &manifest.secrets,
        }
    });
    if args.json {
        output::json_lines(plugins)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table::table(&["PLUGIN", "VERSION", "EVENT TYPES", "OWNER", "HTTP"]);
    for plugin in plugins {
        let (on, http) = (plugin.on.join(", "), plugin.http.join(", "));
        table.add_row([plugin.id, plugin.version, &on, plugin.owner, &http]);
    }
    if table.is_empty() {
        println!("No plugins in {}. To create one: hookswitch plugin new ID", args.rules.plugins.display());
    } else {
        table::print(&table);
    }
    Ok(ExitCode::SUCCESS)
}
