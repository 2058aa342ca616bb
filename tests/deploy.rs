//! What production is set up with agrees with the program: settings, commands, rights in the database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use hookswitch_simulator::Settings;
use serde_json::json;
use serde_yaml::Value;
use tokio_postgres::{Client, NoTls, error::SqlState};

use crate::harness::{Database, Host, SOON, Simulator, free_port, rules, wait_until};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
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

#[test]
fn the_unit_gives_the_host_time_to_finish_and_lets_plugins_be_compiled() {
    let unit = read("deploy/hookswitch.service");
    let mut section = "";
    let mut found = BTreeMap::new();
    for line in unit.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no setting: {line}"));
            found.insert((section, name), value);
        }
    }
    assert_eq!(found[&("Service", "ExecStart")], "/usr/local/bin/hookswitch serve");
    assert_eq!(found[&("Service", "MemoryDenyWriteExecute")], "no");
    assert!(found[&("Service", "TimeoutStopSec")].parse::<u32>().unwrap() > 10);
    assert!(found[&("Unit", "After")].contains("postgresql.service"));
}

#[test]
fn the_compose_file_holds_together() {
    let text = read("deploy/compose.yaml");
    let compose: Value = serde_yaml::from_str(&text).unwrap();
    let services = compose["services"].as_mapping().unwrap();
    for (name, service) in services {
        for (needed, _) in service["depends_on"].as_mapping().into_iter().flatten() {
            assert!(services.contains_key(needed), "{name:?} needs {needed:?}");
        }
        for volume in service["volumes"].as_sequence().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            let exists = !source.starts_with('.') || top().join("deploy").join(source).exists();
            assert!(exists, "{name:?} mounts {source}, which is missing");
        }
        if service["image"].as_str().is_some_and(|image| image.starts_with("hookswitch")) {
            let command = service["command"][0].as_str().unwrap_or("serve");
            help(&[command]);
        }
    }
    let known = settings();
    for (name, _) in compose["services"]["host"]["environment"].as_mapping().unwrap() {
        assert!(known.contains_key(name.as_str().unwrap()), "the host has no setting {name:?}");
    }

    let named = variables("deploy/compose.env.example");
    let required = text.split("${").skip(1).filter_map(|rest| rest.split_once(":?")).map(|(name, _)| name);
    for name in required.filter(|name| name.len() < 40) {
        assert!(named.contains_key(name), "{name} is not in compose.env.example");
    }
    let account = Settings::default();
    assert_eq!(named["WHATSAPP_PHONE_NUMBER_ID"].1, account.phone_number_id);
    assert_eq!(named["WHATSAPP_ACCESS_TOKEN"].1, account.access_token);
    assert_eq!(named["WHATSAPP_APP_SECRET"].1, account.app_secret);
    assert_eq!(named["WHATSAPP_VERIFY_TOKEN"].1, account.verify_token);
}

/// The stages of the Dockerfile, each with its lines.
fn stages(dockerfile: &str) -> Vec<(String, String)> {
    let stages = dockerfile.split("\nFROM ").skip(1);
    stages
        .filter_map(|stage| Some((stage.lines().next()?.rsplit_once(" AS ")?.1.to_owned(), stage.to_owned())))
        .collect()
}

#[test]
fn the_production_image_has_no_stand_in_for_whatsapp() {
    let stages = stages(&read("deploy/Dockerfile"));
    let (last, production) = stages.last().unwrap();
    assert_eq!(last, "production");
    let program = |stage: &str| {
        let from = stage.split("COPY --from=").nth(1).unwrap().split(' ').next().unwrap();
        stages.iter().find(|(name, _)| name == from).unwrap().1.clone()
    };
    assert!(program(production).contains("--no-default-features"), "{production}");
    let simulator = &stages.iter().find(|(name, _)| name == "simulator").unwrap().1;
    assert!(!program(simulator).contains("--no-default-features"), "{simulator}");

    let compose: Value = serde_yaml::from_str(&read("deploy/compose.yaml")).unwrap();
    for (name, service) in compose["services"].as_mapping().unwrap() {
        let target = service["build"].get("target").and_then(Value::as_str);
        let is_simulator = service["command"][0].as_str() == Some("simulate");
        assert_eq!(target == Some("simulator"), is_simulator, "{name:?}");
        assert!(!is_simulator || service.get("profiles").is_some(), "{name:?} would start in production");
    }
}

#[test]
fn the_image_is_built_with_the_pinned_toolchain() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).unwrap();
    let dockerfile = read("deploy/Dockerfile");
    assert!(dockerfile.contains(&format!("FROM rust:{channel}-")), "{channel}");
    assert!(dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={channel}\n")), "{channel}");
}

#[test]
fn recipes_call_commands_that_exist() {
    let justfile = read("justfile");
    let commands: BTreeSet<Vec<&str>> = justfile
        .split("{{ hookswitch }}")
        .skip(1)
        .map(|call| {
            let line = call.lines().next().unwrap_or_default();
            let is_word = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            let name = |word: &&str| is_word(word) && !word.starts_with('-');
            line.split_whitespace().take_while(name).collect()
        })
        .collect();
    assert!(commands.len() >= 10, "{commands:?}");
    let missing: Vec<_> = commands
        .iter()
        // `keys create NAME`: what follows two words is an argument.
        .map(|words| &words[..words.len().min(2)])
        .filter(|words| !program().args(*words).arg("--help").output().unwrap().status.success())
        .collect();
    assert!(missing.is_empty(), "the program has no {missing:?}");
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    // Ends with the client; what goes wrong the next query tells.
    tokio::spawn(connection);
    client
}

#[track_caller]
fn assert_refused(what: &str, done: Result<(), tokio_postgres::Error>) {
    let code = done.err().and_then(|error| error.code().cloned());
    assert_eq!(code, Some(SqlState::INSUFFICIENT_PRIVILEGE), "{what}");
}

#[tokio::test]
async fn a_host_works_with_least_rights_and_cannot_rewrite_history() {
    let database = Database::on_its_own().await;
    // The last one counts.
    let as_role = |role: &str| format!("{}&user={role}", database.url());
    // In a private cluster the superuser is called hookswitch; in production that is a role with least rights.
    database.query("CREATE ROLE postgres SUPERUSER LOGIN", &[]).await;
    let superuser = connect(&as_role("postgres")).await;
    superuser.batch_execute("ALTER ROLE hookswitch RENAME TO bootstrap").await.unwrap();
    let roles = read("deploy/roles.sql");
    superuser.batch_execute(&roles).await.unwrap();

    let migrate = |role: &str| program().arg("migrate").env("DATABASE_URL", as_role(role)).output().unwrap();
    let refused = migrate("hookswitch");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("as the role that owns them"), "{said}");
    assert!(migrate("hookswitch_owner").status.success());
    // Until roles.sql is run again it may read nothing: what must not be read is among it.
    let reports = connect(&as_role("hookswitch_readonly")).await;
    assert_refused("hashes", reports.batch_execute("SELECT sha256 FROM api_key").await);
    assert_refused("events", reports.batch_execute("SELECT count(*) FROM event").await);
    let owner = connect(&as_role("hookswitch_owner")).await;
    for client in [&owner, &superuser, &owner] {
        client.batch_execute(&roles).await.unwrap();
    }

    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let restricted = as_role("hookswitch");
    let host = Host::start(port, &database, &simulator, &rules(), &[("DATABASE_URL", &restricted)]);
    database.add_person("ann", "15550100001", &["System Admins"]).await;
    host.accept(&json!({"type": "order.created", "data": {"order": {"id": 1, "amount": 10}}})).await;
    let is_read = "SELECT count(*) FROM delivery WHERE status = 'read'";
    wait_until("it is read", SOON, async || database.count(is_read).await == 1).await;
    let denied: Vec<_> =
        host.said().lines().filter(|l| l.contains("permission denied")).map(str::to_owned).collect();
    assert!(denied.is_empty(), "{denied:?}");

    // A table that is in none of the lists of roles.sql is found here.
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                  AND NOT has_table_privilege('hookswitch', oid, 'UPDATE') ORDER BY relname";
    let fixed: Vec<String> = database.query(tables, &[]).await.iter().map(|row| row.get(0)).collect();
    let logs = [
        "dead_letter",
        "decision",
        "delivery",
        "event",
        "meta_template",
        "meta_template_status",
        "meta_template_switch",
    ];
    assert_eq!(fixed, [logs.as_slice(), &["notification", "refinery_schema_history"]].concat());

    let client = connect(&restricted).await;
    for table in ["event", "decision", "notification", "delivery", "refinery_schema_history"] {
        assert_refused(table, client.batch_execute(&format!("DELETE FROM {table}")).await);
        assert_refused(table, client.batch_execute(&format!("TRUNCATE {table}")).await);
    }
    for statement in [
        "UPDATE event SET type = 'x'",
        "UPDATE delivery SET status = 'read'",
        "INSERT INTO refinery_schema_history (version) VALUES (99)",
        "CREATE TABLE mine (n integer)",
        "ALTER TABLE event ADD COLUMN n integer",
        "DROP TABLE dedupe",
    ] {
        assert_refused(statement, client.batch_execute(statement).await);
    }

    let prune = "SELECT prune_events(array_agg(lane), array_agg(seq)), prune_deliveries('{}') FROM event";
    client.batch_execute(prune).await.unwrap();
    assert_eq!(database.count("SELECT count(*) FROM event").await, 1, "the last day is left alone");

    reports.batch_execute("SELECT count(*) FROM event; SELECT name, scopes FROM api_key").await.unwrap();
    assert_refused("prune", reports.batch_execute("SELECT prune_events('{}', '{}')").await);
    assert_refused("hashes", reports.batch_execute("SELECT sha256 FROM api_key").await);
    assert_refused("insert", reports.batch_execute("INSERT INTO groups (name) VALUES ('x')").await);

    owner.batch_execute("CREATE TABLE later (n integer)").await.unwrap();
    client.batch_execute("INSERT INTO later VALUES (1); SELECT * FROM later").await.unwrap();
    assert_refused("later", client.batch_execute("DELETE FROM later").await);
    assert_refused("later", reports.batch_execute("SELECT * FROM later").await);
    owner.batch_execute(&roles).await.unwrap();
    reports.batch_execute("SELECT * FROM later").await.unwrap();
}
