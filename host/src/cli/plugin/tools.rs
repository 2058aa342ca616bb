//! The tools that build plugins in JavaScript and Python: exact versions, downloaded once into the data directory.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::config::stranger;

const PACKAGE: &str = include_str!("template/componentize-js/package.json");
const LOCK: &str = include_str!("template/componentize-js/package-lock.json");
const REQUIREMENTS: &str = include_str!("template/requirements.txt");

/// The folder whose `node_modules` has componentize-js and all that it needs.
///
/// # Errors
/// If it is not there and npm is missing or fails.
pub fn javascript(tools: &Path) -> anyhow::Result<PathBuf> {
    install(tools, "componentize-js", LOCK, &|folder| {
        write(folder, "package.json", PACKAGE)?;
        write(folder, "package-lock.json", LOCK)?;
        let status = stranger("npm")
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .context("cannot run npm; get Node.js 20 or later at https://nodejs.org")?;
        if !status.success() {
            bail!("cannot download componentize-js: see the messages of npm above");
        }
        Ok(())
    })
}

/// The folder of Python modules that has componentize-py.
///
/// # Errors
/// If it is not there and pip is missing or fails.
pub fn python(tools: &Path) -> anyhow::Result<PathBuf> {
    install(tools, "componentize-py", REQUIREMENTS, &|folder| {
        write(folder, "requirements.txt", REQUIREMENTS)?;
        let status = stranger("python3")
            .args(["-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"])
            .args(["--no-input", "--quiet", "--target"])
            .arg(folder)
            .arg("--requirement")
            .arg(folder.join("requirements.txt"))
            .stdin(Stdio::null())
            .status()
            .context("cannot run python3; get Python 3.10 or later with pip")?;
        if !status.success() {
            bail!("cannot download componentize-py: see the messages of pip above");
        }
        Ok(())
    })
}

/// The folder of a tool, filled if it is not there. It gets its name, which tells its versions, when it is complete: what
/// was interrupted begins anew, and of two processes either may be first.
fn install(
    tools: &Path,
    name: &str,
    versions: &str,
    fill: &dyn Fn(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let tools = std::path::absolute(tools)?;
    let folder = tools.join(format!("{name}-{}", hex::encode(&Sha256::digest(versions)[..6])));
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(&tools).with_context(|| format!("cannot create {}", tools.display()))?;
    eprintln!("downloading {name} into {}", folder.display());
    let stage = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(&tools)
        .with_context(|| format!("cannot write to {}", tools.display()))?;
    fill(stage.path())?;
    match fs::rename(stage.path(), &folder) {
        Ok(()) => drop(stage.keep()),
        Err(_) if folder.is_dir() => {}
        Err(error) => return Err(error).with_context(|| format!("cannot create {}", folder.display())),
    }
    Ok(folder)
}

fn write(folder: &Path, file: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(file);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
