//! Events of others that have the ids of the system's own: they keep none of these from being told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, Host, SOON, Simulator, free_port, program, wait_until, write_rule};

const SCHEDULE: &str =
    "- {name: each minute, cron: \"* * * * *\", time_zone: UTC, event: report.due, missed: catch_up}\n";

/// Ops is told of failures, quality and reports, and of alarms together.
fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| write_rule(folder.path(), file, text);
    write("groups.yaml", "- name: Ops\n  description: Operations\n");
    write("schedules.yaml", SCHEDULE);
    write(
        "any/routes.yaml",
        "- {on: hello, template: hello, contacts: [event.data.to]}\n\
         - {on: message.failed, template: failed, groups: [Ops]}\n\
         - {on: number.quality_changed, template: quality, groups: [Ops]}\n\
         - {on: report.due, template: report, groups: [Ops]}\n\
         - {on: alarm, template: alarms, groups: [Ops], collect: 3s by group}\n",
    );
    for name in ["hello", "failed", "quality", "report", "alarms"] {
        let front = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\nmode: text\n---\n";
        write(&format!("any/templates/{name}.j2"), &format!("{front}The {name}"));
    }
    folder
}

/// An event of somebody else under this id of the system's.
async fn squat(database: &Database, id: &str) {
    let sql = "INSERT INTO event (lane, id, source, type, time, data, sha256)
               VALUES (0, $1, '/hookswitch', 'nobody.cares', now(), '{}', '\\x00')";
    database.query(sql, &[&id]).await;
}

async fn told(simulator: &Simulator, what: &str) -> usize {
    let messages = simulator.messages().await;
    messages.iter().filter(|message| message["request"]["text"]["body"] == format!("The {what}")).count()
}

async fn quality_changes(host: &Host) {
    let change = json!({"field": "phone_number_quality_update", "value": {"display_phone_number": "15550783881",
        "event": "DOWNGRADE", "old_limit": "TIER_10K", "current_limit": "TIER_1K"}});
    let body = json!({"object": "whatsapp_business_account",
                      "entry": [{"id": "1", "time": 1_739_321_024, "changes": [change]}]});
    host.post_webhook(&body).await;
}

#[tokio::test]
async fn every_own_event_is_told_though_another_has_its_id() {
    let database = Database::create().await;
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--window", "off", "--unknown-templates"]);
    let rules = rules();
    let mut host = Host::start(port, &database, &simulator, rules.path(), &[]);
    database.add_person("ann", "15550100001", &["Ops"]).await;
    database.open_windows().await;
    let started = "SELECT count(*) FROM schedule_slot WHERE outcome = 'start'";
    wait_until("the schedule is known", SOON, async || database.count(started).await == 1).await;
    let mut squatted = Vec::new();

    // A time of the schedule that was missed.
    host.terminate();
    let missed = "UPDATE schedule_slot SET slot = date_trunc('minute', now()) - interval '90 seconds'
                  RETURNING to_char((date_trunc('minute', now()) - interval '1 minute') AT TIME ZONE 'UTC',
                                    'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    let slot: String = database.query(missed, &[]).await[0].get(0);
    squatted.push(format!("schedule:each minute:{slot}"));
    squat(&database, squatted.last().unwrap()).await;
    host.restart();
    let reports = "SELECT count(*) FROM schedule_slot WHERE outcome = 'fired'";
    wait_until("the report is told", SOON, async || {
        let fired = usize::try_from(database.count(reports).await).unwrap();
        fired > 0 && told(&simulator, "report").await >= fired
    })
    .await;

    // What Meta says of the number, the first time and again.
    quality_changes(&host).await;
    wait_until("Ops hears of it", SOON, async || told(&simulator, "quality").await == 1).await;
    let own = "DELETE FROM event WHERE type = 'number.quality_changed' RETURNING id";
    squatted.push(database.query(own, &[]).await[0].get(0));
    squat(&database, squatted.last().unwrap()).await;
    for _ in 0..2 {
        quality_changes(&host).await;
    }
    wait_until("Ops hears of it", SOON, async || told(&simulator, "quality").await == 2).await;

    // A digest: its event's id is known while it is open.
    host.accept(&json!({"type": "alarm", "data": {}})).await;
    let mut digest = Vec::new();
    wait_until("it is collected", SOON, async || {
        digest = database.query("SELECT id::text FROM digest", &[]).await;
        !digest.is_empty()
    })
    .await;
    squatted.push(digest[0].get(0));
    squat(&database, squatted.last().unwrap()).await;
    wait_until("the alarms are told", SOON, async || told(&simulator, "alarms").await == 1).await;

    // A failure: it is told some seconds after.
    simulator.turn(&json!({"errors": [{"code": 131026, "to": "15550100077"}]})).await;
    host.accept(&json!({"type": "hello", "data": {"to": "15550100077"}})).await;
    let mut failure = Vec::new();
    wait_until("it has failed", SOON, async || {
        failure = database.query("SELECT notification_id || ':' || attempt FROM failure", &[]).await;
        !failure.is_empty()
    })
    .await;
    squatted.push(format!("message.failed:{}", failure[0].get::<_, String>(0)));
    squat(&database, squatted.last().unwrap()).await;
    wait_until("the failure is told", SOON, async || told(&simulator, "failed").await == 1).await;

    assert_eq!(told(&simulator, "quality").await, 2, "each is told once");
    let report = check(&database, rules.path());
    for id in &squatted {
        assert!(host.said().contains(&format!("id=\"{id}\"")), "{id} is not in the log");
        assert!(report.to_string().contains(id.as_str()), "{id} is not found: {report:#}");
    }
}

fn check(database: &Database, rules: &std::path::Path) -> Value {
    let mut check = program(&["check", "--json", "--rules"]);
    let output = check.arg(rules).env("DATABASE_URL", database.url()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["sections"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["findings"].as_array().unwrap());
    findings.into_iter().find(|finding| finding["id"] == "events.clash").unwrap().clone()
}
