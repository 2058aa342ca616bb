//! The recipes of the `justfile` work.

use std::{collections::BTreeSet, fs, process::Command};

use super::{
    done,
    justfile::{Project, recipes},
    read, said, top,
};
use crate::harness::{Process, SOON, wait_until};

const PRODUCTION: [&str; 8] = ["setup", "check", "groups", "link", "serve", "ready", "release", "explain"];
const RULES: [&str; 2] = ["demo", "try"];
const DEVELOPMENT: [&str; 7] = ["test", "fuzz", "screenshots", "fmt", "lint", "bench", "faults"];

#[test]
fn every_recipe_is_run_by_a_test() {
    let known: BTreeSet<String> = recipes().into_keys().collect();
    let run = [&PRODUCTION[..], &RULES, &DEVELOPMENT].concat().into_iter().chain(["default"]);
    assert_eq!(known, run.map(str::to_owned).collect());
}

#[tokio::test]
async fn recipes_of_production_and_rules_work() {
    let project = Project::open().await;
    let key = |printed: &str| printed.lines().find(|line| line.starts_with("hsk_")).map(str::to_owned);
    // The check ends with 1, as nobody is there to be told.
    let set_up = project.run("setup", &[]);
    let all: Vec<String> = set_up.iter().map(said).collect();
    assert_eq!(set_up.len(), project.commands("setup", &[]).len(), "{all:?}");
    assert!(set_up[..set_up.len() - 1].iter().all(|output| output.status.success()), "{all:?}");
    assert!(key(&all.concat()).is_some(), "{all:?}");
    let again: Vec<String> = project.run("setup", &[]).iter().map(said).collect();
    assert_eq!(key(&again.concat()), None, "{again:?}");
    assert!(again.concat().contains("API key events exists."), "{again:?}");

    assert!(project.does("groups", &[]).contains("System Admins"));
    let people = "{{ hookswitch }} people add ann --name 'Ann Example'";
    done(project.line(people, "people", &[], &[]).output().unwrap());
    project.does("link", &["ann", "+263771234567"]);
    project.does("groups", &["add", "System Admins", "ann"]);
    let report = project.run("check", &["--json"]).pop().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert!(report["sections"].is_array(), "{report:#}");

    let event = project.folder.path().join("an event.json");
    fs::write(&event, r#"{"type": "order.created", "data": {"order": {"id": 1, "amount": 10}}}"#).unwrap();
    let tried = project.does("try", &[event.to_str().unwrap()]);
    assert!(tried.contains("order"), "{tried}");
    let unknown = project.run("explain", &["no-such-event"]).pop().unwrap();
    assert!(
        unknown.status.code() == Some(1) && said(&unknown).contains("no-such-event"),
        "{}",
        said(&unknown)
    );

    assert_eq!(project.run("ready", &[]).pop().unwrap().status.code(), Some(1));
    // The shell is replaced, so that the host ends with the test.
    let serve = format!("exec {}", recipes()["serve"].lines[0]);
    let _host = Process::start(project.line(&serve, "serve", &[], &[]));
    let is_ready = async || project.run("ready", &[]).pop().unwrap().status.success();
    wait_until("it is ready", SOON, async || is_ready().await).await;

    assert!(project.does("demo", &["--help"]).contains("simulated WhatsApp"));
    project.does("release", &[]);
    assert_eq!(fs::read_to_string(project.folder.path().join("called")).unwrap(), " cargo release\n");
}

/// What they name is there: packages, tests, the settings of tests.
#[tokio::test]
async fn recipes_of_development_name_what_there_is() {
    let project = Project::open().await;
    for (recipe, arguments) in [
        ("test", &["a_name"][..]),
        ("fuzz", &["1", "a_name"]),
        ("screenshots", &[]),
        ("fmt", &[]),
        ("lint", &[]),
        ("bench", &["--quick"]),
        ("faults", &[]),
    ] {
        project.does(recipe, arguments);
    }
    let called = fs::read_to_string(project.folder.path().join("called")).unwrap();
    for call in [
        " cargo test --workspace a_name\n",
        "1 cargo test --package hookswitch --test fuzz -- a_name\n",
        " cargo test --workspace --test browser\n",
        " cargo --quick\n",
        "long cargo test --workspace --test faults --\n",
    ] {
        assert!(called.contains(call), "{call:?} is not in {called}");
    }
    let manifests = ["host", "host/bench", "host/core", "host/simulator"]
        .map(|folder| read(&format!("{folder}/Cargo.toml")));
    let words: Vec<&str> = called.split_whitespace().collect();
    for pair in words.windows(2).filter(|pair| ["--package", "--test"].contains(&pair[0])) {
        let named = manifests.iter().any(|manifest| manifest.contains(&format!("name = \"{}\"", pair[1])));
        assert!(named, "nothing is named {}", pair[1]);
    }
    for (setting, test) in [
        ("HOOKSWITCH_FUZZ", "tests/fuzz/main.rs"),
        ("HOOKSWITCH_FAULTS", "tests/faults"),
        ("HOOKSWITCH_SCREENSHOTS", "tests/browser"),
    ] {
        assert!(read("justfile").contains(setting), "{setting}");
        let grep = Command::new("grep").args(["-rq", setting, test]).current_dir(top()).status().unwrap();
        assert!(grep.success(), "{test} does not read {setting}");
    }
}
