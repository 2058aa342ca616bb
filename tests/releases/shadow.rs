//! A release that decides beside the live one about live events, and sends nothing.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{FRONT, Fleet, rules};
use crate::harness::{Host, SOON, wait_until, write_rule};

/// A rules folder whose script decides about each `note`.
fn scripted(body: &str) -> TempDir {
    let folder = rules("One");
    write_rule(folder.path(), "notes/routes.yaml", "- {on: note, script: note.rhai}\n");
    let decision = "#{template: \"note\", groups: [\"Ops\"]}";
    write_rule(folder.path(), "notes/note.rhai", &format!("fn decide(event) {{ {body} {decision} }}"));
    folder
}

/// So many notes.
fn notes(name: &str, count: usize) -> Value {
    let note = |n| json!({"id": format!("{name}-{n}"), "type": "note", "subject": format!("s{n}"), "data": {"n": n}});
    (0..count).map(note).collect()
}

/// A fleet whose active release has this folder, with a host, and somebody in Ops.
struct Stage {
    fleet: Fleet,
    live: String,
    host: Host,
    _data: TempDir,
}

impl Stage {
    async fn of(folder: &Path) -> Stage {
        let fleet = Fleet::new().await;
        let live = fleet.create(folder);
        fleet.says(&["release", "activate", &live]);
        let data = tempfile::tempdir().unwrap();
        let host = fleet.host(data.path(), None);
        fleet.lives_on(&live, 1).await;
        fleet.database.add_person("ana", "263770000001", &["Ops"]).await;
        Stage { fleet, live, host, _data: data }
    }

    async fn post(&self, name: &str, count: usize) {
        post(&self.host, name, count).await;
    }

    /// Waits until the shadow says this.
    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.fleet.shadow_is(what, is_so).await
    }

    /// The messages to somebody.
    async fn messages(&self) -> i64 {
        self.fleet.database.count("SELECT count(*) FROM notification WHERE recipient IS NOT NULL").await
    }
}

async fn post(host: &Host, name: &str, count: usize) {
    let events = notes(name, count).to_string().into_bytes();
    let answer = host.post(events, "application/json").await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}

impl Fleet {
    pub(super) fn shadow(&self) -> Value {
        serde_json::from_str(&self.says(&["release", "shadow", "show", "--json"])).unwrap()
    }

    pub(super) async fn shadow_is(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        // It yields to all others, and may take long on a busy machine.
        wait_until(what, Duration::from_secs(240), async || is_so(&self.shadow())).await;
        self.shadow()
    }
}

#[tokio::test]
async fn a_shadow_finds_what_differs_and_sends_nothing() {
    let stage = Stage::of(rules("One").path()).await;
    let fleet = &stage.fleet;
    stage.post("before", 3).await;
    let other = rules("Two");
    let same = "notes/templates/same.j2";
    write_rule(other.path(), same, &format!("{FRONT}One"));
    let other = fleet.create(other.path());
    let said = fleet.says(&["release", "shadow", &other, "--for", "2h", "--note", "new texts"]);
    assert!(said.contains(&format!("Release {other} decides beside {}", stage.live)), "{said}");
    stage.post("after", 5).await;
    let found = stage.until("all are compared", |found| found["compared"] == 5).await;
    assert_eq!((&found["release"], &found["live"]), (&json!(other), &json!(stage.live)));
    assert_eq!((&found["differences"], &found["failures"]), (&json!(5), &json!(0)), "{found}");
    assert_eq!(found["totals"]["changes"]["words"], 5, "{found}");
    assert_eq!((&found["note"], &found["ended"]), (&json!("new texts"), &Value::Null));
    let events = found["events"].as_array().unwrap();
    assert_eq!(events.len(), 5, "{found}");
    assert!(
        events
            .iter()
            .all(|of| of["id"].as_str().unwrap().starts_with("after-") && of["changes"]["words"] == 1)
    );
    let shown = fleet.says(&["release", "shadow", "show"]);
    assert!(shown.contains("[-One-]{+Two+}") && shown.contains("5 events compared: 5 differ"), "{shown}");
    // Only the live one has told somebody, and of each event once.
    wait_until("all are told", SOON, async || stage.messages().await == 8).await;
    let of_others = format!("SELECT count(*) FROM decision WHERE release <> '{}'", stage.live);
    assert_eq!(fleet.database.count(&of_others).await, 0);
    let said = fleet.refuses(&["release", "shadow", &other, "--for", "2h"]);
    assert!(said.contains("a shadow is under way"), "{said}");
    let said = fleet.refuses(&["release", "activate", &other, "--when-shadow-clean", "--events", "5"]);
    assert!(said.contains("5 events are decided differently; at most 0 may be"), "{said}");

    fleet.says(&["release", "shadow", "stop"]);
    let found = fleet.shadow();
    assert_eq!((&found["ended"]["by"], &found["compared"]), (&json!("stopped"), &json!(5)), "{found}");
    assert!(fleet.refuses(&["release", "shadow", "stop"]).contains("no shadow is under way"));
    let log = fleet.says(&["actions", "--json"]);
    assert!(log.contains("\"release.shadow\"") && log.contains("\"release.shadow_stop\""), "{log}");
    let said = fleet.refuses(&[
        "release",
        "activate",
        &other,
        "--when-shadow-clean",
        "--events",
        "5",
        "--differences",
        "5",
    ]);
    assert!(said.contains("its shadow ended early: stopped by an operator"), "{said}");
}

#[tokio::test]
async fn a_clean_shadow_lets_its_release_be_activated_which_ends_it() {
    let stage = Stage::of(rules("One").path()).await;
    let fleet = &stage.fleet;
    let folder = rules("One");
    write_rule(folder.path(), "other/routes.yaml", "- {on: other, template: note, groups: [Ops]}\n");
    let other = fleet.create(folder.path());
    let clean = ["release", "activate", &other, "--when-shadow-clean"];
    assert!(fleet.refuses(&clean).contains("it has not been a shadow"));
    fleet.says(&["release", "shadow", &other, "--for", "2h"]);
    stage.post("some", 10).await;
    stage.until("some are compared", |found| found["compared"] == 10).await;
    let said = fleet.refuses(&clean);
    assert!(said.contains("10 of at least 100 events were compared"), "{said}");
    assert!(said.contains("hookswitch release shadow show"), "{said}");
    assert_eq!(fleet.show(&stage.live)["active"], true);
    stage.post("more", 100).await;
    let found = stage.until("all are compared", |found| found["compared"] == 110).await;
    assert_eq!((&found["differences"], &found["failures"]), (&json!(0), &json!(0)), "{found}");
    assert!(found["live_ms"].as_f64().unwrap() > 0.0 && found["own_ms"].as_f64().unwrap() > 0.0, "{found}");
    assert!(found["events"].as_array().unwrap().is_empty(), "{found}");
    fleet.says(&[&clean[..], &["--slower", "1000"]].concat());
    fleet.lives_on(&other, 1).await;
    stage.until("it has ended", |found| found["ended"]["by"] == "activation").await;
    let log = fleet.says(&["actions", "--json"]);
    assert!(log.contains("\"when_shadow_clean\":{"), "{log}");
    // What was compared with the release before says nothing beside another one.
    let back = ["release", "activate", &stage.live, "--when-shadow-clean"];
    assert!(fleet.refuses(&back).contains("it has not been a shadow"));
    for wrong in [&["--differences", "1"][..], &["--slower", "10"], &["--events", "1"]] {
        let output = fleet.run(&[&["release", "activate", &stage.live], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_shadow_whose_rules_fail_is_stopped_and_the_live_release_goes_on() {
    let stage = Stage::of(scripted("").path()).await;
    let fleet = &stage.fleet;
    let failing = scripted("if event.id.starts_with(\"a\") { throw \"no\"; }");
    let failing = fleet.create(failing.path());
    fleet.says(&["release", "shadow", &failing, "--for", "2h"]);
    stage.post("b", 20).await;
    stage.post("a", 180).await;
    let found = stage.until("it has ended", |found| found["ended"]["by"] == "failures").await;
    let why = found["ended"]["why"].as_str().unwrap();
    assert!(why.contains("its rules failed for ") && why.contains("of the live release did not"), "{why}");
    assert!(found["failures"].as_u64().unwrap() > 100, "{found}");
    let of_failures = found["events"].as_array().unwrap();
    assert!(
        of_failures.iter().all(|of| of["fails"] == true && of["reason"].as_str().unwrap().contains("no")),
        "{found}"
    );
    wait_until("all are told", SOON, async || stage.messages().await == 200).await;
    let output = fleet.run(&["check", "--json"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("shadow.stopped") && said.contains("failed too often"), "{said}");
}

#[tokio::test]
async fn what_the_rules_of_a_shadow_cost_is_measured_beside_those_that_are_live() {
    let stage = Stage::of(scripted("").path()).await;
    let fleet = &stage.fleet;
    let slow =
        scripted("let s = \"x\"; for i in 0..17 { s = s + s; } for i in 0..1000 { s.contains(\"y\"); }");
    let slow = fleet.create(slow.path());
    fleet.says(&["release", "shadow", &slow, "--for", "2h"]);
    stage.post("a", 20).await;
    wait_until("all are told", SOON, async || stage.messages().await == 20).await;
    let found = stage.until("all are compared", |found| found["compared"] == 20).await;
    let [own, live] = ["own_ms", "live_ms"].map(|name| found[name].as_f64().unwrap());
    assert!(own > 2.0 * live, "{found}");
    let said = fleet.run(&["release", "activate", &slow, "--when-shadow-clean", "--events", "20"]);
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("its rules take"), "{said}");
}

#[tokio::test]
async fn a_shadow_of_a_share_ends_when_its_time_is_over() {
    let stage = Stage::of(rules("One").path()).await;
    let fleet = &stage.fleet;
    let other = fleet.create(rules("Two").path());
    for wrong in
        [&["--for", "0s"][..], &["--for", "31d"], &["--for", "soon"], &["--for", "1h", "--share", "0%"], &[]]
    {
        let output = fleet.run(&[&["release", "shadow", &other], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
    fleet.says(&["release", "shadow", &other, "--for", "3s", "--share", "50%"]);
    stage.post("a", 64).await;
    let ended = stage.until("it has ended", |found| found["ended"]["by"] == "time").await;
    let of_share = "SELECT count(*) FROM event WHERE lane < 32";
    let share = stage.fleet.database.count(of_share).await;
    assert!(share > 0 && share < 64);
    assert_eq!((&ended["lanes"], &ended["compared"]), (&json!(32), &json!(share)), "{ended}");
    fleet.says(&[
        "release",
        "activate",
        &other,
        "--when-shadow-clean",
        "--events",
        "1",
        "--differences",
        "64",
        "--slower",
        "1000",
    ]);
}

#[tokio::test]
async fn of_two_hosts_the_other_carries_a_shadow_on_and_no_event_counts_twice() {
    let stage = Stage::of(rules("One").path()).await;
    let fleet = &stage.fleet;
    let other = fleet.create(rules("Two").path());
    fleet.says(&["release", "shadow", &other, "--for", "2h"]);
    stage.post("a", 50).await;
    stage.until("all are compared", |found| found["compared"] == 50).await;
    let data = tempfile::tempdir().unwrap();
    let second = fleet.host(data.path(), None);
    let Stage { fleet, mut host, .. } = stage;
    host.kill();
    post(&second, "b", 50).await;
    let found = fleet.shadow_is("the other one has gone on", |found| found["compared"] == 100).await;
    assert_eq!((&found["differences"], &found["totals"]["events"]), (&json!(100), &json!(100)), "{found}");
    let kept = "SELECT count(*) FROM shadow_difference";
    assert_eq!(fleet.database.count(kept).await, 100);
}

#[tokio::test]
async fn what_cannot_be_a_shadow_is_refused() {
    let fleet = Fleet::new().await;
    let [old, new] = ["One", "Two"].map(|text| fleet.create(rules(text).path()));
    let said = fleet.refuses(&["release", "shadow", &new, "--for", "1h"]);
    assert!(said.contains("no release is active with which it could be compared"), "{said}");
    assert!(fleet.refuses(&["release", "shadow", "show"]).contains("no release has been a shadow yet"));
    fleet.says(&["release", "activate", &old]);
    let failing = rules("Three");
    write_rule(
        failing.path(),
        "notes/cases/note.yaml",
        &super::CASE.replace("template: note", "no_route: true"),
    );
    let output = fleet.run(&["release", "create", "--rules", failing.path().to_str().unwrap()]);
    let failing = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let said = fleet.refuses(&["release", "shadow", &failing, "--for", "1h"]);
    assert!(said.contains("cases of the release") && said.contains("not started"), "{said}");
    assert!(fleet.refuses(&["release", "shadow", "0123456789", "--for", "1h"]).contains("no such release"));
    fleet.says(&["release", "activate", &new, "--share", "10%"]);
    let said = fleet.refuses(&["release", "shadow", &new, "--for", "1h"]);
    assert!(said.contains(&format!("the release {new} decides for a share")), "{said}");
    assert_eq!(fleet.database.count("SELECT count(*) FROM shadow").await, 0);
}

#[tokio::test]
async fn a_host_that_cannot_load_the_release_says_so_and_tries_again() {
    let stage = Stage::of(rules("One").path()).await;
    let fleet = &stage.fleet;
    let other = fleet.create(rules("Two").path());
    let id = fleet.show(&other)["id"].as_str().unwrap().to_owned();
    // Where its files are to be there is a file.
    let blocked = stage._data.path().join("releases").join(&id);
    std::fs::write(&blocked, "a file").unwrap();
    fleet.says(&["release", "shadow", &other, "--for", "2h"]);
    let found = stage.until("it says so", |found| found["trouble"].is_string()).await;
    assert!(found["trouble"].as_str().unwrap().contains("cannot write"), "{found}");
    let output = fleet.run(&["check", "--json"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("shadow.under_way"));
    std::fs::remove_file(&blocked).unwrap();
    stage.post("a", 5).await;
    let found = stage.until("it goes on", |found| found["compared"] == 5).await;
    assert_eq!(found["trouble"], Value::Null, "{found}");
}
