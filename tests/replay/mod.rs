//! Replays: what other rules would have made of past events.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod as_case;
mod changes;
mod ci;
mod file;
mod jobs;
mod questions;
pub(crate) mod random;
mod shipped;

use std::{path::Path, process::Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Database, Host, SOON, Simulator, free_port, program, wait_until, write_rule};

const FRONT: &str = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\n";
/// Tells Ops of each note.
const ROUTE: &str = "- {on: note, template: note, groups: [Ops], context: {n: event.data.n}}\n";

/// A rules folder with these files beside the groups Ops and Desk, and the template `note`.
fn rules(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let groups = "- {name: Ops, description: They run it}\n- {name: Desk, description: They answer}\n";
    write_rule(folder.path(), "groups.yaml", groups);
    write_rule(folder.path(), "notes/templates/note.j2", &format!("{FRONT}Note {{{{ n }}}} of today"));
    for (file, text) in files {
        write_rule(folder.path(), file, text);
    }
    folder
}

/// A host that has decided events, and commands that replay them.
struct Past {
    database: Database,
    host: Host,
    _simulator: Simulator,
    /// The data folder of the commands; the host has another.
    data: TempDir,
    _of_host: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Past {
    /// A host that serves these rules. Two people are in Ops, one is in Desk.
    async fn of(rules: &Path) -> Past {
        Past::with(rules, &[]).await
    }

    /// The same with these settings for the host and the commands.
    async fn with(rules: &Path, settings: &[(&'static str, String)]) -> Past {
        let database = Database::create().await;
        let port = free_port();
        let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
        let [data, of_host] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let folder = of_host.path().to_str().unwrap();
        let mut all = vec![("HOOKSWITCH_DATA_DIR", folder)];
        all.extend(settings.iter().map(|(name, value)| (*name, value.as_str())));
        let host = Host::start(port, &database, &simulator, rules, &all);
        database.add_person("ann", "15550200001", &["Ops"]).await;
        database.add_person("bob", "15550200002", &["Ops"]).await;
        database.add_person("cid", "15550200003", &["Desk"]).await;
        Past { database, host, _simulator: simulator, data, _of_host: of_host, settings: settings.to_vec() }
    }

    /// Posts events and waits until they are routed.
    async fn happened(&self, events: &[Value]) {
        for event in events {
            self.host.accept(event).await;
        }
        self.routed().await;
    }

    async fn routed(&self) {
        wait_until("the release is stored", SOON, async || {
            self.database.count("SELECT count(*) FROM release").await > 0
        })
        .await;
        let undecided = "SELECT count(*) FROM event e WHERE NOT EXISTS (
            SELECT FROM decision d WHERE d.lane = e.lane AND d.event_seq = e.seq)";
        wait_until("all is routed", SOON, async || self.database.count(undecided).await == 0).await;
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = program(arguments);
        command.env("DATABASE_URL", self.database.url()).env("HOOKSWITCH_DATA_DIR", self.data.path());
        command.envs(self.settings.iter().map(|(name, value)| (*name, value)));
        command.output().unwrap()
    }

    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let [said, wrong] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        assert!(output.status.success(), "{arguments:?}: {said}{wrong}");
        said
    }

    /// The replay by the rules in a folder.
    #[track_caller]
    fn replay(&self, rules: &Path) -> Value {
        self.replay_with(rules, &[])
    }

    #[track_caller]
    fn replay_with(&self, rules: &Path, more: &[&str]) -> Value {
        let rules = rules.to_str().unwrap();
        let arguments = [&["replay", "--json", "--since", "1h", "--rules", rules], more].concat();
        serde_json::from_str(&self.says(&arguments)).unwrap()
    }
}

/// What changes, by kind: gone, new, people, time, words.
fn kinds(replay: &Value) -> [u64; 5] {
    ["gone", "new", "people", "time", "words"].map(|kind| replay["totals"]["changes"][kind].as_u64().unwrap())
}
