//! Releases of rules and plugins: created, compared, activated, followed by hosts that have no files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod followed;
mod managed;
mod shadow;
mod shadow_http;
mod share;
mod share_plugins;
mod share_templates;
mod steady;
mod stored;

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, Host, SOON, Simulator, free_port, program, wait_until, write_rule};

const FRONT: &str = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\n";
const CASE: &str = "- name: Ops hear of it\n  event: {type: note}\n  expect:\n    - template: note\n";

/// A rules folder whose route tells Ops this of each `note`.
fn rules(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "groups.yaml", "- {name: Ops, description: They run it}\n");
    write_rule(folder.path(), "notes/routes.yaml", "- {on: note, template: note, groups: [Ops]}\n");
    write_rule(folder.path(), "notes/templates/note.j2", &format!("{FRONT}{text}"));
    write_rule(folder.path(), "notes/cases/note.yaml", CASE);
    folder
}

/// A database with hosts that follow its releases.
struct Fleet {
    database: Database,
    simulator: Simulator,
    port: u16,
    /// The data folder of the commands; hosts have others.
    data: TempDir,
}

impl Fleet {
    async fn new() -> Fleet {
        let database = Database::create().await;
        let port = free_port();
        let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
        Fleet { database, simulator, port, data: tempfile::tempdir().unwrap() }
    }

    /// Starts a host that follows, or one that serves a folder.
    fn host(&self, data: &Path, rules: Option<&Path>) -> Host {
        // The folder that is the default is not where tests run.
        let rules = rules.unwrap_or(Path::new("rules"));
        let data = data.to_str().unwrap();
        Host::start(free_port(), &self.database, &self.simulator, rules, &[("HOOKSWITCH_DATA_DIR", data)])
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command.env("DATABASE_URL", self.database.url()).env("HOOKSWITCH_DATA_DIR", self.data.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let [said, wrong] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        assert!(output.status.success(), "{arguments:?}: {said}{wrong}");
        said
    }

    /// Creates a release of a folder; returns its short name.
    #[track_caller]
    fn create(&self, rules: &Path) -> String {
        self.says(&["release", "create", "--rules", rules.to_str().unwrap()]).trim().to_owned()
    }

    /// What `release show --json` says.
    #[track_caller]
    fn show(&self, release: &str) -> Value {
        serde_json::from_str(&self.says(&["release", "show", release, "--json"])).unwrap()
    }

    /// Waits until a release is live on so many hosts.
    async fn lives_on(&self, release: &str, hosts: usize) {
        let what = format!("{release} is live on {hosts} hosts");
        let live = async || self.show(release)["hosts"].as_array().unwrap().len() == hosts;
        wait_until(&what, SOON, live).await;
    }
}

/// Waits until this host decides by a release.
async fn decides_by(host: &Host, release: &str) {
    wait_until(&format!("it decides by {release}"), SOON, async || rules_of(host).await == release).await;
}

/// The release of the rules that are live on a host.
async fn rules_of(host: &Host) -> String {
    let id = host.accept(&json!({"type": "note", "data": {}})).await;
    wait_until("it is routed", SOON, async || host.event(&id).await["routed"] == true).await;
    host.event(&id).await["decisions"][0]["release"].as_str().unwrap().to_owned()
}
