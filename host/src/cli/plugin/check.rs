//! `hookswitch plugin check`: what a plugin is, wants and costs.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use console::style;
use hookswitch_core::{
    catalog::{self, Catalog, CatalogPorts, Folders},
    decide::{
        decide,
        plugin::{Grants, Plugin, Sandbox},
    },
};

use crate::{app, config::RulesConfig};

/// What to check.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The plugins' ids; all, if none is named.
    ids: Vec<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Checks them: status 1 where one is wrong.
///
/// # Errors
/// Where there is no such plugin.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let sandbox = Sandbox::measuring(app::grants(&args.rules)?).map_err(|why| anyhow!("{why}"))?;
    let folders = Folders {
        rules: args.rules.rules.clone(),
        plugins: Some(args.rules.plugins.clone()),
        sandbox: Some(sandbox),
    };
    // Loading compiles each plugin, and runs its cases.
    let catalog = match catalog::load(&folders) {
        Ok(catalog) => catalog,
        Err(findings) => {
            eprintln!("{findings}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let grants = app::grants(&args.rules)?;
    let ids: Vec<&String> =
        if args.ids.is_empty() { catalog.plugins.keys().collect() } else { args.ids.iter().collect() };
    for id in ids {
        let plugin = catalog.plugins.get(id).with_context(|| {
            let why = catalog.warnings.iter().find(|warning| warning.file.contains(id.as_str()));
            why.map_or_else(
                || {
                    format!(
                        "check {id}: there is no folder {} with a plugin.yaml",
                        args.rules.plugins.join(id).display()
                    )
                },
                |warning| format!("check {id}: {}", warning.message),
            )
        })?;
        tell(&catalog, id, plugin, &grants);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(catalog: &Catalog, id: &str, plugin: &Plugin, grants: &Grants) {
    let manifest = plugin.manifest();
    let mark = style("✓").green();
    println!("{} {} of {}", style(id).bold(), manifest.version, manifest.owner);
    println!("{mark} it is built for hookswitch:plugin@1.0.0");
    for (name, words) in [
        ("hookswitch:plugin/log", "writes into the log"),
        ("hookswitch:plugin/clock", "asks for the time"),
        ("hookswitch:plugin/config", "reads its configuration"),
        ("hookswitch:plugin/lookup", "looks rows up in its tables"),
        ("hookswitch:plugin/http", "sends requests"),
    ] {
        if plugin.imports().iter().any(|import| import.starts_with(name)) {
            println!("  it {words}");
        }
    }
    let runtime = plugin.imports().iter().filter(|import| import.starts_with("wasi:")).count();
    if runtime > 0 {
        println!("  its language's runtime imports {runtime} interfaces of WASI, which give it nothing");
    }
    if !manifest.http.is_empty() {
        let to: Vec<String> = manifest.http.iter().map(ToString::to_string).collect();
        println!("  it asks to send requests to {}", to.join(", "));
    }
    if !manifest.secrets.is_empty() {
        println!("  it asks for the secrets {}", manifest.secrets.join(", "));
    }
    let missing = grants.missing(manifest);
    if !missing.is_empty() {
        println!(
            "{} not granted; to grant it, add to HOOKSWITCH_PLUGIN_GRANTS: {}",
            style("!").yellow(),
            missing.join(",")
        );
    }
    let domain = format!("plugins/{id}");
    let cases: Vec<_> = catalog.cases.iter().filter(|case| case.domain == domain).collect();
    if cases.is_empty() {
        println!("{} it has no cases: write one into {domain}/cases/", style("!").yellow());
    }
    for case in cases {
        decide(&catalog.routes, &case.event, &CatalogPorts { catalog, now: case.now });
        let counts = plugin.counts();
        println!(
            "{mark} {}: {} instructions, {} KiB of memory at most",
            case.name,
            plugin.last_cost(),
            counts.most_memory / 1024
        );
    }
    println!();
}
