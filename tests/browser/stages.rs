//! Hosts whose pages are worth looking at.

use hookswitch_simulator::Settings;
use serde_json::{Value, json};

use tempfile::TempDir;

use crate::harness::{Builder, CACHE, SOON, Stage, TEXT, component, wait_until, write_file};

/// A host on which a bit of everything has happened, with the paths of pages of single things.
pub struct Full {
    pub stage: Stage,
    pub paths: Vec<String>,
    _plugins: TempDir,
}

/// A plugin that fails when it is told to, and whose events wait then.
const MOODY: &str =
    "id: moody\nversion: 1.0.0\ncontract: \"1.0\"\nowner: Tests\non: [mood.*]\non_failure: park\n";

/// A template in two languages, and a case that leads to it.
const WELCOME: &str = "---\ndescription: A welcome\ncategory: utility\nlanguage: en_US\nfallback: true\nfooter: The shop\n\
                       buttons: [{id: ok, title: OK}]\n---\nHello {{ n }}, *welcome* to our shop in the old town.\n";
const WELCOMED: &str = "- name: welcome\n  event: {type: any, data: {template: welcome, users: [ann], context: {n: Ann}}}\n  \
                        expect: [{template: welcome}]\n";

/// The usual host, which knows its business account.
pub async fn empty() -> Stage {
    usual().start().await
}

fn usual() -> Builder {
    let account = Settings::default().waba_id;
    Stage::builder()
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str()), ("HOOKSWITCH_UNKNOWN_AFTER", "1s")])
        .rules(&[
            ("any/templates/held.j2", &format!("{}Note {{{{ n }}}}", TEXT.replace("mode: text", "mode: text\non_unknown: hold"))),
            ("any/templates/welcome.en_US.j2", WELCOME),
            ("any/templates/welcome.pt_BR.j2", &WELCOME.replace("en_US\nfallback: true", "pt_BR")),
            ("any/cases/welcome.yaml", WELCOMED),
            ("any/templates/many.j2", &format!("{TEXT}{{% for item in items %}}{{{{ item.n }}}} {{% endfor %}}")),
            (
                "any/templates/news.j2",
                "---\ndescription: News\ncategory: utility\nlanguage: en_US\n---\nNews of the workshop: {{ n }}.",
            ),
        ])
        .person("ann", "15550100001", &["Ops"])
        .person("eve", "15550100002", &["Ops"])
        .open_windows()
}

/// What is said where anybody can say something: `text`.
pub async fn full(text: &str) -> Full {
    let plugins = tempfile::tempdir().unwrap();
    write_file(plugins.path(), "moody/plugin.yaml", MOODY.as_bytes());
    write_file(plugins.path(), "moody/moody.wasm", component());
    let folder = plugins.path().display().to_string();
    let settings = [("HOOKSWITCH_PLUGINS", folder.as_str()), ("HOOKSWITCH_PLUGIN_CACHE", CACHE)];
    let stage = usual().settings(&settings).start().await;
    stage.says(&["people", "add", "bob", "--name", text]);
    stage.says(&["people", "quiet", "eve", &quiet_now(), "--time-zone", "Etc/UTC"]);
    stage.simulator.inbound(&json!({"from": "15550100055", "name": text, "text": text})).await;
    let heard = "SELECT count(*) FROM contact WHERE wa_id = '15550100055' AND name IS NOT NULL";
    wait_until("the contact is known", SOON, async || stage.database.count(heard).await == 1).await;
    stage.says(&["contacts", "opt-out", "15550100055"]);

    let note = |users: Value, template: &str| json!({"users": users, "template": template, "context": {"n": text}, "reason": text});
    let read = stage.decide(note(json!(["ann"]), "note")).await;
    stage.notification(&read, "read").await;
    let waits = stage.decide(note(json!(["eve"]), "note")).await;
    stage.notification(&waits, "deferred").await;
    stage.simulator.turn(&json!({"errors": [{"http_status": 504, "next": 1}]})).await;
    let held = stage.decide(note(json!(["ann"]), "held")).await;
    let reason =
        async || stage.host.event(&held).await["decisions"][0]["notifications"][0]["waits"]["reason"].clone();
    wait_until("it waits for an operator", SOON, async || reason().await == "hold").await;
    stage.simulator.turn(&json!({"errors": [{"code": 131_026}]})).await;
    for n in 0..45 {
        let subject = format!("{text} {n}");
        let user = json!({"contacts": [format!("155501001{n:02}")], "template": "note", "context": {"n": n}, "reason": text});
        stage.host.accept(&json!({"type": "any", "subject": subject, "source": "/shop", "data": user})).await;
    }
    wait_until("all have failed", SOON, async || stage.failed().await == 45).await;
    stage.simulator.turn(&json!({"errors": []})).await;
    let unrouted = stage
        .host
        .accept(&json!({"type": format!("other.{}", text.len()), "subject": text, "data": {text: text}}))
        .await;
    stage.decision(&unrouted, "no_route").await;
    let bad = json!({"type": "mood.bad", "subject": text, "data": {"do": "panic", "text": text}});
    let parked = stage.host.accept(&bad).await;
    stage.decision(&parked, "parked").await;
    let item = json!({"users": ["ann"], "template": "many", "context": {"n": text}, "collect": "1d by group", "reason": text});
    let collected = stage.decide(item).await;
    stage.decision(&collected, "collected").await;
    let broken = stage.decide(json!({"template": text, "users": [text]})).await;
    stage.decision(&broken, "failed").await;

    stage.says(&["stop", "template", "held", "--reason", text]);
    stage.says(&["stop", "group", "Ops", "--drop", "--reason", text]);

    let message =
        |event: &Value| event["decisions"][0]["notifications"][0]["id"].as_str().unwrap().to_owned();
    let (one, other) = (message(&stage.host.event(&read).await), message(&stage.host.event(&held).await));
    let failed = "SELECT notification_id::text FROM delivery WHERE status = 'failed' LIMIT 1";
    let failed: String = stage.database.query(failed, &[]).await[0].get(0);
    let replay = replayed(&stage);
    let paths = vec![
        format!("/replays/{replay}"),
        format!("/event?id={read}"),
        format!("/event?id={unrouted}"),
        format!("/event?id={parked}"),
        format!("/event?id={collected}"),
        format!("/event?id={broken}"),
        format!("/messages/{one}"),
        format!("/messages/{failed}"),
        format!("/unknown/{other}"),
        format!("/event/rerun?id={broken}&source=/keys"),
        "/access/end?key=boss".to_owned(),
        "/access/revoke?key=boss".to_owned(),
        format!("/try?id={read}"),
        "/template/push?template=news".to_owned(),
        "/templates/welcome".to_owned(),
        "/templates/note".to_owned(),
        "/contacts/link?contact=15550100055".to_owned(),
        "/contacts/preference?contact=15550100055&wish=opt_in".to_owned(),
        "/people/eve/quiet".to_owned(),
        "/people/eve/change".to_owned(),
        "/groups/delete?group=Ops".to_owned(),
        "/plugins/resume/none".to_owned(),
        "/plugins/resume/moody".to_owned(),
        "/waiting/withdraw?key=visit%207".to_owned(),
        "/switches/stop?kind=plugin&name=moody".to_owned(),
        "/switches/stop?kind=sending".to_owned(),
        "/switches/resume?kind=template&name=held".to_owned(),
        "/people/ann".to_owned(),
        "/people/bob".to_owned(),
        "/people?group=Ops".to_owned(),
        "/messages?status=failed".to_owned(),
        "/events?outcome=failed&since=2h".to_owned(),
        "/failed?code=131026".to_owned(),
        "/failed/act?act=redrive&code=131026".to_owned(),
        "/failed/act?act=discard".to_owned(),
    ];
    Full { stage, paths, _plugins: plugins }
}

/// Replays what has happened by rules with another text and without most templates; returns the replay's number.
fn replayed(stage: &Stage) -> i64 {
    let other = tempfile::tempdir().unwrap();
    let files = [
        ("groups.yaml", "- {name: Ops, description: Operations}\n"),
        ("any/routes.yaml", "- on: any\n  script: any.rhai\n"),
        ("any/any.rhai", "fn decide(event) { event.data }"),
        ("any/templates/note.j2", &format!("{TEXT}Another note {{{{ n }}}}")),
    ];
    files.iter().for_each(|(file, text)| write_file(other.path(), file, text.as_bytes()));
    let rules = other.path().to_str().unwrap();
    let replay = stage.says(&["replay", "--since", "1h", "--json", "--rules", rules]);
    serde_json::from_str::<Value>(&replay).unwrap()["id"].as_i64().unwrap()
}

/// Quiet hours that have just begun.
fn quiet_now() -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    format!("{:02}:00-{:02}:00", now.hour(), (now.hour() + 2) % 24)
}
