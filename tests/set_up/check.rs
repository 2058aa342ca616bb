//! The set-up check: the seed's three steps, and each finding provoked once and healed once.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use super::{GREETING, Office, ROUTE, found, snapshot_settings, text};
use crate::harness::{SOON, http, rules, wait_until};

const NONE: [&str; 0] = [];

impl Office {
    fn finds(&self) -> Vec<String> {
        found(&self.check(&[]))
    }

    async fn all_is_well(&self) {
        wait_until("all is well", SOON, async || self.finds() == NONE).await;
    }
}

#[tokio::test]
async fn the_three_steps_of_a_set_up_make_all_well() {
    let mut office = Office::open().await;
    // The rules that ship, so that the steps are those of a new user.
    office.rules = tempfile::tempdir().unwrap();
    copy(&rules(), office.rules.path());
    let before = office.run(&["check"]);
    assert_eq!(before.status.code(), Some(1));
    snapshot_settings(office.rules.path())
        .bind(|| insta::assert_snapshot!("check_before_set_up", text(&before.stdout)));

    office.does(&["migrate"]);
    office.does(&["groups", "create-defaults"]);
    office.does(&["people", "add", "ann", "--name", "Ann Moyo"]);
    for group in [
        "Technical Admin",
        "System Admins",
        "Sales Team",
        "Pastoral Team",
        "Pfungwa Staff",
        "Finance Team",
        "Warranty Team",
    ] {
        office.does(&["groups", "add", group, "ann"]);
    }
    office.does(&["people", "link", "ann", "+263771234567"]);
    let _host = office.host();
    office.simulator.inbound(&json!({"from": "263771234567", "name": "Ann", "text": "hello"})).await;
    office.run(&["check", "--fix", "--yes"]);
    office.all_is_well().await;
    let seen = "SELECT count(*) FROM webhook WHERE accepted_at IS NOT NULL";
    wait_until("the host tells of the webhooks", SOON, async || office.database.count(seen).await == 1).await;
    snapshot_settings(office.rules.path()).bind(|| {
        insta::assert_snapshot!("check_after_set_up", office.does(&["check"]));
        insta::assert_snapshot!("check_as_json", format!("{:#}", without_lists(office.check(&[]))));
    });
    assert!(office.does(&["check", "--verbose"]).contains("window open until"));
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The report with two facts of each section and two groups at most, and without those that differ from run to run.
fn without_lists(mut report: Value) -> Value {
    report["recipients"].as_array_mut().unwrap().truncate(2);
    for section in report["sections"].as_array_mut().unwrap() {
        let of_this_machine = matches!(section["name"].as_str(), Some("hosts" | "database" | "keys"));
        let facts = section["facts"].as_array_mut().unwrap();
        facts.truncate(2);
        if of_this_machine {
            facts.clear();
        }
    }
    report
}

#[tokio::test]
async fn a_database_that_is_not_there_or_not_migrated_is_found_and_mended() {
    let office = Office::open().await;
    let gone = office.check(&[("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")]);
    assert!(found(&gone).contains(&"database.unreachable".to_owned()), "{gone:#}");
    assert!(office.finds().contains(&"database.migrations".to_owned()));
    let mended = office.run(&["check", "--fix"]);
    let files = fs::read_dir(rules().join("../migrations")).unwrap();
    let migrations =
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|it| it == "sql"));
    let applied = format!("Applied {} migrations.", migrations.count());
    assert!(text(&mended.stderr).contains(&applied), "{}", text(&mended.stderr));
    assert!(text(&mended.stderr).contains("Created groups: Ops."), "{}", text(&mended.stderr));
    assert!(text(&mended.stderr).contains("no terminal to confirm on"), "{}", text(&mended.stderr));
    let finds = office.finds();
    assert!(!finds.iter().any(|id| id.starts_with("database.") || id == "group.missing"), "{finds:?}");
}

#[tokio::test]
async fn settings_are_found_incomplete() {
    let office = Office::open().await;
    let report = office.check(&[("WHATSAPP_PHONE_NUMBER_ID", "+1555"), ("WHATSAPP_APP_SECRET", "")]);
    let settings = &report["sections"][0]["findings"];
    assert_eq!(settings.as_array().unwrap().len(), 2, "{report:#}");
    assert!(!found(&office.check(&[])).contains(&"settings.wrong".to_owned()));
}

#[tokio::test]
async fn rules_are_found_broken_odd_or_not_live() {
    let office = Office::open().await;
    let _host = office.host();
    office.set_up().await;
    office.all_is_well().await;

    office.write("guests/routes.yaml", "- on: guest.arrived\n  template: greting\n  groups: [Ops]\n");
    let report = office.check(&[]);
    assert!(found(&report).contains(&"rules.broken".to_owned()));
    assert!(report.to_string().contains("guests/routes.yaml:2: unknown template `greting`"), "{report:#}");

    office.write("guests/routes.yaml", "- on: guest.arrived\n  template: greeting\n  groups: [Ops]\n");
    assert!(office.finds().contains(&"rules.variable_missing".to_owned()));
    office.write("guests/routes.yaml", ROUTE);
    office.write("guests/unused.rhai", "fn decide(event) { skip(\"no\") }\n");
    assert!(office.finds().contains(&"rules.warning".to_owned()));
    fs::remove_file(office.rules.path().join("guests/unused.rhai")).unwrap();

    // A host that has another folder, such as one that could not load the new rules.
    let other = tempfile::tempdir().unwrap();
    copy(office.rules.path(), other.path());
    fs::write(other.path().join("guests/config.yaml"), "a: 1\n").unwrap();
    let elsewhere = office.check(&[("HOOKSWITCH_RULES", other.path().to_str().unwrap())]);
    assert_eq!(found(&elsewhere), ["rules.not_live"]);
    office.all_is_well().await;
}

#[tokio::test]
async fn groups_and_people_who_get_nothing_are_found() {
    let office = Office::open().await;
    let _host = office.host();
    office.set_up().await;
    office.all_is_well().await;

    office.does(&["groups", "delete", "Ops", "--yes"]);
    assert_eq!(office.finds(), ["group.missing", "route.tells_nobody"]);
    office.does(&["groups", "create-defaults"]);
    assert_eq!(office.finds(), ["route.tells_nobody", "group.empty"]);
    office.does(&["groups", "add", "Ops", "ann"]);
    office.does(&["people", "unlink", "ann"]);
    assert_eq!(office.finds(), ["people.unlinked"]);
    office.does(&["people", "deactivate", "ann"]);
    assert_eq!(office.finds(), ["route.tells_nobody", "group.empty", "people.none"]);
    office.does(&["people", "activate", "ann"]);
    office.does(&["people", "link", "ann", "+263770000009"]);
    assert_eq!(office.finds(), ["people.window_closed"]);
    office.does(&["people", "link", "ann", "+263771234567"]);
    assert_eq!(office.finds(), NONE);
}

#[tokio::test]
async fn templates_are_found_missing_pending_or_other_than_at_meta() {
    let office = Office::open().await;
    let _host = office.host();
    office.simulator.turn(&json!({"template_review_ms": 600_000})).await;
    office.does(&["migrate"]);
    assert!(office.finds().contains(&"template.missing".to_owned()));
    assert!(
        found(&office.check(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", "")]))
            .contains(&"template.not_looked_at".to_owned())
    );
    office.set_up().await;
    wait_until("only the review is waited for", SOON, async || office.finds() == ["template.pending"]).await;
    office.simulator.turn(&json!({"template_review_ms": 0})).await;
    office.graph(Method::DELETE, "message_templates?name=greeting", None).await;

    let create = |name: &str, category: &str, text: &str| {
        json!({"name": name, "language": "en_US", "category": category, "components":
            [{"type": "BODY", "text": text, "example": {"body_text": [["Eve"]]}}]})
    };
    let renamed = |name: &str| {
        GREETING
            .replace("mode:", "")
            .replace("language: en_US", &format!("language: en_US\nmeta_name: {name}"))
    };
    office.write("guests/templates/greeting.j2", &renamed("greeting_v2"));
    let ours = "Good morning, {{1}}, this is a test.";
    office.graph(Method::POST, "message_templates", Some(create("greeting_v2", "MARKETING", ours))).await;
    wait_until("the category is seen", SOON, async || office.finds() == ["template.category"]).await;
    office.write("guests/templates/greeting.j2", &renamed("greeting_v3"));
    let other = "Good evening, {{1}}, this is a test.";
    office.graph(Method::POST, "message_templates", Some(create("greeting_v3", "UTILITY", other))).await;
    wait_until("the wording is seen", SOON, async || office.finds() == ["template.differs"]).await;

    let doubtful = renamed("greeting_v3").replace("en_US", "en_XX");
    office.write("guests/templates/greeting.j2", &doubtful);
    wait_until("the language is seen", SOON, async || {
        office.finds() == ["template.doubtful", "template.missing"]
    })
    .await;
    office.write("guests/templates/greeting.j2", &renamed("greeting_v4").replace("Good morning, ", ""));
    wait_until("the form is seen", SOON, async || office.finds() == ["template.form"]).await;
    office.write("guests/templates/greeting.j2", &renamed("greeting_v4"));
    office.run(&["check", "--fix", "--yes"]);
    office.all_is_well().await;
}

#[tokio::test]
async fn templates_that_meta_turned_down_are_found() {
    let office = Office::open().await;
    let _host = office.host();
    office.set_up().await;
    office.all_is_well().await;
    for status in ["REJECTED", "PAUSED", "DISABLED"] {
        office.simulator.set_template("greeting", status).await;
        assert_eq!(office.finds(), ["template.not_approved"], "{status}");
        office.simulator.set_template("greeting", "APPROVED").await;
        assert_eq!(office.finds(), NONE, "{status}");
    }
}

#[tokio::test]
async fn metas_refusals_are_found() {
    let office = Office::open().await;
    let _host = office.host();
    office.set_up().await;
    office.all_is_well().await;
    let finds = |name, value| found(&office.check(&[(name, value)]));
    assert_eq!(finds("WHATSAPP_ACCESS_TOKEN", "other"), ["template.not_looked_at", "token.invalid"]);
    assert_eq!(finds("WHATSAPP_PHONE_NUMBER_ID", "4711"), ["cloud_api.refused"]);
    assert_eq!(
        finds("WHATSAPP_API_URL", "http://127.0.0.1:1/v25.0"),
        ["template.not_looked_at", "cloud_api.unreachable"]
    );
    assert_eq!(finds("WHATSAPP_BUSINESS_ACCOUNT_ID", "4711"), ["template.not_looked_at", "account.refused"]);
    let report = office.check(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", "4711")]).to_string();
    assert!(
        report.contains(
            "Meta refuses the business account 4711: error 100: Unsupported get request. Object with ID"
        ),
        "{report}"
    );
    assert_eq!(finds("WHATSAPP_MESSAGES_PER_SECOND", "81"), NONE, "the simulator is unlimited");
    assert_eq!(finds("WHATSAPP_MESSAGES_PER_SECOND", "1001"), ["number.throughput"]);

    office.simulator.turn(&json!({"token_permissions": ["whatsapp_business_messaging"]})).await;
    assert_eq!(
        office.finds(),
        ["template.not_looked_at", "account.refused", "token.management_scope"],
        "it can send, but not manage"
    );
    let both = ["whatsapp_business_management", "whatsapp_business_messaging"];
    office.simulator.turn(&json!({"token_permissions": both})).await;

    office.graph(Method::DELETE, "subscribed_apps", None).await;
    assert_eq!(office.finds(), ["webhook.not_subscribed"]);
    office.graph(Method::POST, "subscribed_apps", None).await;
    office.all_is_well().await;
}

#[tokio::test]
async fn fixing_says_what_it_could_not_fix() {
    let office = Office::open().await;
    let fix = |settings: &[(&str, &str)]| {
        text(&office.command(&["check", "--fix", "--yes"], settings).output().unwrap().stderr)
    };
    let said = fix(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", "4711")]);
    assert!(said.contains("templates not submitted: Meta rejected the request: error 100"), "{said}");
    assert!(said.contains("--fix cannot fix: keys.none, "), "{said}");
    assert!(said.contains("people.none, account.refused, hosts.none"), "{said}");
    let said = fix(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", "")]);
    assert!(said.contains("templates not submitted: WHATSAPP_BUSINESS_ACCOUNT_ID is not set"), "{said}");
    let said = fix(&[("WHATSAPP_APP_SECRET", "")]);
    assert!(said.contains("templates not submitted: the settings are invalid"), "{said}");
    let said = fix(&[("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")]);
    assert!(said.contains("migrations not applied: cannot reach PostgreSQL"), "{said}");
    assert!(said.contains("groups not created: cannot reach PostgreSQL"), "{said}");
    assert!(said.contains("--fix cannot fix: database.unreachable."), "{said}");
    office.write("guests/routes.yaml", "- on: guest.arrived\n");
    let said = fix(&[]);
    assert!(said.contains("groups not created: the rules do not compile"), "{said}");
    assert!(said.contains("templates not submitted: the rules do not compile"), "{said}");
}

#[tokio::test]
async fn webhooks_with_a_wrong_signature_are_found() {
    let office = Office::open().await;
    let host = office.host();
    office.set_up().await;
    office.all_is_well().await;
    let answer = http().post(format!("{}/webhooks/whatsapp", host.url())).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    wait_until("it is found", SOON, async || office.finds() == ["webhook.signature"]).await;
    office.database.query("UPDATE webhook SET refused_at = refused_at - interval '25 hours'", &[]).await;
    office.all_is_well().await;
}

#[tokio::test]
async fn work_that_nobody_does_is_found() {
    let office = Office::open().await;
    office.set_up().await;
    assert!(office.finds().contains(&"hosts.none".to_owned()));
    let event = "INSERT INTO event (lane, id, source, type, time, data, sha256, received_at)
                 VALUES (0, 'e1', '/test', 'guest.arrived', now(), '{\"name\": \"Eve\"}', '', now() - interval '2 minutes')";
    office.database.query(event, &[]).await;
    assert!(office.finds().contains(&"backlog.events".to_owned()));
    let mut host = office.host();
    office.simulator.inbound(&json!({"from": "263771234567", "name": "Ann", "text": "hello"})).await;
    office.all_is_well().await;

    host.terminate();
    assert_eq!(office.finds(), ["hosts.none"]);
}

#[tokio::test]
async fn failures_are_found_by_their_code() {
    let office = Office::open().await;
    let _host = office.host();
    office.set_up().await;
    office.all_is_well().await;
    office.simulator.turn(&json!({"not_on_whatsapp": ["263771234567"]})).await;
    office.run(&["send", "greeting", "--to", "ann", "--context", "name=Eve"]);
    let report = office.check(&[]);
    assert_eq!(found(&report), ["delivery.failed"]);
    assert!(report.to_string().contains("1 message failed with Meta's error 131026: "), "{report:#}");
    office.database.query("UPDATE delivery SET at = at - interval '25 hours'", &[]).await;
    office.database.query("UPDATE unresolved_failure SET at = at - interval '25 hours'", &[]).await;
    assert_eq!(office.finds(), ["delivery.old_failures"]);
    office.does(&["failed", "discard", "--all"]);
    office.all_is_well().await;
}
