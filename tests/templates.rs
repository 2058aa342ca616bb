//! Templates as code: pushed to Meta, reviewed there, and used when they are approved.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use hookswitch_simulator::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{SOON, Simulator, Stage, free_port, wait_until};

const ANN: &str = "15550100001";
const OLD: &str = "The workshop has a note for you: {{ text }} is what it says.";
const NEW: &str = "Note {{ number }} of the workshop for all of you: {{ text }} is what it says.";

fn rules(body: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("any/templates")).unwrap();
    let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
    write("groups.yaml", "- name: Ops\n  description: Operations\n");
    write("any/routes.yaml", "- on: any\n  script: any.rhai\n");
    write("any/any.rhai", "fn decide(event) { event.data }");
    write_note(folder.path(), body);
    folder
}

fn write_note(folder: &Path, body: &str) {
    let front = "description: A note\ncategory: utility\nlanguage: en_US\nmode: template";
    fs::write(folder.join("any/templates/note.j2"), format!("---\n{front}\n---\n{body}\n")).unwrap();
}

fn templates(simulator: &Simulator, rules: &Path, arguments: &[&str]) -> Output {
    let account = Settings::default();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
    command.env_clear().arg("templates").args(arguments).arg("--rules").arg(rules);
    command.env("WHATSAPP_API_URL", simulator.api_url());
    command.env("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id);
    command.env("WHATSAPP_ACCESS_TOKEN", account.access_token).output().unwrap()
}

#[track_caller]
fn said(output: &Output, status: i32) -> String {
    let text =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert_eq!(output.status.code(), Some(status), "{text}");
    text
}

async fn stage() -> Stage {
    let account = Settings::default().waba_id;
    Stage::with_rules(rules(OLD))
        .simulator(&["--unlimited"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str())])
        .start()
        .await
}

impl Stage {
    fn push(&self) -> String {
        said(&templates(&self.simulator, &self.rules, &["push", "--yes"]), 0)
    }

    /// The versions that were in use, one after the other.
    async fn switches(&self) -> Vec<Option<String>> {
        let sql = "SELECT name FROM meta_template_switch WHERE template = 'note' ORDER BY ordinal";
        self.database.query(sql, &[]).await.iter().map(|row| row.get(0)).collect()
    }

    async fn in_use(&self, names: &[&str]) {
        let names: Vec<_> = names.iter().map(|name| Some((*name).to_owned())).collect();
        wait_until("the version is in use", SOON, async || self.switches().await == names).await;
    }

    /// What Meta is asked to send for one more event: the template's name and its parameters.
    async fn sent(&self) -> (String, Vec<String>) {
        let before = self.simulator.messages().await.len();
        let context = json!({"text": "Stock is low", "number": 7});
        let decision = json!({"template": "note", "contacts": [ANN], "context": context});
        self.host.accept(&json!({"type": "any", "data": decision})).await;
        wait_until("one more message", SOON, async || self.simulator.messages().await.len() > before).await;
        let message = self.simulator.messages().await.pop().unwrap();
        let template = &message["request"]["template"];
        let parameters = template["components"][0]["parameters"].as_array().unwrap().iter();
        let texts = parameters.map(|parameter| parameter["text"].as_str().unwrap().to_owned());
        (template["name"].as_str().unwrap().to_owned(), texts.collect())
    }
}

#[tokio::test]
async fn all_shipped_templates_are_pushed_and_approved() {
    let simulator = Simulator::start(free_port(), &[]);
    let rules = crate::harness::rules();
    let pushed = said(&templates(&simulator, &rules, &["push", "--yes"]), 0);
    assert_eq!(pushed.matches(": PENDING").count(), 29, "{pushed}");
    let is_ours = |name: &str| ["hanna_", "site_"].iter().any(|ours| name.starts_with(ours));
    let approved = async || {
        let all = simulator.templates().await;
        all.iter().filter(|t| is_ours(t["name"].as_str().unwrap()) && t["status"] == "APPROVED").count()
    };
    wait_until("all are approved", SOON, async || approved().await == 29).await;
    let list = said(&templates(&simulator, &rules, &["list"]), 0);
    assert_eq!(list.matches("  approved\n").count(), 29, "{list}");
    assert!(list.contains("hello_world (en_US): APPROVED"), "{list}");
    assert!(said(&templates(&simulator, &rules, &["push", "--yes"]), 0).starts_with("Nothing to submit"));
    said(&templates(&simulator, &rules, &["diff"]), 0);
    // Reviewers see what a case leads to.
    let order =
        simulator.templates().await.into_iter().find(|t| t["name"] == "hanna_new_order_created").unwrap();
    let examples = order["components"][0]["example"]["body_text"][0].as_array().unwrap();
    assert!(examples.iter().any(|example| example.as_str().unwrap().contains("SO-")), "{examples:?}");
}

#[tokio::test]
async fn the_old_version_stays_in_use_until_the_new_one_is_approved() {
    let stage = stage().await;
    assert!(stage.push().contains("✓ note: PENDING"));
    stage.in_use(&["note"]).await;
    assert_eq!(stage.sent().await, ("note".to_owned(), vec!["Stock is low".to_owned()]));

    stage.simulator.turn(&json!({"template_review_ms": 3_600_000})).await;
    write_note(&stage.rules, NEW);
    let diff = said(&templates(&stage.simulator, &stage.rules, &["diff"]), 1);
    assert!(
        diff.contains("note → note_v2")
            && diff.contains("- The workshop has a note")
            && diff.contains("+ Note {{1}} of"),
        "{diff}"
    );
    assert!(stage.push().contains("✓ note_v2: PENDING"));
    // A webhook about any template has the host look at all of them, if it looked before they were pushed.
    stage.simulator.set_template("note", "APPROVED").await;
    let known = "SELECT count(*) FROM meta_template_status WHERE name = 'note_v2' AND status = 'PENDING'";
    wait_until("the new version is known", SOON, async || stage.database.count(known).await == 1).await;
    let (name, parameters) = stage.sent().await;
    assert_eq!((name.as_str(), parameters), ("note", vec!["Stock is low".to_owned()]), "the old words");

    stage.simulator.set_template("note_v2", "APPROVED").await;
    stage.in_use(&["note", "note_v2"]).await;
    let (name, parameters) = stage.sent().await;
    assert_eq!((name.as_str(), parameters), ("note_v2", vec!["7".to_owned(), "Stock is low".to_owned()]));

    stage.simulator.set_template("note_v2", "PAUSED").await;
    stage.in_use(&["note", "note_v2", "note"]).await;
    assert_eq!(stage.sent().await.0, "note", "better the old words than none");
    wait_until("it is said", SOON, async || stage.host.said().contains("Meta has changed a template")).await;

    let told = "SELECT count(*) FROM event WHERE type = 'template.status_changed' AND source = '/hookswitch'
                AND data::jsonb @> '{\"template\": \"note\", \"name\": \"note_v2\", \"status\": \"PAUSED\"}'";
    wait_until("rules are told", SOON, async || stage.database.count(told).await == 1).await;

    let all = stage.simulator.templates().await;
    let note = all.iter().find(|template| template["name"] == "note").unwrap();
    assert!(
        note["components"][0]["text"].as_str().unwrap().starts_with("The workshop"),
        "never edited in place"
    );
}

#[tokio::test]
async fn a_host_that_starts_while_meta_does_not_answer_knows_what_is_in_use() {
    let mut stage = stage().await;
    stage.push();
    stage.in_use(&["note"]).await;
    write_note(&stage.rules, NEW);
    stage.host.terminate();
    // Meta refuses to list the templates of another account.
    stage.host.set("WHATSAPP_BUSINESS_ACCOUNT_ID", "1");
    stage.host.restart();
    assert_eq!(stage.sent().await.0, "note");
    let failed = async || stage.host.said().contains("failed to look at the templates at Meta");
    wait_until("Meta does not answer", SOON, failed).await;
    let mut status = Command::new(env!("CARGO_BIN_EXE_hookswitch"));
    let account = Settings::default();
    status.env_clear().args(["templates", "status", "--rules"]).arg(&stage.rules);
    status.env("WHATSAPP_API_URL", stage.simulator.api_url()).env("DATABASE_URL", stage.database.url());
    status
        .env("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id)
        .env("WHATSAPP_ACCESS_TOKEN", account.access_token);
    let status = said(&status.output().unwrap(), 0);
    assert!(
        status.contains(
            "note (en_US): changed; submit it\n  note: APPROVED, UTILITY, quality UNKNOWN, in use since "
        ),
        "{status}"
    );
}

#[tokio::test]
async fn a_dry_run_sends_nothing_and_nobody_is_asked_twice() {
    let simulator = Simulator::start(free_port(), &[]);
    let rules = rules(OLD);
    let before = simulator.templates().await.len();
    let dry = said(&templates(&simulator, rules.path(), &["push", "--dry-run"]), 0);
    assert!(
        dry.contains("note (en_US, UTILITY) is new")
            && dry.contains("+ The workshop has a note for you: {{1}} is"),
        "{dry}"
    );
    assert!(dry.ends_with("Nothing was submitted.\n"), "{dry}");
    let unanswered = said(&templates(&simulator, rules.path(), &["push"]), 1);
    assert!(
        unanswered
            .contains("Submit 1 template to the account 102290129340398 for Meta's review?\nNot confirmed:"),
        "{unanswered}"
    );
    assert_eq!(simulator.templates().await.len(), before);
}

#[tokio::test]
async fn what_meta_rejects_is_told_with_its_reason() {
    let simulator = Simulator::start(free_port(), &[]);
    let rules = rules(OLD);
    said(&templates(&simulator, rules.path(), &["push", "--yes"]), 0);
    simulator.set_template("note", "REJECTED").await;
    let list = said(&templates(&simulator, rules.path(), &["list"]), 0);
    assert!(list.contains("rejected (INVALID_FORMAT); edit and resubmit it"), "{list}");
    let push = said(&templates(&simulator, rules.path(), &["push", "--yes"]), 0);
    assert!(push.starts_with("note: rejected (INVALID_FORMAT)"), "{push}");
    write_note(rules.path(), NEW);
    assert!(said(&templates(&simulator, rules.path(), &["push", "--yes"]), 0).contains("✓ note_v2: PENDING"));
}

#[tokio::test]
async fn what_meta_would_refuse_is_told_with_its_line_before_anything_is_sent() {
    let simulator = Simulator::start(free_port(), &[]);
    let rules = rules("{{ text }} is the first thing that it says, and then\n{{ number }} {{ text }}");
    let before: Vec<Value> = simulator.templates().await;
    let told = said(&templates(&simulator, rules.path(), &["push", "--yes"]), 1);
    for (place, what) in [
        ("note.j2:7:4", "begins with a value; add text before `text`"),
        ("note.j2:8:17", "values without text between them; add text between `number` and `text`"),
        ("note.j2:8:17", "ends with a value; add text after `text`"),
    ] {
        assert!(told.contains(place) && told.contains(what), "{place} {what}: {told}");
    }
    assert!(told.contains("8 | {{ number }} {{ text }}"), "{told}");
    assert_eq!(simulator.templates().await, before);
}

#[tokio::test]
async fn a_template_that_was_made_by_hand_with_named_parameters_is_sent_with_their_names() {
    let stage = stage().await;
    let account = Settings::default();
    let body = json!({"name": "note", "language": "en_US", "category": "UTILITY", "parameter_format": "NAMED",
        "components": [{"type": "BODY", "text": "The workshop has a note for you: {{what_it_is}} is what it says.",
            "example": {"body_text_named_params": [{"param_name": "what_it_is", "example": "Stock is low"}]}}]});
    let url = format!("{}/{}/message_templates", stage.simulator.api_url(), account.waba_id);
    let made =
        crate::harness::http().post(url).bearer_auth(account.access_token).json(&body).send().await.unwrap();
    assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    stage.in_use(&["note"]).await;
    assert_eq!(stage.sent().await, ("note".to_owned(), vec!["Stock is low".to_owned()]));
    let message = stage.simulator.messages().await.pop().unwrap();
    let parameter = &message["request"]["template"]["components"][0]["parameters"][0];
    assert_eq!(parameter["parameter_name"], "what_it_is");
    // There is nothing to push: its words are ours.
    assert!(stage.push().starts_with("Nothing to submit"));
}

/// Two languages of one template: both are pushed under one name, and a decision picks one.
#[tokio::test]
async fn a_decision_is_sent_in_its_language() {
    let folder = rules(OLD);
    let write = |language: &str, more: &str, body: &str| {
        let front =
            format!("description: x\ncategory: utility\nlanguage: {language}\nmode: template\n{more}");
        let file = folder.path().join(format!("any/templates/thanks.{language}.j2"));
        fs::write(file, format!("---\n{front}---\n{body}\n")).unwrap();
    };
    write("en_US", "fallback: true\n", "Thank you very much, dear {{ name }}, and see you soon.");
    write("pt_BR", "", "Muito obrigado por tudo, {{ name }}, e até logo.");
    let account = Settings::default().waba_id;
    let stage = Stage::with_rules(folder)
        .simulator(&["--unlimited"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str())])
        .start()
        .await;
    stage.push();
    let both = "SELECT count(*) FROM meta_template_switch WHERE template = 'thanks' AND name = 'thanks'";
    wait_until("both are in use", SOON, async || stage.database.count(both).await == 2).await;
    for (count, (language, sent)) in (1..).zip([("pt_PT", "pt_BR"), ("fr", "en_US")]) {
        let decision = json!({"template": "thanks", "contacts": [ANN], "context": {"name": "Ana"}, "language": language});
        stage.host.accept(&json!({"type": "any", "data": decision})).await;
        wait_until("it is sent", SOON, async || stage.simulator.messages().await.len() == count).await;
        let message = stage.simulator.messages().await.pop().unwrap();
        let template = &message["request"]["template"];
        assert_eq!((&template["name"], &template["language"]["code"]), (&json!("thanks"), &json!(sent)));
    }
    assert_eq!(said(&templates(&stage.simulator, &stage.rules, &["diff"]), 0).lines().count(), 1);
}
