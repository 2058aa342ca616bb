//! Values that must not stay: hidden everywhere, and gone from the database once the message is settled.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use hookswitch_simulator::Settings;
use serde_json::{Value, json};

use crate::harness::{Builder, SOON, Stage, wait_until};

const ANN: &str = "15550100001";
const CODE: &str = "482913";
const FRONT: &str = "---\ndescription: A code\ncategory: utility\nlanguage: en_US\nsensitive: [code]\n---\n";
const HIDDEN: &str = "••••••";

fn builder() -> Builder {
    let body = "Your code is {{ code[:3] }}-{{ code[3:] }} of {{ code | length }} digits, {{ name }}, and nobody else may know it.";
    Stage::builder().rules(&[("any/templates/code.j2", &format!("{FRONT}{body}"))])
}

fn decision(more: Value) -> Value {
    let mut decision =
        json!({"template": "code", "contacts": [ANN], "context": {"code": CODE, "name": "Ann"}});
    decision.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    decision
}

impl Stage {
    /// The tables in whose rows a text stands, and how often.
    async fn found(&self, text: &str) -> Vec<(String, i64)> {
        let tables = "SELECT table_name::text FROM information_schema.tables
                      WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
        let mut found = Vec::new();
        for row in self.database.query(tables, &[]).await {
            let table: String = row.get(0);
            let sql = format!("SELECT count(*) FROM \"{table}\" AS t WHERE strpos(t::text, '{text}') > 0");
            match self.database.count(&sql).await {
                0 => {}
                count => found.push((table, count)),
            }
        }
        found
    }

    /// Waits until the code stands nowhere any more, however it is written.
    async fn is_gone(&self) {
        for code in [CODE, "482-913"] {
            wait_until("the code is gone", SOON, async || self.found(code).await.is_empty()).await;
        }
    }

    async fn code_texts(&self) -> Vec<String> {
        let body = |message: &Value| message["request"].to_string();
        self.simulator.messages().await.iter().map(body).collect()
    }
}

#[tokio::test]
async fn a_value_is_hidden_at_once_and_gone_once_the_message_arrived() {
    let stage = builder().start().await;
    let event = json!({
        "id": "e-1", "source": "/login", "type": "any", "subject": "s", "time": "2026-11-27T09:00:00Z",
        "data": decision(json!({"after": "365d", "reason": format!("asked for {CODE}"), "key": "login ann"})),
    });
    stage.host.accept(&event).await;
    let waiting = stage.notification("e-1", "deferred").await;
    // It waits, and only its message as it is sent has the code.
    assert_eq!(stage.found("482-913").await, [("secret".to_owned(), 1)]);
    assert_eq!(stage.found(CODE).await, []);
    let hidden = waiting["message"]["body"].as_str().unwrap();
    assert!(hidden.starts_with("Your code is •") && hidden.contains("Ann"), "{hidden}");
    let history = stage.host.event("e-1").await;
    assert_eq!(history["data"]["context"], json!({"code": HIDDEN, "name": "Ann"}));
    assert_eq!(history["decisions"][0]["decision"]["context"], json!({"code": HIDDEN, "name": "Ann"}));
    assert_eq!(history["decisions"][0]["reason"], format!("asked for {HIDDEN}"));
    assert!(!stage.says(&["explain", "e-1"]).contains(CODE));

    stage.database.query("UPDATE deferred SET due_at = now()", &[]).await;
    stage.notification("e-1", "read").await;
    let sent = stage.code_texts().await;
    assert!(sent.len() == 1 && sent[0].contains("\"482\"") && sent[0].contains("\"913\""), "{sent:?}");
    stage.is_gone().await;
    assert!(!stage.host.said().contains(CODE));
    // The same event again is still the same.
    assert_eq!(stage.host.post_event(&event).await.status(), 202);
    assert_eq!(stage.database.count("SELECT count(*) FROM event WHERE id = 'e-1'").await, 1);
}

#[tokio::test]
async fn what_failed_is_not_sent_again_and_says_why() {
    let stage = builder().start().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    let id = stage.decide(decision(json!({}))).await;
    stage.notification(&id, "failed").await;
    stage.simulator.turn(&json!({"errors": []})).await;
    stage.is_gone().await;
    let said = stage.says(&["failed", "redrive", "--all"]);
    assert!(said.contains("Resent 0 messages.") && said.contains("with values that must not stay"), "{said}");
    assert_eq!(stage.code_texts().await, [""; 0]);
}

#[tokio::test]
async fn an_event_that_is_routed_again_says_that_the_value_is_gone() {
    let stage = builder().start().await;
    stage.says(&["people", "add", "bob", "--name", "Bob"]);
    let id = stage.decide(decision(json!({"contacts": [], "users": ["bob"]}))).await;
    stage.decision(&id, "nobody").await;
    stage.is_gone().await;
    stage.says(&["events", "rerun", &id]);
    let again = async || stage.host.event(&id).await["decisions"][1].clone();
    wait_until("it is routed again", SOON, async || again().await["outcome"] == "failed").await;
    let reason = again().await["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("gone since the event was routed first"), "{reason}");
}

#[tokio::test]
async fn a_failing_rule_does_not_tell_the_value() {
    let stage = builder().start().await;
    let id = stage.decide(decision(json!({"key": format!("login {CODE}")}))).await;
    let failed = stage.decision(&id, "failed").await;
    assert!(failed["reason"].as_str().unwrap().starts_with("`key` has a value"), "{failed}");
    let id = stage.decide(decision(json!({"context": {"code": CODE}, "reason": CODE}))).await;
    let failed = stage.decision(&id, "failed").await;
    assert!(failed["reason"].as_str().unwrap().contains("`name` is not in the context"), "{failed}");
    stage.is_gone().await;
    assert!(!stage.host.said().contains(CODE));
}

#[tokio::test]
async fn a_trial_and_a_test_message_hide_the_value() {
    let stage = builder().start().await;
    let file = stage.rules.with_extension("event.json");
    fs::write(&file, json!({"type": "any", "data": decision(json!({}))}).to_string()).unwrap();
    for more in [&[][..], &["--json"]] {
        let said = stage.says(&[&["rules", "try", file.to_str().unwrap()], more].concat());
        assert!(
            !said.contains(CODE) && !said.contains("482-913") && said.contains("Your code is •"),
            "{said}"
        );
    }
    fs::remove_file(&file).unwrap();
    let given = ["--context", "code=482913", "--context", "name=Ann"];
    let said = stage.says(&[&["send", "code", "--to", ANN, "--dry-run"], &given[..]].concat());
    assert!(!said.contains(CODE) && !said.contains("482-913") && said.contains("Your code is •"), "{said}");
    stage.says(&[&["send", "code", "--to", ANN], &given[..]].concat());
    assert_eq!(stage.code_texts().await.len(), 1);
    stage.is_gone().await;
}

#[tokio::test]
async fn an_authentication_template_goes_to_meta_and_out() {
    let account = Settings::default();
    let template = fs::read_to_string("../examples/codes/templates/login_code.j2").unwrap();
    let stage = Stage::builder()
        .rules(&[("any/templates/login_code.j2", &template)])
        .simulator(&["--unlimited"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id.as_str())])
        .start()
        .await;
    let templates = |arguments: &[&str]| {
        let mut command = crate::harness::program(arguments);
        command.env("HOOKSWITCH_RULES", &stage.rules).env("WHATSAPP_API_URL", stage.simulator.api_url());
        command.env("WHATSAPP_BUSINESS_ACCOUNT_ID", &account.waba_id);
        command.env("DATABASE_URL", stage.database.url());
        let done = command.env("WHATSAPP_ACCESS_TOKEN", &account.access_token).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
    };
    let pushed = templates(&["templates", "push", "--yes"]);
    assert!(pushed.contains("login_code"), "{pushed}");
    let created = stage.simulator.templates().await;
    let ours = created.iter().find(|template| template["name"] == "login_code").unwrap();
    let components = json!([
        {"type": "BODY", "add_security_recommendation": true},
        {"type": "FOOTER", "code_expiration_minutes": 10},
        {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]},
    ]);
    assert_eq!((&ours["category"], &ours["components"]), (&json!("AUTHENTICATION"), &components));
    let in_use = "SELECT count(*) FROM meta_template_switch WHERE name = 'login_code'";
    wait_until("it is in use", SOON, async || stage.database.count(in_use).await == 1).await;
    let difference = templates(&["templates", "diff"]);
    assert!(!difference.contains("login_code"), "{difference}");

    let id =
        stage.decide(json!({"template": "login_code", "contacts": [ANN], "context": {"code": CODE}})).await;
    let read = stage.notification(&id, "read").await;
    assert_eq!(read["message"]["parameters"], json!([HIDDEN]));
    let sent = stage.simulator.messages().await.remove(0);
    let code = json!([{"type": "text", "text": CODE}]);
    let components = json!([
        {"type": "body", "parameters": code},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": code},
    ]);
    assert_eq!(sent["request"]["template"]["components"], components);
    stage.is_gone().await;
}
