//! What is told once, and what is told together: keys and digests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod digest;
mod keys;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, Host, SOON, Simulator, free_port, program, wait_until};

const ANN: &str = "15550100001";

/// Rules by which whatever an event says is the decision, and whatever else a test writes.
pub struct Stage {
    pub database: Database,
    pub simulator: Simulator,
    pub host: Host,
    rules: TempDir,
}

impl Stage {
    /// With these files in place of, or beside, the usual ones.
    async fn with(files: &[(&str, &str)]) -> Stage {
        let rules = tempfile::tempdir().unwrap();
        let template = "---
description: A note
category: utility
language: en_US
mode: text
---
Note {{ n }}";
        write(rules.path(), "groups.yaml", "- name: Ops\n  description: Operations\n");
        write(rules.path(), "any/routes.yaml", "- on: any\n  script: any.rhai\n");
        write(rules.path(), "any/any.rhai", "fn decide(event) { event.data }");
        write(rules.path(), "any/templates/note.j2", template);
        for (file, text) in files {
            write(rules.path(), file, text);
        }
        let database = Database::create().await;
        let port = free_port();
        let simulator = Simulator::start(port, &["--unlimited", "--window", "off", "--unknown-templates"]);
        let settings = [("WHATSAPP_MESSAGES_PER_SECOND", "1000")];
        let host = Host::start(port, &database, &simulator, rules.path(), &settings);
        database.add_person("ann", ANN, &["Ops"]).await;
        database.open_windows().await;
        Stage { database, simulator, host, rules }
    }

    async fn decide(&self, decision: Value) -> String {
        self.host.accept(&json!({"type": "any", "subject": "s", "data": decision})).await
    }

    /// Waits until the first notification of an event's first decision has this status, and returns it.
    async fn notification(&self, id: &str, status: &str) -> Value {
        let find = async || self.host.event(id).await["decisions"][0]["notifications"][0].clone();
        wait_until(status, SOON, async || find().await["status"] == status).await;
        find().await
    }

    /// Waits until an event's first decision has this outcome, and returns it.
    async fn decision(&self, id: &str, outcome: &str) -> Value {
        let find = async || self.host.event(id).await["decisions"][0].clone();
        wait_until(outcome, SOON, async || find().await["outcome"] == outcome).await;
        find().await
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command: Command = program(arguments);
        command.env("DATABASE_URL", self.database.url()).env("HOOKSWITCH_RULES", self.rules.path());
        command.output().unwrap()
    }

    /// What a command says that does what it should.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (said, wrong) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {said}{wrong}");
        said
    }
}

fn write(rules: &Path, file: &str, text: &str) {
    let path = rules.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn note(n: i64, to: &str) -> Value {
    json!({"template": "note", "contacts": [to], "context": {"n": n}})
}
