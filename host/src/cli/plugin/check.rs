//! `hookswitch plugin check`: what a plugin is, asks for and costs.

use std::{path::Path, process::ExitCode};

use clap::Args;
use console::style;
use hookswitch_core::{
    catalog::{self, Catalog, CatalogPorts, Folders},
    decide::{
        decide,
        plugin::{Allowed, Grants, Plugin, Sandbox},
    },
};
use serde::Serialize;

use super::build;
use crate::{
    app,
    check::count,
    cli::{failure::Failure, output, rules::FindingJson},
    config::{self, DatabaseConfig, RulesConfig},
};

/// The arguments of `hookswitch plugin check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Ids of plugins [default: all]
    ids: Vec<String>,
    /// Print each plugin as a JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    rules: RulesConfig,
}

impl CheckArgs {
    /// The arguments for one plugin.
    pub fn of(id: &str, rules: &RulesConfig) -> CheckArgs {
        CheckArgs { ids: vec![id.to_owned()], json: false, rules: rules.clone() }
    }
}

/// The result for a plugin.
#[derive(Serialize)]
struct Checked<'a> {
    id: &'a str,
    version: &'a str,
    owner: &'a str,
    /// The parts of the contract that it imports, in words.
    imports: Vec<&'static str>,
    /// Interfaces of WASI that the runtime of its language imports.
    wasi_imports: usize,
    /// URLs that it asks to send requests to.
    http: Vec<String>,
    /// Secrets that it asks for.
    secrets: &'a [String],
    /// Grants that it asks for and does not have.
    missing_grants: Vec<String>,
    /// Hosts with private addresses that it asks to send requests to, and that the operator does not name.
    private_hosts: Vec<String>,
    /// Secrets that it asks for and that are not set here.
    unset_secrets: Vec<&'a String>,
    cases: Vec<Case<'a>>,
}

/// What a case cost.
#[derive(Serialize)]
struct Case<'a> {
    name: &'a str,
    instructions: u64,
    /// The largest memory so far, of this case and those before it.
    most_memory_kib: u64,
}

/// Checks plugins: status 1 if one is invalid.
///
/// # Errors
/// If a plugin does not exist.
pub fn run(args: &CheckArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let grants = app::grants(&args.rules.sandbox)?;
    let cache = args.rules.sandbox.plugin_cache(database);
    let sandbox = Sandbox::measuring(Some(cache), grants.clone()).map_err(Failure::new)?;
    let folders = Folders {
        rules: args.rules.rules.clone(),
        plugins: Some(args.rules.plugins.clone()),
        sandbox: Some(sandbox),
    };
    // Loading compiles each plugin and runs its cases; those that are not asked for are left alone.
    let loaded = match &args.ids[..] {
        [] => catalog::load(&folders),
        ids => catalog::load_plugins(&folders, ids),
    };
    let catalog = match loaded {
        Ok(catalog) => catalog,
        Err(findings) if args.json => {
            output::json_lines(findings.findings.iter().map(FindingJson::from))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(findings) => {
            eprintln!("{findings}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let ids: Vec<&String> =
        if args.ids.is_empty() { catalog.plugins.keys().collect() } else { args.ids.iter().collect() };
    for id in ids {
        let Some(plugin) = catalog.plugins.get(id) else { return Err(unknown(&catalog, args, id).into()) };
        let checked = look_at(&catalog, id, plugin, &grants, &args.rules);
        if args.json {
            output::json_lines([&checked])?;
        } else {
            print(&checked);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a plugin is not among those that would go live.
fn unknown(catalog: &Catalog, args: &CheckArgs, id: &str) -> Failure {
    let manifest = format!("{id}/plugin.yaml");
    let is_its = |file: &str| Path::new(file).parent().is_some_and(|folder| folder.ends_with(id));
    if let Some(warning) = catalog.warnings.iter().find(|warning| is_its(&warning.file)) {
        return Failure::new(format!("{id}: {}", warning.message));
    }
    let known = build::all(&args.rules.plugins).unwrap_or_default();
    Failure::usage(format!("unknown plugin {id:?}: no {}", args.rules.plugins.join(manifest).display()))
        .did_you_mean(id, known.iter().map(String::as_str))
}

fn look_at<'a>(
    catalog: &'a Catalog,
    id: &'a str,
    plugin: &'a Plugin,
    grants: &Grants,
    rules: &RulesConfig,
) -> Checked<'a> {
    let manifest = plugin.manifest();
    let set = config::plugin_secrets();
    let private = manifest.http.iter().filter_map(Allowed::private_host);
    let imports = [
        ("hookswitch:plugin/log", "writes to the log"),
        ("hookswitch:plugin/clock", "reads the clock"),
        ("hookswitch:plugin/config", "reads its configuration"),
        ("hookswitch:plugin/lookup", "looks up rows in its tables"),
        ("hookswitch:plugin/http", "sends requests"),
    ];
    let has = |name: &str| plugin.imports().iter().any(|import| import.starts_with(name));
    let domain = format!("plugins/{id}");
    let cases = catalog.cases.iter().filter(|case| case.domain == domain).map(|case| {
        let costs = case.events.iter().map(|event| {
            decide(&catalog.routes, event, &CatalogPorts { catalog, now: case.now });
            plugin.last_cost()
        });
        Case {
            name: &case.name,
            instructions: costs.max().unwrap_or_default(),
            most_memory_kib: plugin.counts().most_memory / 1024,
        }
    });
    Checked {
        id,
        version: &manifest.version,
        owner: &manifest.owner,
        imports: imports.into_iter().filter(|(name, _)| has(name)).map(|(_, words)| words).collect(),
        wasi_imports: plugin.imports().iter().filter(|import| import.starts_with("wasi:")).count(),
        http: manifest.http.iter().map(ToString::to_string).collect(),
        secrets: &manifest.secrets,
        missing_grants: grants.missing(manifest),
        private_hosts: private.filter(|host| !rules.sandbox.plugin_private_hosts.contains(host)).collect(),
        unset_secrets: manifest.secrets.iter().filter(|name| !set.contains_key(*name)).collect(),
        cases: cases.collect(),
    }
}

fn print(checked: &Checked<'_>) {
    let (good, doubtful) = (style("✓").green(), style("!").yellow());
    println!("{} {}, owned by {}", style(checked.id).bold(), checked.version, checked.owner);
    println!("{good} built for hookswitch:plugin@1.0.0");
    for words in &checked.imports {
        println!("  {words}");
    }
    if checked.wasi_imports > 0 {
        let interfaces = count(checked.wasi_imports, "WASI interface", "WASI interfaces");
        println!("  the runtime of its language imports {interfaces}, which give it no access");
    }
    if !checked.http.is_empty() {
        println!("  asks to send requests to {}", checked.http.join(", "));
    }
    if !checked.secrets.is_empty() {
        println!("  asks for the secrets {}", checked.secrets.join(", "));
    }
    if !checked.missing_grants.is_empty() {
        println!(
            "{doubtful} not granted; to grant it, add to HOOKSWITCH_PLUGIN_GRANTS: {}",
            checked.missing_grants.join(",")
        );
    }
    if !checked.private_hosts.is_empty() {
        println!(
            "{doubtful} private addresses, which it cannot reach; to allow them, add to \
             HOOKSWITCH_PLUGIN_PRIVATE_HOSTS: {}",
            checked.private_hosts.join(",")
        );
    }
    for name in &checked.unset_secrets {
        println!("{doubtful} the secret {name} is not set here; set HOOKSWITCH_SECRET_{name}");
    }
    if checked.cases.is_empty() {
        println!("{doubtful} no cases; add one to plugins/{}/cases/", checked.id);
    }
    for case in &checked.cases {
        println!(
            "{good} {}: {} instructions, at most {} KiB of memory",
            case.name, case.instructions, case.most_memory_kib
        );
    }
    println!();
}
