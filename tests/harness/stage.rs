//! A host with all that it needs, and what tests ask of it again and again.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Database, Host, SOON, Simulator, free_port, program, wait_until, write_file, write_rule};

/// The front matter of a template that is always a free-form text.
pub const TEXT: &str = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\nmode: text\n---\n";

/// A host on a database of its own, the simulator that it sends to, and its rules.
pub struct Stage {
    pub database: Database,
    pub simulator: Simulator,
    pub host: Host,
    /// The folder of its rules.
    pub rules: PathBuf,
    _folder: Option<TempDir>,
}

/// What a stage is to be like: unless said otherwise, whatever an event of the type `any` says is the decision, there is the
/// template `note`, and every message may go out at once as free-form text.
#[must_use]
pub struct Builder {
    rules: PathBuf,
    folder: Option<TempDir>,
    simulator: Vec<String>,
    settings: Vec<(String, String)>,
    people: Vec<(String, String, Vec<String>)>,
    windows: bool,
}

impl Stage {
    /// A stage with the usual rules, to be changed before it starts.
    pub fn builder() -> Builder {
        let rules = tempfile::tempdir().unwrap();
        write_rule(rules.path(), "groups.yaml", "- name: Ops\n  description: Operations\n");
        write_rule(rules.path(), "any/routes.yaml", "- on: any\n  script: any.rhai\n");
        write_rule(rules.path(), "any/any.rhai", "fn decide(event) { event.data }");
        write_rule(rules.path(), "any/templates/note.j2", &format!("{TEXT}Note {{{{ n }}}}"));
        Stage::with_rules(rules)
    }

    /// A stage with these rules and no others.
    pub fn with_rules(rules: TempDir) -> Builder {
        let builder = Stage::in_folder(rules.path());
        Builder { folder: Some(rules), ..builder }
    }

    /// A stage with the rules of a folder that is not its own.
    pub fn in_folder(rules: &Path) -> Builder {
        let rules = rules.to_owned();
        let (simulator, settings, people) = Default::default();
        Builder { rules, folder: None, simulator, settings, people, windows: false }
            .simulator(&["--unlimited", "--window", "off", "--unknown-templates"])
            .settings(&[("WHATSAPP_MESSAGES_PER_SECOND", "1000")])
    }

    /// Posts an event whose data is the decision; returns its id.
    pub async fn decide(&self, decision: Value) -> String {
        self.host.accept(&json!({"type": "any", "subject": "s", "data": decision})).await
    }

    /// Waits until the first notification of an event's first decision has this status, and returns it.
    pub async fn notification(&self, id: &str, status: &str) -> Value {
        let find = async || self.host.event(id).await["decisions"][0]["notifications"][0].clone();
        wait_until(status, SOON, async || find().await["status"] == status).await;
        find().await
    }

    /// Waits until an event's first decision has this outcome, and returns it.
    pub async fn decision(&self, id: &str, outcome: &str) -> Value {
        let find = async || self.host.event(id).await["decisions"][0].clone();
        wait_until(outcome, SOON, async || find().await["outcome"] == outcome).await;
        find().await
    }

    /// How many messages have failed.
    pub async fn failed(&self) -> i64 {
        self.database.count("SELECT count(*) FROM delivery WHERE status = 'failed'").await
    }

    /// How many messages are read.
    pub async fn read(&self) -> i64 {
        let read = "SELECT count(DISTINCT notification_id) FROM delivery WHERE status = 'read'";
        self.database.count(read).await
    }

    /// Runs a command on this database, with these rules.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = program(arguments);
        command.env("DATABASE_URL", self.database.url()).env("HOOKSWITCH_RULES", &self.rules);
        command.output().unwrap()
    }

    /// What a command prints that succeeds.
    #[track_caller]
    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let [said, wrong] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        assert!(output.status.success(), "{arguments:?}: {said}{wrong}");
        said
    }
}

impl Builder {
    /// Adds these files to the rules, or puts them in the place of those of the same names.
    pub fn rules(self, files: &[(&str, &str)]) -> Builder {
        files.iter().for_each(|(file, text)| write_rule(&self.rules, file, text));
        self
    }

    /// Adds a file that is no text to the rules.
    pub fn file(self, file: &str, content: &[u8]) -> Builder {
        write_file(&self.rules, file, content);
        self
    }

    /// Starts the simulator with these arguments and no others.
    pub fn simulator(mut self, arguments: &[&str]) -> Builder {
        self.simulator = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self
    }

    /// Names and values of the host's environment; the last of a name counts.
    pub fn settings(mut self, settings: &[(&str, &str)]) -> Builder {
        self.settings.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// Adds a person with a number and groups.
    pub fn person(mut self, username: &str, wa_id: &str, groups: &[&str]) -> Builder {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        self.people.push((username.to_owned(), wa_id.to_owned(), groups));
        self
    }

    /// Everybody with a number of the tests wrote in just now.
    pub fn open_windows(mut self) -> Builder {
        self.windows = true;
        self
    }

    /// Starts it.
    pub async fn start(self) -> Stage {
        let Builder { rules, folder, simulator, settings, people, windows } = self;
        let database = Database::create().await;
        let port = free_port();
        let simulator = Simulator::start(port, &simulator.iter().map(String::as_str).collect::<Vec<_>>());
        let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let host = Host::start(port, &database, &simulator, &rules, &settings);
        for (username, wa_id, groups) in &people {
            let groups: Vec<_> = groups.iter().map(String::as_str).collect();
            database.add_person(username, wa_id, &groups).await;
        }
        if windows {
            database.open_windows().await;
        }
        Stage { database, simulator, host, rules, _folder: folder }
    }
}
