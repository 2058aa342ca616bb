//! Plugins in a running host: dropped in, replaced, failing, hostile.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authoring;
mod cases;
mod compiling;
mod counts;
mod forge;
mod fuzz;
mod hostile;
mod life;
mod neighbours;
mod network;
mod secrets;
mod slow;

use std::{fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{CACHE, Database, Host, SOON, Simulator, component, free_port, wait_until};

const NOTE: &str = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\nThis is from {{ name }}, all right.\n";

/// A rules folder and a plugins folder.
struct Folders {
    folder: TempDir,
}

impl Folders {
    fn new() -> Folders {
        let folders = Folders { folder: tempfile::tempdir().unwrap() };
        folders.write("rules/groups.yaml", b"- name: Ops\n  description: Runs it\n");
        folders.write("rules/notes/templates/note.j2", NOTE.as_bytes());
        fs::create_dir_all(folders.plugins()).unwrap();
        folders
    }

    fn rules(&self) -> PathBuf {
        self.folder.path().join("rules")
    }

    fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // In one step, as `plugin build` does it.
        let beside = path.with_extension("new");
        fs::write(&beside, bytes).unwrap();
        fs::rename(beside, path).unwrap();
    }

    /// Puts a plugin there that decides about these events.
    fn plugin(&self, id: &str, on: &str, more: &str) {
        let manifest =
            format!("id: {id}\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Tests\non: [{on}]\n{more}\n");
        self.write(&format!("plugins/{id}/plugin.yaml"), manifest.as_bytes());
        self.write(&format!("plugins/{id}/{id}.wasm"), component());
    }

    fn settings(&self) -> [(String, String); 2] {
        [
            ("HOOKSWITCH_PLUGINS".to_owned(), self.plugins().display().to_string()),
            ("HOOKSWITCH_PLUGIN_CACHE".to_owned(), CACHE.to_owned()),
        ]
    }
}

struct Stage {
    database: Database,
    simulator: Simulator,
    host: Host,
    folders: Folders,
}

impl Stage {
    async fn set(folders: Folders, settings: &[(&str, &str)]) -> Stage {
        let database = Database::create().await;
        let port = free_port();
        let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
        let own = folders.settings();
        let mut all: Vec<(&str, &str)> = own.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        all.extend(settings);
        let host = Host::start(port, &database, &simulator, &folders.rules(), &all);
        database.add_person("ann", "15550100001", &["Ops"]).await;
        Stage { database, simulator, host, folders }
    }

    /// Posts an event, waits until it is routed, and gives its first decision.
    async fn decided(&self, event: &Value) -> Value {
        let id = self.host.accept(event).await;
        let mut decision = Value::Null;
        wait_until("the event is routed", SOON, async || {
            let history = self.host.event(&id).await;
            decision = history["decisions"][0].clone();
            !decision.is_null()
        })
        .await;
        decision
    }
}
