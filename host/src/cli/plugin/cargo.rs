//! Builds plugins that are written in Rust.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    thread,
};

use anyhow::{Context, bail};

use crate::config::stranger;

const TARGET: &str = "wasm32-wasip2";

/// Where cargo and rustup write their progress.
pub enum Progress<'a> {
    /// To this program's standard error, as they are.
    Inherit,
    /// Line by line to a function; an error repeats what matters of them in one line.
    #[cfg_attr(not(feature = "simulator"), expect(dead_code, reason = "only the demo has a progress bar"))]
    Lines(&'a mut dyn FnMut(&str)),
}

/// Builds the plugin in `folder` with cargo and returns the path of its component. Adds the target to the toolchain
/// where rustup can. All plugins of a plugins folder share one target folder, so what they have in common is built
/// once.
///
/// # Errors
/// If cargo is missing, fails, or makes no component.
pub fn build(folder: &Path, mut progress: Progress<'_>) -> anyhow::Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    add_target(&folder, &mut progress)?;
    let shared = folder.parent().unwrap_or(&folder).join("target");
    let mut cargo = stranger("cargo");
    cargo
        .args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"])
        .arg("--target-dir")
        .arg(shared)
        .current_dir(&folder);
    let output =
        run(&mut cargo, &mut progress).context("cargo not found; install Rust from https://rustup.rs")?;
    if !output.status.success() {
        bail!("{}", reason(&output, "cargo build failed"));
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
    built.context("cargo built no component; set crate-type = [\"cdylib\"] under [lib] in Cargo.toml")
}

/// Adds the target here, as some machines tell rustup not to install anything by itself.
fn add_target(folder: &Path, progress: &mut Progress<'_>) -> anyhow::Result<()> {
    let installed = stranger("rustup").args(["target", "list", "--installed"]).current_dir(folder).output();
    let has = |output: &Output| String::from_utf8_lossy(&output.stdout).lines().any(|line| line == TARGET);
    if installed.as_ref().is_ok_and(has) {
        return Ok(());
    }
    match progress {
        Progress::Inherit => eprintln!("adding the target {TARGET}"),
        Progress::Lines(told) => told(&format!("adding the target {TARGET}")),
    }
    let added = run(stranger("rustup").args(["target", "add", TARGET]).current_dir(folder), progress);
    match added {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => bail!("{}", reason(&output, &format!("rustup target add {TARGET} failed"))),
        // A toolchain without rustup may have the target all the same; if not, cargo's error says so.
        Err(_) => Ok(()),
    }
}

/// Runs a command whose standard output is collected.
fn run(command: &mut std::process::Command, progress: &mut Progress<'_>) -> std::io::Result<Output> {
    let Progress::Lines(told) = progress else { return command.stderr(Stdio::inherit()).output() };
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both pipes are read at once: a full one would stop the child.
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        stdout.map(|mut stdout| stdout.read_to_end(&mut all)).transpose().map(|_| all)
    });
    let mut lines = Vec::new();
    for line in stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok) {
        told(line.trim());
        lines.extend(line.bytes());
        lines.push(b'\n');
    }
    let status = child.wait()?;
    let stdout = reader.join().unwrap_or_else(|_| Ok(Vec::new()))?;
    Ok(Output { status, stdout, stderr: lines })
}

/// The first error and its deepest cause; `otherwise` where the program wrote to the terminal itself.
fn reason(output: &Output, otherwise: &str) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let Some(first) = lines().find(|line| line.starts_with("error")) else { return otherwise.to_owned() };
    match lines().next_back() {
        Some(last) if last != first && text.contains("Caused by") => format!("{otherwise}: {first}: {last}"),
        _ => format!("{otherwise}: {first}"),
    }
}
