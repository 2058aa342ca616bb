//! `hookswitch plugin build`: a component, with the tools of the plugin's language.

use std::{
    fs,
    path::Path,
    process::{ExitCode, Stdio},
};

use anyhow::{Context, bail};
use clap::Args;

use super::cargo::{self, Progress};
use crate::config::{RulesConfig, stranger};

/// The versions that the examples were built with.
const COMPONENTIZE_PY: &str = "componentize-py==0.19.3";
const COMPONENTIZE_JS: &str = "@bytecodealliance/componentize-js@0.19.3";

/// The arguments of `hookswitch plugin build`.
#[derive(Args, Debug)]
pub struct BuildArgs {
    /// Ids of plugins [default: all]
    ids: Vec<String>,
    #[command(flatten)]
    rules: RulesConfig,
}

/// Builds plugins; each component is put beside its plugin.yaml.
///
/// # Errors
/// If a tool fails or is missing; the error says how to get it.
pub fn run(args: &BuildArgs) -> anyhow::Result<ExitCode> {
    let ids = if args.ids.is_empty() { all(&args.rules.plugins)? } else { args.ids.clone() };
    for id in ids {
        let folder = args.rules.plugins.join(&id);
        if !folder.join("plugin.yaml").is_file() {
            bail!("unknown plugin {id:?}: no {}", folder.join("plugin.yaml").display());
        }
        eprintln!("building {id}");
        let component = folder.join(format!("{id}.wasm"));
        if folder.join("Cargo.toml").is_file() {
            rust(&folder, &component, Progress::Inherit)
                .with_context(|| format!("cannot build the plugin {id}"))?;
        } else if folder.join(format!("{id}.js")).is_file() {
            javascript(&folder, &id, &component)?;
        } else if folder.join("app.py").is_file() {
            python(&folder, &component)?;
        } else {
            bail!("nothing to build: no Cargo.toml, {id}.js or app.py in {}", folder.display());
        }
        println!("{}", component.display());
    }
    Ok(ExitCode::SUCCESS)
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

fn javascript(folder: &Path, id: &str, component: &Path) -> anyhow::Result<()> {
    let wit = contract()?;
    let script = format!(
        "import {{ componentize }} from '@bytecodealliance/componentize-js';\n\
         import {{ readFile, writeFile }} from 'node:fs/promises';\n\
         const {{ component }} = await componentize(await readFile('{id}.js', 'utf8'), {{\n\
         witPath: {wit:?}, worldName: 'plugin', disableFeatures: ['http', 'fetch-event'] }});\n\
         await writeFile({:?}, component);\n",
        std::path::absolute(component)?,
        wit = wit.path(),
    );
    let installed = folder.join("node_modules/@bytecodealliance/componentize-js").is_dir();
    if !installed {
        eprintln!("downloading {COMPONENTIZE_JS}");
        let status = stranger("npm")
            .args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", COMPONENTIZE_JS])
            .current_dir(folder)
            .stdout(Stdio::null())
            .status()
            .context("cannot run npm; get Node.js 20 or later at https://nodejs.org")?;
        if !status.success() {
            bail!("cannot download {COMPONENTIZE_JS}: see the messages of npm above");
        }
    }
    let maker = folder.join("node_modules/.hookswitch-build.mjs");
    fs::write(&maker, script).with_context(|| format!("cannot write {}", maker.display()))?;
    let status = stranger("node")
        .arg("node_modules/.hookswitch-build.mjs")
        .current_dir(folder)
        .status()
        .context("cannot run node; get Node.js 20 or later at https://nodejs.org")?;
    if !status.success() {
        bail!("cannot build {id}: see the messages of componentize-js above");
    }
    Ok(())
}

fn python(folder: &Path, component: &Path) -> anyhow::Result<()> {
    let wit = contract()?;
    let status = stranger("componentize-py")
        .args(["--wit-path".as_ref(), wit.path().as_os_str(), "--world".as_ref(), "plugin".as_ref()])
        .args([
            "componentize".as_ref(),
            "app".as_ref(),
            "--output".as_ref(),
            std::path::absolute(component)?.as_os_str(),
        ])
        .current_dir(folder)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("cannot build {}: see the messages of componentize-py above", folder.display()),
        Err(_) => bail!("componentize-py is not installed; get it with `pip install {COMPONENTIZE_PY}`"),
    }
}

/// The contract, which the program contains, in a folder of its own.
fn contract() -> anyhow::Result<tempfile::TempDir> {
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
