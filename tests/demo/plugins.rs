//! The demo builds the plugins and shows them deciding.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{hookswitch, text};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The plugins that come with it, as a fresh checkout has them: without components. What they depend on is built once
/// for all runs of the test.
pub fn sources() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (top().join("plugins"), folder.path().join("plugins"));
    copy(&from, &to);
    let manifest = fs::read_to_string(from.join("Cargo.toml")).unwrap();
    let sdk = top().join("sdk").display().to_string();
    fs::write(to.join("Cargo.toml"), manifest.replace("\"../sdk\"", &format!("{sdk:?}"))).unwrap();
    fs::create_dir(to.join("target")).unwrap();
    // Inside of the folder, as plugins that are links to elsewhere are refused.
    for part in ["target/release", "target/wasm32-wasip2"] {
        fs::create_dir_all(from.join(part)).unwrap();
        symlink(from.join(part), to.join(part)).unwrap();
    }
    folder
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if name == "target" || name == "node_modules" || path.extension().is_some_and(|end| end == "wasm") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn demo(folder: &TempDir) -> Command {
    let mut command = hookswitch(&["demo", "--exit"]);
    command.current_dir(folder.path());
    for name in ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "CARGO_NET_OFFLINE"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

#[test]
fn plugins_are_built_from_source_and_decide() {
    let folder = sources();
    let output = demo(&folder).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for plugin in ["escalation", "order-triage", "stock-webhook"] {
        assert!(said.contains(&format!("building the plugin {plugin} from source")), "{said}");
        let decided = said
            .lines()
            .any(|line| line.contains("decided by") && line.contains(plugin) && line.contains("(plugin)"));
        assert!(decided, "{plugin} decides nothing: {said}");
    }
    assert!(said.contains("continuing without invoice-lines: "), "{said}");
    // The second time there is nothing to build.
    let output = demo(&folder).output().unwrap();
    assert!(output.status.success() && !text(&output).contains("building"), "{}", text(&output));
}

#[test]
fn a_plugin_that_cannot_be_built_is_left_out_in_one_line() {
    let folder = sources();
    let programs = folder.path().join("bin");
    fs::create_dir(&programs).unwrap();
    for (name, script) in [
        ("rustup", "echo wasm32-wasip2"),
        (
            "cargo",
            "printf 'error: failed to get serde\\n\\nCaused by:\\n  could not resolve host\\n' >&2; exit 101",
        ),
    ] {
        let path = programs.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut paths = vec![programs];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let output = demo(&folder).env("PATH", std::env::join_paths(paths).unwrap()).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let line = "continuing without the plugin escalation: cargo build failed: error: failed to get serde: could not resolve host";
    assert!(said.lines().any(|shown| shown.contains(line)), "{said}");
    assert!(said.contains("messages read"), "{said}");
}
