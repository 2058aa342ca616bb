//! Schedules: of all hosts one fires each time, and what was missed is caught up with or let be.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use tempfile::TempDir;

use crate::harness::{Database, Host, SOON, Simulator, free_port, program, wait_until};

const FIRED: &str = "SELECT count(*) FROM schedule_slot WHERE outcome = 'fired'";
const MISSED: &str = "SELECT count(*) FROM schedule_slot WHERE outcome = 'missed'";
const STARTED: &str = "SELECT count(*) FROM schedule_slot WHERE outcome = 'start'";
const EVENTS: &str = "SELECT count(*) FROM event WHERE source = '/hookswitch'";

fn rules(schedules: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("groups.yaml"),
        "- {name: Ops, description: O}\n- {name: Sales, description: S}\n",
    )
    .unwrap();
    fs::write(folder.path().join("schedules.yaml"), schedules).unwrap();
    folder
}

fn every_minute(missed: &str, more: &str) -> String {
    format!(
        "- name: each minute\n  cron: \"* * * * *\"\n  time_zone: UTC\n  event: report.due\n  missed: {missed}\n{more}"
    )
}

/// A host that knows the schedule, and has not run for five minutes.
async fn after_five_minutes(schedules: &str) -> (Database, Simulator, TempDir, Host) {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited"]);
    let rules = rules(schedules);
    let mut host = Host::start(port, &database, &simulator, rules.path(), &[]);
    wait_until("the schedule is known", SOON, async || database.count(STARTED).await == 1).await;
    host.terminate();
    database.query("UPDATE schedule_slot SET slot = slot - interval '5 minutes'", &[]).await;
    (database, simulator, rules, host)
}

#[tokio::test]
async fn missed_times_are_caught_up_with_once_by_whichever_host() {
    let schedules = every_minute("catch_up", "  data: {report: sales}\n");
    let (database, simulator, rules, mut host) = after_five_minutes(&schedules).await;
    let more: Vec<Host> =
        (0..2).map(|_| Host::start(free_port(), &database, &simulator, rules.path(), &[])).collect();
    host.restart();
    wait_until("five slots are fired", SOON, async || database.count(FIRED).await >= 5).await;
    wait_until("they are routed", SOON, async || database.count("SELECT count(*) FROM decision").await >= 5)
        .await;
    assert_eq!(database.count(EVENTS).await, database.count(FIRED).await, "one event a slot");
    assert_eq!(database.count(MISSED).await, 0);
    let told =
        "SELECT count(*) FROM event WHERE id LIKE 'schedule:each minute:20%:00Z' AND type = 'report.due'
                AND data = '{\"report\":\"sales\"}' AND subject = 'schedule-each minute'";
    assert_eq!(database.count(told).await, database.count(FIRED).await);
    drop(more);
}

#[tokio::test]
async fn missed_times_are_let_be_where_the_schedule_says_so() {
    let (database, _simulator, _rules, mut host) = after_five_minutes(&every_minute("skip", "")).await;
    host.restart();
    wait_until("it is recorded", SOON, async || database.count(MISSED).await == 1).await;
    // A slot of the last minute is late, and not missed.
    assert!(database.count(EVENTS).await <= 2, "at most the last minute's and the present one's");
}

#[tokio::test]
async fn other_times_than_before_owe_nothing() {
    let (database, _simulator, rules, mut host) = after_five_minutes(&every_minute("catch_up", "")).await;
    let yearly = every_minute("catch_up", "").replace("* * * * *", "0 0 1 1 *");
    fs::write(rules.path().join("schedules.yaml"), yearly).unwrap();
    host.restart();
    wait_until("it begins anew", SOON, async || database.count(STARTED).await == 2).await;
    assert_eq!(database.count(EVENTS).await, 0);
}

#[tokio::test]
async fn who_wrote_23_hours_ago_is_reminded_once_for_each_window() {
    let schedules = every_minute("catch_up", "  for_each: {expiring_windows: [Ops]}\n")
        .replace("report.due", "window.expiring");
    let (database, _simulator, _rules, mut host) = after_five_minutes(&schedules).await;
    // (person, minutes since they wrote, in these groups)
    for (n, (name, minutes, groups)) in [
        ("due", 23 * 60 + 30, ["Sales", "Ops"].as_slice()),
        ("early", 22 * 60, &["Ops"]),
        ("late", 24 * 60 + 10, &["Ops"]),
        ("other", 23 * 60 + 30, &["Sales"]),
    ]
    .into_iter()
    .enumerate()
    {
        let number = format!("1555010000{n}");
        database.add_person(name, &number, groups).await;
        let wrote = "UPDATE contact SET last_inbound_at = now() - make_interval(mins => $1) WHERE wa_id = $2";
        database.query(wrote, &[&minutes, &number]).await;
    }
    host.restart();
    wait_until("all slots are fired", SOON, async || database.count(FIRED).await >= 5).await;
    let rows = database.query("SELECT data, subject FROM event", &[]).await;
    assert_eq!(rows.len(), 1, "five slots, one window");
    let data: serde_json::Value = serde_json::from_str(rows[0].get(0)).unwrap();
    assert_eq!((&data["username"], &data["contact"]["whatsapp_id"]), (&"due".into(), &"15550100000".into()));
    assert_eq!(data["groups"], serde_json::json!(["Ops", "Sales"]));
    assert_eq!(rows[0].get::<_, &str>(1), "person-due");
}

#[test]
fn a_wrong_schedule_is_told_with_its_place() {
    let folder = rules(
        "- name: report\n  cron: 0 25 * * *\n  time_zone: Africa/Hararee\n  event: report.due\n  for_each: {expiring_windows: [Sale]}\n",
    );
    let output = program(&["rules", "check", "--rules"]).arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    for line in [
        "unknown time zone `Africa/Hararee`",
        "schedules.yaml:3:14",
        "unknown group `Sale`",
        "did you mean `Sales`?",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}
