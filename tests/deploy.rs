//! What production is set up with works as written, and agrees with the program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod confined;
mod containers;
mod database;
mod keys;
mod ready;
mod recipes;
mod release;
mod rights;
mod secrets;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(file: &str) -> String {
    fs::read_to_string(top().join(file)).unwrap()
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
    command.env_clear();
    command
}

fn help(command: &[&str]) -> String {
    let output = program().args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "hookswitch {} --help", command.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// All that it said.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Asserts that it went well, and gives what it printed.
#[track_caller]
fn done(output: Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The shell scripts of a section of the README, each without its comments.
fn scripts(section: &str) -> Vec<String> {
    let readme = read("deploy/README.md");
    let text = readme.split("\n## ").find(|text| text.starts_with(section)).unwrap().to_owned();
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let bare = |line: &str| line.split(" #").next().unwrap().trim_end().to_owned();
    blocks.map(|block| block.lines().map(bare).collect::<Vec<_>>().join("\n")).collect()
}

/// A folder with programs, to be first in `PATH`: the built one, and stand-ins that are scripts.
fn programs(stand_ins: &[(&str, &str)]) -> (tempfile::TempDir, OsString) {
    let folder = tempfile::tempdir().unwrap();
    symlink(env!("CARGO_BIN_EXE_hookswitch"), folder.path().join("hookswitch")).unwrap();
    for (name, script) in stand_ins {
        let file = folder.path().join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [folder.path().to_owned()].into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).unwrap();
    (folder, path)
}

/// The settings of `serve` with their defaults.
fn settings() -> BTreeMap<String, Option<String>> {
    let help = help(&["serve"]);
    let value = |line: &str, name: &str| {
        Some(line.trim().strip_prefix(name)?.strip_suffix(']')?.trim_end_matches('=').to_owned())
    };
    let mut settings = BTreeMap::new();
    let mut lines = help.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = value(line, "[env: ") {
            settings.insert(name, lines.peek().and_then(|next| value(next, "[default: ")));
        }
    }
    settings
}

/// `NAME=VALUE` of an environment file; `#NAME=VALUE` too.
fn variables(file: &str) -> BTreeMap<String, (bool, String)> {
    let set = |line: &str| {
        let (name, value) = line.trim_start_matches('#').split_once('=')?;
        let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        is_name.then(|| (name.to_owned(), (!line.starts_with('#'), value.to_owned())))
    };
    read(file).lines().filter_map(set).collect()
}

#[test]
fn the_environment_file_names_every_setting_with_its_default() {
    let (settings, named) = (settings(), variables("deploy/hookswitch.env.example"));
    assert!(settings.len() > 10, "{settings:?}");
    assert!(settings.keys().eq(named.keys()), "{settings:?}\n{named:?}");
    for (name, (is_set, value)) in named {
        if !is_set {
            assert_eq!(settings.get(&name).unwrap().as_ref(), Some(&value), "{name}");
        }
    }
}
