//! What people write, press and choose in WhatsApp becomes events that rules are for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::harness::{SOON, Stage, wait_until};

const ANN: &str = "15550100001";
const EVE: &str = "15550100002";

const ROUTES: &str = r#"
- on: any
  script: any.rhai
- on: [message.received, button.pressed]
  template: told
  contacts: [event.data.contact.whatsapp_id]
  context: {text: "`${event.type} from ${event.subject}`"}
- on: [contact.opted_out, contact.opted_in]
  template: told
  groups: [Ops]
  context: {text: '`${first(event.data.person?.username, "someone")} ${event.type} ${event.data.scope}: ${event.data.reason}`'}
"#;

async fn stage() -> Stage {
    let template = |body: &str| {
        format!("---\ndescription: A note\ncategory: utility\nlanguage: en_US\nmode: text\n---\n{body}")
    };
    let (told, offer) = (template("{{ text }}"), template("Who takes it?"));
    let files = [
        ("any/routes.yaml", ROUTES),
        ("any/any.rhai", "fn decide(event) { event.data }"),
        ("any/templates/told.j2", &*told),
        ("any/templates/offer.j2", &*offer),
        ("groups.yaml", "- name: Ops\n  description: Operations\n"),
    ];
    Stage::builder().rules(&files).person("ann", ANN, &["Ops"]).open_windows().start().await
}

impl Stage {
    /// The events of what people did, the oldest first: type, id, subject and data.
    async fn answers(&self) -> Vec<(String, String, String, Value)> {
        let sql = "SELECT type, id, subject, data FROM event WHERE source = '/hookswitch/whatsapp' ORDER BY time, id";
        let row = |row: &tokio_postgres::Row| {
            let data: &str = row.get(3);
            (row.get(0), row.get(1), row.get(2), serde_json::from_str(data).unwrap())
        };
        self.database.query(sql, &[]).await.iter().map(row).collect()
    }

    async fn answer(&self) -> (String, String, String, Value) {
        wait_until("the answer is an event", SOON, async || !self.answers().await.is_empty()).await;
        self.answers().await.remove(0)
    }

    /// The texts that this number gets, once there are so many.
    async fn texts_to(&self, to: &str, count: usize) -> Vec<String> {
        let texts = async || {
            let messages = self.simulator.messages().await;
            let of = messages.iter().filter(|message| message["to"] == to);
            of.map(|message| message["request"]["text"]["body"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        wait_until("the texts arrive", SOON, async || texts().await.len() >= count).await;
        texts().await
    }
}

#[tokio::test]
async fn a_pressed_button_names_the_person_and_what_it_answers() {
    let stage = stage().await;
    let id = stage.decide(json!({"template": "offer", "users": ["ann"]})).await;
    let offer = stage.notification(&id, "read").await;
    let wamid = stage.simulator.messages().await[0]["wamid"].as_str().unwrap().to_owned();
    let button = json!({"type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": "take", "title": "I take it"}}});
    stage.simulator.inbound(&json!({"from": ANN, "name": "Ann", "message": button, "reply_to": wamid})).await;
    let (kind, _, subject, data) = stage.answer().await;
    assert_eq!((kind.as_str(), subject.as_str()), ("button.pressed", "contact-15550100001"));
    assert_eq!(data["button"], json!({"id": "take", "title": "I take it"}));
    assert_eq!((&data["text"], &data["type"]), (&json!("I take it"), &json!("interactive")));
    assert_eq!(data["person"], json!({"username": "ann", "name": "ann", "groups": ["Ops"]}));
    assert_eq!((&data["contact"]["whatsapp_id"], &data["contact"]["name"]), (&json!(ANN), &json!("Ann")));
    let answers = &data["answers"];
    assert_eq!((&answers["id"], &answers["template"]), (&json!(wamid), &json!("offer")));
    assert_eq!(answers["notification"], offer["id"]);
    assert_eq!((&answers["event"]["id"], &answers["event"]["subject"]), (&json!(id), &json!("s")));
    let told = stage.texts_to(ANN, 2).await;
    assert_eq!(told[1], "button.pressed from contact-15550100001");
}

#[tokio::test]
async fn a_template_s_button_a_file_a_place_and_a_reaction_are_told() {
    let stage = stage().await;
    let said = [
        json!({"from": EVE, "button": {"payload": "NO", "text": "No thanks"}}),
        json!({"from": EVE, "message": {"type": "image",
            "image": {"id": "77", "mime_type": "image/jpeg", "sha256": "x", "caption": "The roof"}}}),
        json!({"from": EVE, "message": {"type": "location",
            "location": {"latitude": 1.5, "longitude": 2.0, "name": "Home"}}}),
        json!({"from": EVE, "message": {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "👍"}}}),
    ];
    for (n, said) in said.iter().enumerate() {
        stage.simulator.inbound(said).await;
        wait_until("it is told", SOON, async || stage.answers().await.len() == n + 1).await;
    }
    let answers = stage.answers().await;
    let data = |of: &str| {
        let found = answers.iter().find(|(.., data)| !data[of].is_null());
        found.unwrap_or_else(|| panic!("no {of}: {answers:?}")).3.clone()
    };
    let button = data("button");
    assert_eq!(button["button"], json!({"id": "NO", "title": "No thanks"}));
    assert_eq!((&button["person"], &button["answers"]), (&Value::Null, &Value::Null));
    let image = data("media");
    assert_eq!(
        (&image["media"]["id"], &image["media"]["mime_type"], &image["text"]),
        (&json!("77"), &json!("image/jpeg"), &json!("The roof"))
    );
    assert_eq!(data("location")["location"]["name"], "Home");
    let reaction = data("reaction");
    assert_eq!(reaction["reaction"], json!({"emoji": "👍", "message_id": "wamid.x"}));
    assert_eq!(
        (&reaction["answers"]["id"], &reaction["answers"]["notification"]),
        (&json!("wamid.x"), &Value::Null)
    );
    assert_eq!(stage.texts_to(EVE, 4).await.len(), 4, "each is answered");
}

#[tokio::test]
async fn what_no_rule_is_for_is_not_kept_and_what_meta_repeats_is_told_once() {
    let stage = stage().await;
    let list = json!({"type": "interactive",
        "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "One", "description": "x"}}});
    stage.simulator.inbound(&json!({"from": EVE, "message": list})).await;
    let message = json!({"from": EVE, "id": "wamid.twice", "timestamp": "1795744007", "type": "text",
        "text": {"body": "Hello"}});
    let value = json!({"messaging_product": "whatsapp", "messages": [message],
        "metadata": {"phone_number_id": hookswitch_simulator::Settings::default().phone_number_id}});
    let webhook = json!({"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    for _ in 0..3 {
        stage.host.post_webhook(&webhook).await;
    }
    let heard = "SELECT count(*) FROM contact WHERE wa_id = '15550100002' AND last_inbound_at IS NOT NULL";
    wait_until("the list was heard of", SOON, async || stage.database.count(heard).await == 1).await;
    assert_eq!(stage.texts_to(EVE, 1).await, ["message.received from contact-15550100002"]);
    let answers = stage.answers().await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!((answers[0].1.as_str(), &answers[0].3["text"]), ("wamid.twice", &json!("Hello")));
}

#[tokio::test]
async fn who_opts_out_or_in_is_told() {
    let stage = stage().await;
    for (text, told) in [
        ("STOP", "someone contact.opted_out all: they wrote \"STOP\""),
        ("START", "someone contact.opted_in all: they wrote \"START\""),
    ] {
        stage.simulator.inbound(&json!({"from": EVE, "text": text})).await;
        wait_until(told, SOON, async || {
            stage
                .simulator
                .messages()
                .await
                .iter()
                .any(|message| message["to"] == ANN && message["request"]["text"]["body"] == told)
        })
        .await;
    }
}

#[tokio::test]
async fn machines_that_answer_each_other_come_to_an_end() {
    let stage = stage().await;
    for n in 0..40 {
        stage.simulator.inbound(&json!({"from": EVE, "text": format!("Number {n}")})).await;
    }
    wait_until("it is said", SOON, async || stage.host.said().contains("a user writes too often")).await;
    wait_until("those before are told", SOON, async || stage.answers().await.len() == 30).await;
    stage.simulator.inbound(&json!({"from": ANN, "text": "I am another"})).await;
    wait_until("others are told of", SOON, async || stage.answers().await.len() == 31).await;
}

/// The same reply by a route and by a script: it goes to whoever wrote, and quotes what they wrote.
#[tokio::test]
async fn a_reply_quotes_the_message_that_it_answers() {
    let routes = "- {on: message.received, when: 'event.data.text == \"route\"', template: thanks, reply: true}\n\
                  - {on: message.received, when: 'event.data.text == \"script\"', script: thanks.rhai}\n";
    let template =
        "---\ndescription: Thanks\ncategory: utility\nlanguage: en_US\nmode: text\n---\nThank you.\n";
    let stage = Stage::builder()
        .rules(&[
            ("thanks/routes.yaml", routes),
            ("thanks/thanks.rhai", "fn decide(event) { #{template: \"thanks\", reply: true} }"),
            ("thanks/templates/thanks.j2", template),
        ])
        .start()
        .await;
    for (count, text) in (1..).zip(["route", "script"]) {
        stage.simulator.inbound(&json!({"from": EVE, "text": text})).await;
        assert_eq!(stage.texts_to(EVE, count).await.len(), count);
        let (_, _, _, data) = stage.answers().await.pop().unwrap();
        let request = stage.simulator.messages().await.pop().unwrap()["request"].take();
        assert_eq!(request["context"], json!({"message_id": data["id"]}), "{text}");
    }
}
