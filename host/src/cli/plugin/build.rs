//! `hookswitch plugin build`: a component, with the tools of the plugin's language.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use anyhow::{Context, bail};
use clap::Args;

use crate::config::{RulesConfig, stranger};

const TARGET: &str = "wasm32-wasip2";
/// Versions that the examples were built with.
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
            rust(&folder, &id, &component)?;
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

fn all(plugins: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(plugins).with_context(|| format!("read the folder {}", plugins.display()))?;
    let mut ids: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("plugin.yaml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    ids.sort();
    Ok(ids)
}

/// Builds the Rust plugins that have no component yet, where Rust's wasm target is there, and tells what is left out.
/// Nothing here fails: the rest of the program works without plugins.
#[cfg(feature = "simulator")]
pub fn for_demo(plugins: &Path, tell: &mut dyn FnMut(String)) {
    let Ok(ids) = all(plugins) else { return };
    let component = |id: &String| plugins.join(id).join(format!("{id}.wasm"));
    let missing: Vec<String> = ids.into_iter().filter(|id| !component(id).is_file()).collect();
    let (rusty, others): (Vec<String>, Vec<String>) =
        missing.into_iter().partition(|id| plugins.join(id).join("Cargo.toml").is_file());
    let mut left_out = others;
    if has_target(plugins) {
        for id in rusty {
            tell(format!("building the plugin {id}"));
            if let Err(error) = rust(&plugins.join(&id), &id, &component(&id)) {
                tell(format!("failed to {error:#}"));
                left_out.push(id);
            }
        }
    } else {
        left_out.extend(rusty);
    }
    if !left_out.is_empty() {
        tell(format!("left out, as they are not built: {} (hookswitch plugin build)", left_out.join(", ")));
    }
}

fn has_target(folder: &Path) -> bool {
    let installed = stranger("rustup").args(["target", "list", "--installed"]).current_dir(folder).output();
    installed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).lines().any(|line| line == TARGET))
}

/// Builds a Rust plugin; adds the target where rustup can.
fn rust(folder: &Path, id: &str, component: &Path) -> anyhow::Result<()> {
    add_target(folder)?;
    let output = stranger("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo: get Rust at https://rustup.rs")?;
    if !output.status.success() {
        bail!("build {id}: cargo says why above");
    }
    let built = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|message| {
            let files = message["filenames"].as_array()?;
            files
                .iter()
                .filter_map(|file| file.as_str())
                .find(|file| file.ends_with(".wasm"))
                .map(PathBuf::from)
        })
        .next_back();
    let built = built.with_context(|| {
        format!(
            "build {id}: cargo made no component; is crate-type = [\"cdylib\"] under [lib] in its Cargo.toml?"
        )
    })?;
    put(&built, component)
}

/// Some machines tell rustup not to install by itself, so it is told here.
fn add_target(folder: &Path) -> anyhow::Result<()> {
    if has_target(folder) {
        return Ok(());
    }
    eprintln!("adding the target {TARGET}");
    match stranger("rustup").args(["target", "add", TARGET]).current_dir(folder).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("add the target {TARGET}: run `rustup target add {TARGET}`, and see why it fails"),
        // Without rustup, the toolchain may have the target all the same: cargo will tell.
        Err(_) => Ok(()),
    }
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
