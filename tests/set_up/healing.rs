//! A system with one of each fault: what the check says, and that its commands heal it, pasted as they are printed.
//!
//! The check is given its settings as flags, and the commands run with nothing but the secrets in their environment.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use hookswitch_simulator::Settings;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{GREETING, Office, snapshot_settings, text};
use crate::harness::{CACHE, Process, SOON, component, program, wait_until};

/// What commands heal.
const HEALED: &[&str] = &[
    "backlog.events",
    "backlog.notifications",
    "database.migrations",
    "group.missing",
    "hosts.none",
    "keys.none",
    "plugin.parked",
    "template.differs",
    "template.missing",
    "webhook.not_subscribed",
];
/// What commands show: a person decides, or time heals it.
const SHOWN: &[&str] = &[
    "backlog.hold",
    "backlog.window",
    "delivery.failed",
    "delivery.old_failures",
    "event.no_route",
    "events.clash",
    "people.window_closed",
    "rule.failed",
    "rule.nobody",
    "rules.warning",
];
/// What no command heals: somebody's data, decisions, machines, or settings at Meta.
const ADVISED: &[&str] = &[
    "backlog.stopped",
    "group.empty",
    "number.throughput",
    "people.opted_out",
    "people.shared_number",
    "people.unlinked",
    "plugin.left_out",
    "route.may_tell_nobody",
    "route.tells_nobody",
    "schedule.missed",
    "template.category",
    "template.not_approved",
    "webhook.signature",
    "webhook.silent",
];
/// What is gone when other hosts are.
const PASSING: &[&str] = &["hosts.clock", "hosts.lanes_free", "hosts.releases", "hosts.versions"];

const RULES: &[(&str, &str)] = &[
    ("groups.yaml", "- {name: Ops, description: Runs it}\n- {name: Night Shift's, description: Sleeps}\n"),
    ("schedules.yaml", "- {name: nightly, cron: 0 2 * * *, time_zone: UTC, event: report.due}\n"),
    (
        "guests/routes.yaml",
        "- {on: guest.arrived, template: greeting, groups: [Ops], context: {name: event.data.name}}\n\
         - {on: guest.left, template: farewell, groups: [\"Night Shift's\"], context: {name: event.data.name}}\n\
         - {on: guest.paid, template: thanks, contacts: [event.data.phone], context: {name: event.data.name}}\n\
         - {on: \"room.*\", script: rooms.rhai}\n\
         - {on: floor.wet, script: floors.rhai}\n",
    ),
    (
        "guests/floors.rhai",
        "fn decide(event) { #{template: \"greeting\", groups: [\"Night Shift's\"], context: #{name: \"Eve\"}} }\n",
    ),
    (
        "guests/rooms.rhai",
        "fn decide(event) {\n    \
             let group = if event.type == \"room.dirty\" { \"Night Shift's\" } else { \"Ops\" };\n    \
             #{template: \"greeting\", groups: [group], context: #{name: \"Eve\"}}\n}\n",
    ),
    (
        "guests/cases/rooms.yaml",
        "- {name: a room is dirty, event: {type: room.dirty}, expect: [{template: greeting}]}\n\
         - {name: a floor is wet, event: {type: floor.wet}, expect: [{template: greeting}]}\n",
    ),
    ("guests/unused.rhai", "fn decide(event) { skip(\"no\") }\n"),
];

/// Rows that a system leaves where things go wrong; the events and messages are those of a day.
const FAULTS: &str = include_str!("faults.sql");

struct Faulty {
    office: Office,
    plugins: TempDir,
}

impl Faulty {
    async fn open() -> Faulty {
        let office = Office::open().await;
        for (file, text) in RULES {
            office.write(file, text);
        }
        for (name, say) in [
            ("greeting", "Good morning"),
            ("farewell", "Good night"),
            ("thanks", "Thank you"),
            ("reminder", "Do not forget"),
        ] {
            let text = GREETING.replace("Good morning", say);
            office.write(&format!("guests/templates/{name}.j2"), &text);
        }
        let plugins = tempfile::tempdir().unwrap();
        for (id, on) in [("lamps", "good.*"), ("unbuilt", "lamp.broken")] {
            let manifest = format!("id: {id}\nversion: 0.1.0\ncontract: \"1.0\"\non: [{on}]\nowner: Ops\n");
            let folder = plugins.path().join(id);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("plugin.yaml"), manifest).unwrap();
        }
        std::fs::write(plugins.path().join("lamps/lamps.wasm"), component()).unwrap();
        Faulty { office, plugins }
    }

    fn flags(&self) -> Vec<String> {
        let account = Settings::default();
        let flags = [
            ("--database-url", self.office.database.url()),
            ("--rules", self.office.rules.path().display().to_string()),
            ("--plugins", self.plugins.path().display().to_string()),
            ("--plugin-cache", CACHE.to_owned()),
            ("--listen", format!("127.0.0.1:{}", self.office.port)),
            ("--whatsapp-api-url", self.office.simulator.api_url()),
            ("--whatsapp-phone-number-id", account.phone_number_id),
            ("--whatsapp-business-account-id", account.waba_id),
            ("--whatsapp-messages-per-second", "1001".to_owned()),
            ("--whatsapp-access-token", account.access_token),
            ("--whatsapp-app-secret", account.app_secret),
            ("--whatsapp-verify-token", account.verify_token),
        ];
        flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    }

    fn check(&self, how: &str) -> String {
        let output = program(&["check", how]).args(self.flags()).output().unwrap();
        let said = text(&output.stderr);
        assert!(!said.contains("simulator-"), "a secret is shown: {said}");
        text(&output.stdout)
    }

    fn findings(&self) -> Vec<Value> {
        let report: Value = serde_json::from_str(&self.check("--json")).unwrap();
        let sections = report["sections"].as_array().unwrap();
        sections.iter().flat_map(|section| section["findings"].as_array().unwrap()).cloned().collect()
    }

    /// What a person's shell has: the program, and the secrets that the check asks to set.
    fn shell(&self, line: &str) -> Command {
        let account = Settings::default();
        let folder = Path::new(env!("CARGO_BIN_EXE_hookswitch")).parent().unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command
            .env_clear()
            .args(["-c", line])
            .env("PATH", path)
            .env("SHELL", "/bin/sh")
            .env("WHATSAPP_ACCESS_TOKEN", account.access_token)
            .env("WHATSAPP_APP_SECRET", account.app_secret)
            .env("WHATSAPP_VERIFY_TOKEN", account.verify_token);
        command
    }

    /// Pastes a line into a terminal, and confirms what it asks.
    fn paste(&self, line: &str) {
        let mut command = self.shell("script --quiet --return --command \"$LINE\" /dev/null");
        command.env("LINE", line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"y\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{line}: {}{}", text(&output.stdout), text(&output.stderr));
    }
}

/// A host that was pasted; its shell may be there beside it.
struct Pasted(Process);

impl Drop for Pasted {
    fn drop(&mut self) {
        // It may be gone.
        let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGKILL);
    }
}

/// The findings in words, with what to do.
fn told(findings: &[Value]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        lines.push(format!("{} {}: {}", word("severity"), word("id"), word("what")));
        let details = finding["details"].as_array().into_iter().flatten();
        lines.extend(details.map(|detail| format!("    {}", detail.as_str().unwrap())));
        lines.extend(
            ["command", "advice"]
                .iter()
                .filter_map(|key| finding[*key].as_str().map(|text| format!("  {key}: {text}"))),
        );
    }
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_with_one_of_each_fault_is_healed_by_pasting_what_the_check_says() {
    let faulty = Faulty::open().await;
    // Nothing can be broken before there are tables.
    let migrate =
        faulty.findings().into_iter().find(|finding| finding["id"] == "database.migrations").unwrap();
    faulty.paste(migrate["command"].as_str().unwrap());
    break_it(&faulty.office).await;

    let findings = faulty.findings();
    let mut settings = snapshot_settings(faulty.office.rules.path());
    settings.add_filter(&super::regex_of(&faulty.plugins.path().display().to_string()), "PLUGINS");
    settings.add_filter(&super::regex_of(CACHE), "CACHE");
    settings.add_filter(r"'postgresql://[^']+'", "DATABASE");
    settings.add_filter(r"on disk is [0-9a-f]{12}", "on disk is RELEASE");
    settings.add_filter(r"on 20\d\d-\d\d-\d\d", "on DATE");
    settings.add_filter(r"127\.0\.0\.1:\d+", "ADDRESS");
    settings.add_filter(r"\b1[23]\d s\b", "SECONDS");
    settings.bind(|| insta::assert_snapshot!("one_of_each_fault", told(&findings)));
    let verbose = faulty.check("--verbose");
    let table = &verbose[verbose.find("GROUP ").unwrap()..];
    settings.bind(|| insta::assert_snapshot!("recipients", table));

    let mut pasted: Vec<String> = Vec::new();
    let mut hosts = Vec::new();
    wait_until("commands heal what they can", 6 * SOON, async || {
        let findings = faulty.findings();
        for finding in &findings {
            let Some(line) = finding["command"].as_str() else { continue };
            if pasted.iter().any(|done| done == line) {
                continue;
            }
            pasted.push(line.to_owned());
            if finding["id"] == "hosts.none" {
                let mut command = faulty.shell(line);
                std::os::unix::process::CommandExt::process_group(&mut command, 0);
                hosts.push(Pasted(Process::start(command)));
            } else {
                faulty.paste(line);
            }
        }
        let ids = findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned());
        let is_left = |id: &String| {
            HEALED.contains(&id.as_str()) || PASSING.contains(&id.as_str()) || id == "template.pending"
        };
        let left: Vec<String> = ids.filter(is_left).collect();
        println!("left: {left:?}");
        left.is_empty()
    })
    .await;

    for finding in faulty.findings() {
        let id = finding["id"].as_str().unwrap();
        let kinds = if finding["command"].is_string() { SHOWN } else { ADVISED };
        assert!(kinds.contains(&id), "{id} is left: {finding:#}");
        assert!(finding["command"].is_string() || finding["advice"].is_string(), "{finding:#}");
    }
}

/// One of each fault.
async fn break_it(office: &Office) {
    for person in ["ann", "ben", "cid", "dan", "eve"] {
        office.does(&["people", "add", person, "--name", person]);
    }
    for (person, number) in [("ann", "+263771234567"), ("cid", "+263771234568")] {
        office.does(&["people", "link", person, number]);
    }
    for person in ["dan", "eve"] {
        office.does(&["people", "link", person, "+263771234569"]);
    }
    office.does(&["contacts", "opt-out", "cid"]);
    office.does(&["groups", "create", "Ops"]);
    office.does(&["groups", "add", "Ops", "ann", "ben", "cid", "dan"]);

    let create = |name: &str, category: &str, text: &str| {
        json!({"name": name, "language": "en_US", "category": category, "components":
            [{"type": "BODY", "text": text, "example": {"body_text": [["Eve"]]}}]})
    };
    let templates = [
        ("farewell", "UTILITY", "Good bye, {{1}}, this is a test."),
        ("thanks", "UTILITY", "Thank you, {{1}}, this is a test."),
        ("reminder", "MARKETING", "Do not forget, {{1}}, this is a test."),
    ];
    for (name, category, text) in templates {
        office.graph(Method::POST, "message_templates", Some(create(name, category, text))).await;
    }
    wait_until("the reviews", SOON, async || is_reviewed(office).await).await;
    office.simulator.set_template("thanks", "REJECTED").await;
    office.graph(Method::DELETE, "subscribed_apps", None).await;
    for statement in FAULTS.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        office.database.query(statement, &[]).await;
    }
}

async fn is_reviewed(office: &Office) -> bool {
    office.simulator.templates().await.iter().all(|template| template["status"] != "PENDING")
}
