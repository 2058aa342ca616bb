//! Whatever authors write, the program lives on, in bounded time and memory, and says what is wrong and where.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod scripts;
mod served;
mod templates;
mod terminal;
mod watched;
mod yaml;

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::watched::{Ended, watched};
use crate::harness::program;

pub const GROUPS: &str = "- name: Ops\n  description: Operations\n";
pub const FRONT: &str = "---\ndescription: A test\ncategory: utility\nlanguage: en_US\nmode: text\n---\n";

pub fn write(folder: &Path, file: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A rules folder: a group, and these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "groups.yaml", GROUPS);
    for (file, text) in files {
        write(folder.path(), file, text);
    }
    folder
}

/// Runs `rules check`.
pub fn check(rules: &Path) -> Ended {
    let rules = rules.to_str().unwrap();
    watched(program(&["rules", "check", "--rules", rules]))
}

/// Runs `rules try` on an event of type `a` with this data.
pub fn try_event(rules: &Path, data: &Value) -> Ended {
    let event = rules.parent().unwrap().join(format!("{}.json", uuid::Uuid::new_v4()));
    fs::write(&event, json!({"type": "a", "data": data}).to_string()).unwrap();
    let arguments = ["rules", "try", event.to_str().unwrap(), "--rules", rules.to_str().unwrap()];
    let ended = watched(program(&arguments));
    fs::remove_file(event).unwrap();
    ended
}

/// Rules with one script for events of type `a`.
pub fn script(text: &str) -> TempDir {
    folder(&[("a/routes.yaml", "- on: a\n  script: s.rhai\n"), ("a/s.rhai", text)])
}

/// Rules with one template for events of type `a`, whose `text` is `data.text`.
pub fn template(body: &str) -> TempDir {
    let route = "- on: a\n  template: t\n  groups: [Ops]\n  context:\n    text: event.data.text\n    n: event.data.n\n";
    folder(&[("a/routes.yaml", route), ("a/templates/t.j2", &format!("{FRONT}{body}"))])
}
