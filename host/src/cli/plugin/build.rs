//! `hookswitch plugin build`: a component, with the tools of the plugin's language.

use std::{
    fs,
    path::Path,
    process::{ExitCode, Stdio},
};

use anyhow::{Context, bail};
use clap::Args;

use super::{
    cargo::{self, Progress},
    new, sdk, tools,
};
use crate::config::{DatabaseConfig, RulesConfig, stranger};

/// The arguments of `hookswitch plugin build`.
#[derive(Args, Debug)]
pub struct BuildArgs {
    /// Ids of plugins [default: all]
    ids: Vec<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

impl BuildArgs {
    /// The arguments for one plugin.
    pub fn of(id: &str, rules: &RulesConfig) -> BuildArgs {
        BuildArgs { ids: vec![id.to_owned()], rules: rules.clone() }
    }
}

/// Builds plugins; each component is put beside its plugin.yaml.
///
/// # Errors
/// If a tool fails or is missing; the error says how to get it.
pub fn run(args: &BuildArgs, database: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let tools = database.data_dir.join("tools");
    let ids = if args.ids.is_empty() { all(&args.rules.plugins)? } else { args.ids.clone() };
    for id in ids {
        let folder = args.rules.plugins.join(&id);
        if !folder.join("plugin.yaml").is_file() {
            bail!("unknown plugin {id:?}: no {}", folder.join("plugin.yaml").display());
        }
        eprintln!("building {id}");
        let component = folder.join(format!("{id}.wasm"));
        if folder.join("Cargo.toml").is_file() {
            write_sdk(&args.rules.plugins, &folder)?;
            rust(&folder, &component, Progress::Inherit)
                .with_context(|| format!("cannot build the plugin {id}"))?;
        } else if folder.join(format!("{id}.js")).is_file() {
            javascript(&folder, &id, &tools, &component)?;
        } else if folder.join("app.py").is_file() {
            python(&folder, &id, &tools, &component)?;
        } else {
            bail!("nothing to build: no Cargo.toml, {id}.js or app.py in {}", folder.display());
        }
        println!("{}", component.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the SDK beside the plugins if a plugin expects it there, as in a checkout of plugins alone.
fn write_sdk(plugins: &Path, folder: &Path) -> anyhow::Result<()> {
    let beside = plugins.join(sdk::FOLDER);
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    if !manifest.contains(&format!("\"../{}\"", sdk::FOLDER)) || beside.exists() {
        return Ok(());
    }
    eprintln!("writing the SDK to {}", beside.display());
    new::create(&beside, &sdk::FILES)
}

/// The ids of the plugins in a folder, in order.
///
/// # Errors
/// If the folder cannot be read.
pub fn all(plugins: &Path) -> anyhow::Result<Vec<String>> {
    let entries =
        fs::read_dir(plugins).with_context(|| format!("cannot read the folder {}", plugins.display()))?;
    let mut ids: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("plugin.yaml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    ids.sort();
    Ok(ids)
}

/// Builds a Rust plugin's component.
///
/// # Errors
/// As [`cargo::build`].
pub fn rust(folder: &Path, component: &Path, progress: Progress<'_>) -> anyhow::Result<()> {
    put(&cargo::build(folder, progress)?, component)
}

/// Builds a plugin in JavaScript.
fn javascript(folder: &Path, id: &str, tools: &Path, component: &Path) -> anyhow::Result<()> {
    let tool = tools::javascript(tools)?;
    let work = work()?;
    let (source, built) =
        (std::path::absolute(folder)?.join(format!("{id}.js")), work.path().join("built.wasm"));
    // Paths as arguments: no text of theirs becomes code.
    let script = "import { componentize } from '@bytecodealliance/componentize-js';\n\
                  import { writeFile } from 'node:fs/promises';\n\
                  const [sourcePath, witPath, built] = process.argv.slice(1);\n\
                  const { component } = await componentize({ sourcePath,\n\
                  witPath, worldName: 'plugin', disableFeatures: ['http', 'fetch-event'] });\n\
                  await writeFile(built, component);\n";
    let status = stranger("node")
        .args(["--input-type=module", "--eval", script])
        .args([source.as_path(), work.path(), &built])
        // Where the script's imports are found.
        .current_dir(tool)
        .stdin(Stdio::null())
        .status()
        .context("cannot run node; get Node.js 20 or later at https://nodejs.org")?;
    if !status.success() {
        bail!("cannot build {id}: see the messages of componentize-js above");
    }
    put(&built, component)
}

/// Builds a plugin in Python.
fn python(folder: &Path, id: &str, tools: &Path, component: &Path) -> anyhow::Result<()> {
    let tool = tools::python(tools)?;
    let work = work()?;
    let built = work.path().join("built.wasm");
    let status = stranger("python3")
        .args(["-c", "import sys, componentize_py; sys.exit(componentize_py.script())"])
        .arg("--wit-path")
        .arg(work.path())
        .args(["--world", "plugin", "componentize", "app", "--output"])
        .arg(&built)
        .env("PYTHONPATH", tool)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .context("cannot run python3; get Python 3.10 or later with pip")?;
    if !status.success() {
        bail!("cannot build {id}: see the messages of componentize-py above");
    }
    put(&built, component)
}

/// A temporary folder with the contract, which the program contains, and room for the component.
fn work() -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    fs::write(folder.path().join("plugin.wit"), include_str!("../../../../sdk/wit/plugin.wit"))
        .context("cannot write the contract")?;
    Ok(folder)
}

/// Puts a component in place in one step, so that a host that watches the folder never reads half of it.
fn put(built: &Path, component: &Path) -> anyhow::Result<()> {
    let beside = component.with_extension("wasm.new");
    fs::copy(built, &beside)
        .and_then(|_| fs::rename(&beside, component))
        .with_context(|| format!("cannot write {}", component.display()))
}
