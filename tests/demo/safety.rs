//! The demo touches nothing that is real.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use super::{bare, text};
use crate::harness::Database;

/// A rules folder with one route, in a folder that the demo is run in.
fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, content) in [
        ("groups.yaml", "- name: Ops\n  description: Runs it\n"),
        ("notes/routes.yaml", "- on: note.made\n  template: note\n  groups: [Ops]\n"),
        (
            "notes/templates/note.j2",
            "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\nA note was made, all right.\n",
        ),
        (
            "notes/cases/note.yaml",
            "- name: a note\n  event: {type: note.made, data: {}}\n  expect: [{template: note}]\n",
        ),
    ] {
        let path = folder.path().join("rules").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn run(mut command: Command, folder: &Path) -> Output {
    command.current_dir(folder).output().unwrap()
}

/// The demo in a project's folder.
fn demo(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = bare(&["demo", "--exit"]);
    command.args(arguments).envs(settings.iter().copied());
    run(command, folder)
}

#[track_caller]
fn shows_a_message(output: &Output) {
    let said = text(output);
    assert!(output.status.success(), "{said}{}", errors(output));
    assert!(said.contains("✓ 1 message read\n"), "{said}");
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The names of all tables of a database, and how many people, events and hosts it has.
async fn content(database: &Database) -> (Vec<String>, Vec<i64>) {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1";
    let tables: Vec<String> = database.query(sql, &[]).await.iter().map(|row| row.get(0)).collect();
    let mut counts = Vec::new();
    for table in ["person", "groups", "event", "host", "api_key", "contact"] {
        if tables.iter().any(|name| name == table) {
            counts.push(database.query(&format!("SELECT count(*) FROM {table}"), &[]).await[0].get(0));
        }
    }
    (tables, counts)
}

/// A database as a real host has it.
async fn real() -> Database {
    let database = Database::empty().await;
    migrate(&["--database-url", &database.url()], Path::new("."));
    database.add_person("ann", "263770000901", &["Ops"]).await;
    database
}

fn migrate(arguments: &[&str], folder: &Path) {
    let mut command = bare(&["migrate"]);
    command.args(arguments);
    let output = run(command, folder);
    assert!(output.status.success(), "{}", errors(&output));
}

#[tokio::test]
async fn settings_of_a_real_host_in_the_environment_are_ignored() {
    let project = project();
    let (empty, real) = (Database::empty().await, real().await);
    let data_dir = project.path().join("real");
    for database in [&empty, &real] {
        let before = content(database).await;
        let settings = [
            ("DATABASE_URL", database.url()),
            ("HOOKSWITCH_DATA_DIR", data_dir.display().to_string()),
            ("HOOKSWITCH_RULES", "/nowhere".to_owned()),
            ("HOOKSWITCH_PLUGIN_CACHE", data_dir.join("cache").display().to_string()),
            ("WHATSAPP_API_URL", "http://127.0.0.1:1".to_owned()),
            ("WHATSAPP_ACCESS_TOKEN", "real".to_owned()),
        ];
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        shows_a_message(&demo(project.path(), &[], &settings));
        assert_eq!(content(database).await, before);
    }
    assert!(!data_dir.exists());
    assert!(project.path().join(".hookswitch/demo/postgres").is_dir());
}

#[tokio::test]
async fn other_commands_know_nothing_of_the_demo() {
    let project = project();
    shows_a_message(&demo(project.path(), &[], &[]));
    for arguments in [["people", "list"], ["contacts", "list"], ["keys", "list"]] {
        let output = run(bare(&arguments), project.path());
        assert!(output.status.success(), "{}", errors(&output));
        let said = text(&output);
        assert!(!said.contains("rudo") && !said.contains("Rudo") && !said.contains("demo"), "{said}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_the_demos_stays_as_it_is() {
    let project = project();
    let foreign = Database::empty().await;
    foreign.query("CREATE TABLE ledger (entry text)", &[]).await;
    for database in [real().await, foreign] {
        let before = content(&database).await;
        let output = demo(project.path(), &["--database-url", &database.url()], &[]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let said = errors(&output);
        assert!(
            said.contains("the database of --database-url is not empty and was not made by the demo"),
            "{said}"
        );
        assert_eq!(content(&database).await, before);
    }
    // The data directory of a real host.
    migrate(&["--data-dir", "real"], project.path());
    let output = demo(project.path(), &["--data-dir", "real"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(errors(&output).contains("the database in real is not empty"), "{}", errors(&output));
    assert!(!project.path().join("real/plugins").exists());
}

#[tokio::test]
async fn its_own_database_may_be_used_again_but_not_beside_a_host() {
    let project = project();
    let database = Database::empty().await;
    let url = database.url();
    for _ in 0..2 {
        shows_a_message(&demo(project.path(), &["--database-url", &url], &[("DATABASE_URL", "nonsense")]));
    }
    let numbers = database.query("SELECT wa_id FROM contact ORDER BY 1", &[]).await;
    let numbers: Vec<String> = numbers.iter().map(|row| row.get(0)).collect();
    assert!(!numbers.is_empty() && numbers.iter().all(|n| n.starts_with("120255501")), "{numbers:?}");

    let host = "INSERT INTO host (id, name, identity) VALUES (gen_random_uuid(), 'shop:7', '')";
    database.query(host, &[]).await;
    let before = content(&database).await;
    let output = demo(project.path(), &["--database-url", &url], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(errors(&output).contains("is in use by shop:7"), "{}", errors(&output));
    assert_eq!(content(&database).await, before);
}

#[test]
fn messages_that_wait_or_are_collected_are_no_failures() {
    let project = project();
    let route = |text: &str| fs::write(project.path().join("rules/notes/routes.yaml"), text).unwrap();
    route(
        "- on: note.made\n  template: note\n  groups: [Ops]\n  after: 1d\n\
         - on: note.made\n  template: note\n  groups: [Ops]\n  send_at: '\"2099-01-01T00:00:00Z\"'\n\
         - on: note.made\n  template: note\n  groups: [Ops]\n  collect: 10m by group\n\
         - on: note.made\n  template: note\n  groups: [Ops]\n",
    );
    let case = "- name: a note\n  event: {type: note.made, data: {}}\n  expect:\n    - {template: note}\n    \
                - {template: note}\n    - {template: note}\n    - {template: note}\n";
    fs::write(project.path().join("rules/notes/cases/note.yaml"), case).unwrap();
    let output = demo(project.path(), &[], &[]);
    let said = text(&output);
    assert!(output.status.success(), "{said}{}", errors(&output));
    assert!(said.contains("waits until "), "{said}");
    assert!(said.contains("✓ 1 message read; 2 waiting until later; 1 collected for a digest"), "{said}");
}

/// Each gets ports of its own, also while the other is still starting.
#[test]
fn two_can_run_side_by_side() {
    let folders = [project(), project()];
    std::thread::scope(|threads| {
        let running: Vec<_> =
            folders.iter().map(|folder| threads.spawn(|| demo(folder.path(), &[], &[]))).collect();
        for demo in running {
            shows_a_message(&demo.join().unwrap());
        }
    });
}
