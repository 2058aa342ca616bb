//! The operator's side: people and groups, the set-up check, test messages and look-ups, over the command line and HTTP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod changes;
mod check;
mod connections;
mod description;
mod groups;
mod healing;
mod imports;
mod look_ups;
mod output;
mod pages;
mod people;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use hookswitch_simulator::Settings;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, Host, Simulator, free_port, http, program};

const GREETING: &str = "---\ndescription: A greeting\ncategory: utility\nlanguage: en_US\n---\n\
                        Good morning, {{ name }}, this is a test.\n";
const ROUTE: &str =
    "- on: guest.arrived\n  template: greeting\n  groups: [Ops]\n  context:\n    name: event.data.name\n";

/// A small rules folder, a database, a simulator, and the settings of a host that may run on it.
struct Office {
    database: Database,
    simulator: Simulator,
    rules: TempDir,
    port: u16,
}

impl Office {
    async fn open() -> Office {
        Office::with(&["--unlimited"]).await
    }

    async fn with(simulator: &[&str]) -> Office {
        let port = free_port();
        let office = Office {
            database: Database::empty().await,
            simulator: Simulator::start(port, simulator),
            rules: tempfile::tempdir().unwrap(),
            port,
        };
        office.write("groups.yaml", "- name: Ops\n  description: Runs it\n");
        office.write("guests/templates/greeting.j2", GREETING);
        office.write("guests/routes.yaml", ROUTE);
        office
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.rules.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn host(&self) -> Host {
        Host::start(self.port, &self.database, &self.simulator, self.rules.path(), &[])
    }

    /// The program with the settings of this office, and with others in their place.
    fn command(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
        let account = Settings::default();
        let mut command = program(arguments);
        command
            .env("DATABASE_URL", self.database.url())
            .env("HOOKSWITCH_RULES", self.rules.path())
            .env("WHATSAPP_API_URL", self.simulator.api_url())
            .env("WHATSAPP_PHONE_NUMBER_ID", account.phone_number_id)
            .env("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id)
            .env("WHATSAPP_ACCESS_TOKEN", account.access_token)
            .env("WHATSAPP_APP_SECRET", account.app_secret)
            .env("WHATSAPP_VERIFY_TOKEN", account.verify_token)
            .envs(settings.iter().copied());
        command
    }

    /// Asks the simulator something as Meta's Graph API.
    async fn graph(&self, method: Method, path: &str, body: Option<Value>) {
        let account = Settings::default();
        let url = format!("{}/{}/{path}", self.simulator.api_url(), account.waba_id);
        let mut request = http().request(method, url).bearer_auth(account.access_token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments, &[]).output().unwrap()
    }

    /// Runs it, which must go well, and gives what it says.
    #[track_caller]
    fn does(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs it, which must fail, and gives what it says about that.
    #[track_caller]
    fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// `check --json`.
    fn check(&self, settings: &[(&str, &str)]) -> Value {
        let output = self.command(&["check", "--json"], settings).output().unwrap();
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!(output.status.code(), Some(i32::from(report["status"] == "critical")), "{report:#}");
        report
    }

    /// Tables, groups, one person with an open window, an approved template: all that messages need but a host.
    async fn set_up(&self) {
        self.does(&["migrate"]);
        self.does(&["groups", "create-defaults"]);
        self.does(&[
            "people",
            "add",
            "ann",
            "--name",
            "Ann",
            "--whatsapp",
            "+263771234567",
            "--group",
            "Ops",
        ]);
        self.run(&["check", "--fix", "--yes"]);
        self.simulator.inbound(&json!({"from": "263771234567", "name": "Ann", "text": "hello"})).await;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The ids of what a check has found, each once, in order.
fn found(report: &Value) -> Vec<String> {
    let findings =
        report["sections"].as_array().unwrap().iter().flat_map(|s| s["findings"].as_array().unwrap());
    let mut ids: Vec<String> = findings.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
    ids.dedup();
    ids
}

fn snapshot_settings(folder: &Path) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    let folder = folder.display().to_string();
    settings.add_filter(&regex_of(&folder), "RULES");
    for (pattern, name) in [
        (r"wamid\.[A-Za-z0-9+/=]+", "WAMID"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", "UUID"),
        (r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| [A-Z+-][A-Z0-9:]+)?", "TIME"),
        (r"release [0-9a-f]{12}", "release RELEASE"),
        (r#""release", "[0-9a-f]{12}""#, "RELEASE"),
        (r"http://127\.0\.0\.1:\d+", "http://SIMULATOR"),
        (r"PostgreSQL \d+(\.\d+)?", "PostgreSQL VERSION"),
        (r"\d+ s ago", "SECONDS ago"),
        (r"\d+ migrations", "N migrations"),
        (r"( +)V\d+__\w+\n(?: +V\d+__\w+\n)*(?: +and \d+ more\n)?", "${1}MIGRATIONS\n"),
    ] {
        settings.add_filter(pattern, name);
    }
    settings
}

fn regex_of(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_alphanumeric() || c == '/' { c.to_string() } else { format!("\\{c}") })
        .collect()
}
