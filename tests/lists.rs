//! Lists and requests for a place: sent in an open window, and what people choose and send.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hookswitch_simulator::Settings;
use serde_json::{Value, json};

use crate::harness::{SOON, Stage, program, wait_until, write_rule};

const ANN: &str = "15550100001";
const FRONT: &str = "---\ndescription: A visit\ncategory: utility\nlanguage: en_US\n";
const LIST: &str = "buttons:\n  - title: Choose a time\n    list:\n      - {id: am, title: Morning, description: '{{ morning }}'}\n      \
                    - {id: pm, title: Afternoon}\n";
const BODY: &str = "---\nWhen may we come to you? Answer with a time of the day.\n";

const ROUTES: &str = r#"
- {on: visit, template: visit, contacts: [event.data.to], context: {morning: 8 to 12}}
- {on: place, template: place, contacts: [event.data.to]}
- {on: free, template: free, contacts: [event.data.to], context: {days: event.data.days}}
- {on: list.selected, template: told, contacts: [event.data.contact.whatsapp_id], context: {what: "`${event.data.list.id} for ${event.data.answers.template}`"}}
- {on: message.received, when: event.data.location != (), template: told, contacts: [event.data.contact.whatsapp_id], context: {what: "`${event.data.location.latitude} for ${event.data.answers.template}`"}}
"#;

fn files() -> [(&'static str, String); 5] {
    [
        ("visits/routes.yaml", ROUTES.replace("morning: 8 to 12", "morning: '\"8 to 12\"'")),
        ("visits/templates/visit.j2", format!("{FRONT}{LIST}{BODY}")),
        (
            "visits/templates/place.j2",
            format!("{FRONT}mode: text\nbuttons: [{{ask: location}}]\n---\nWhere are you?\n"),
        ),
        (
            "visits/templates/free.j2",
            format!(
                "{FRONT}mode: text\nbuttons:\n  - title: Choose a day\n    list: [{{each: days, id: '{{{{ item.date }}}}', \
                 title: '{{{{ item.name }}}}'}}]\n---\nWhich day?\n"
            ),
        ),
        ("visits/templates/told.j2", format!("{FRONT}mode: text\n---\nYou said {{{{ what }}}}.\n")),
    ]
}

impl Stage {
    async fn nth_sent(&self, count: usize) -> Value {
        wait_until("it is sent", SOON, async || self.simulator.messages().await.len() >= count).await;
        self.simulator.messages().await.swap_remove(count - 1)
    }
}

async fn stage(windows: bool) -> Stage {
    let account = Settings::default().waba_id;
    let files = files();
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let builder = Stage::builder()
        .rules(&files)
        .simulator(&["--unlimited"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str())]);
    let stage = builder.start().await;
    if windows {
        stage.simulator.inbound(&json!({"from": ANN, "text": "hello"})).await;
        let opened = "SELECT count(*) FROM contact WHERE last_inbound_at IS NOT NULL";
        wait_until("the window is open", SOON, async || stage.database.count(opened).await == 1).await;
    }
    stage
}

#[tokio::test]
async fn a_row_of_a_list_is_chosen() {
    let stage = stage(true).await;
    stage.host.accept(&json!({"type": "visit", "data": {"to": ANN}})).await;
    let list = stage.nth_sent(1).await;
    let interactive = &list["request"]["interactive"];
    assert_eq!(interactive["type"], "list");
    assert_eq!(
        interactive["action"],
        json!({"button": "Choose a time", "sections": [{"rows": [
            {"id": "am", "title": "Morning", "description": "8 to 12"}, {"id": "pm", "title": "Afternoon"}]}]})
    );
    let chosen = json!({"type": "interactive",
        "interactive": {"type": "list_reply", "list_reply": {"id": "pm", "title": "Afternoon"}}});
    stage.simulator.inbound(&json!({"from": ANN, "message": chosen, "reply_to": list["wamid"]})).await;
    assert_eq!(stage.nth_sent(2).await["request"]["text"]["body"], "You said pm for visit.");
}

#[tokio::test]
async fn the_rows_of_a_list_come_from_the_event() {
    let stage = stage(true).await;
    let days = |count: u8| {
        let day = |n| json!({"date": format!("2026-12-{n:02}"), "name": format!("{n} December")});
        json!({"type": "free", "data": {"to": ANN, "days": (1..=count).map(day).collect::<Vec<_>>()}})
    };
    stage.host.accept(&days(10)).await;
    let list = stage.nth_sent(1).await;
    let rows = list["request"]["interactive"]["action"]["sections"][0]["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[9]), (10, &json!({"id": "2026-12-10", "title": "10 December"})));
    let chosen = json!({"type": "interactive",
        "interactive": {"type": "list_reply", "list_reply": {"id": "2026-12-02", "title": "2 December"}}});
    stage.simulator.inbound(&json!({"from": ANN, "message": chosen, "reply_to": list["wamid"]})).await;
    assert_eq!(stage.nth_sent(2).await["request"]["text"]["body"], "You said 2026-12-02 for free.");

    let id = stage.host.accept(&days(11)).await;
    let failed = stage.decision(&id, "failed").await;
    let why = failed["reason"].as_str().unwrap();
    assert!(why.contains("the list \"Choose a day\": a list has at most 10 rows, got 11"), "{why}");
}

#[tokio::test]
async fn a_place_is_asked_for_and_sent() {
    let stage = stage(true).await;
    stage.host.accept(&json!({"type": "place", "data": {"to": ANN}})).await;
    let asked = stage.nth_sent(1).await;
    assert_eq!(
        asked["request"]["interactive"],
        json!({"type": "location_request_message", "body": {"text": "Where are you?"}, "action": {"name": "send_location"}})
    );
    let place = json!({"type": "location", "location": {"latitude": -17.5, "longitude": 31.0}});
    stage.simulator.inbound(&json!({"from": ANN, "message": place, "reply_to": asked["wamid"]})).await;
    assert_eq!(stage.nth_sent(2).await["request"]["text"]["body"], "You said -17.5 for place.");
}

/// Meta's templates have no lists: outside the window the message goes out without it, which is said before.
#[tokio::test]
async fn outside_the_window_the_message_has_no_list() {
    let stage = stage(false).await;
    let said = String::from_utf8(stage.run(&["rules", "check"]).stderr).unwrap();
    let note =
        "outside the 24-hour window, where Meta's templates have no list, the message goes out without it";
    assert!(said.contains(note) && said.contains("visits/templates/visit.j2:5:1"), "{said}");
    let file = stage.rules.join("../visit.json");
    std::fs::write(&file, json!({"type": "visit", "data": {"to": ANN}}).to_string()).unwrap();
    let said = stage.says(&["rules", "try", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();
    let (open, closed) = said.split_once("outside of it, as the Meta template visit:").unwrap();
    assert!(open.contains("≡ Choose a time") && open.contains("Morning · 8 to 12"), "{said}");
    assert!(!closed.contains("Choose a time"), "{said}");

    let account = Settings::default();
    let mut push = program(&["templates", "push", "--yes", "--rules"]);
    let push = push
        .arg(&stage.rules)
        .env("WHATSAPP_API_URL", stage.simulator.api_url())
        .env("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id)
        .env("WHATSAPP_ACCESS_TOKEN", account.access_token);
    let output = push.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stage.host.accept(&json!({"type": "visit", "data": {"to": ANN}})).await;
    let template = stage.nth_sent(1).await["request"]["template"].take();
    assert_eq!((&template["name"], template.get("components")), (&json!("visit"), None), "{template}");
}

#[test]
fn a_case_may_expect_a_list() {
    let folder = tempfile::tempdir().unwrap();
    files().iter().for_each(|(name, text)| write_rule(folder.path(), name, text));
    let check = |line: &str| {
        let case = format!(
            "- name: a visit\n  event: {{type: visit, data: {{to: '{ANN}'}}}}\n  expect:\n  - {{template: visit, buttons: \
             [{line:?}]}}\n"
        );
        write_rule(folder.path(), "visits/cases/visit.yaml", &case);
        let output = program(&["rules", "check", "--rules"]).arg(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = check("Choose a time: Morning, Afternoon");
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = check("Choose a time: Morning");
    assert!(status == Some(1) && said.contains("`buttons` differs"), "{said}");
}
