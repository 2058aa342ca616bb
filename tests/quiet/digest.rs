//! Many decisions, one message.

use std::time::Duration;

use serde_json::{Value, json};

use super::{text, with};
use crate::harness::{Host, SOON, Stage, free_port, wait_until, write_rule};

const TEMPLATE: &str = "---\ndescription: What happened\ncategory: utility\nlanguage: en_US\nmode: text\n---\n\
                        {{ count }} alarms\n{% for item in items %}\n- {{ item.what }}\n{% endfor %}\n";
const ROUTES: &str = "- on: alarm\n  template: alarms\n  groups: [Ops]\n  collect: 2s by group\n  context:\n    \
                      what: event.data.what\n\
                      - on: task\n  template: alarms\n  groups: [Ops, Night]\n  collect: 2s by person\n  context:\n    \
                      what: event.data.what\n";
const GROUPS: &str = "- name: Ops\n  description: Operations\n- name: Night\n  description: Nights\n";
const CASE: &str = "name: an alarm\nevent: {type: alarm, data: {what: Fire}}\nexpect:\n  - template: alarms\n    \
                    collect: 2s by group\n    groups: [Ops]\n    body: |\n      1 alarms\n      - Fire\n";

async fn stage() -> Stage {
    let files = [
        ("groups.yaml", GROUPS),
        ("alarms/routes.yaml", ROUTES),
        ("alarms/templates/alarms.j2", TEMPLATE),
        ("alarms/cases/alarm.yaml", CASE),
    ];
    with(&files).await
}

async fn happens(stage: &Stage, kind: &str, what: &str) -> String {
    stage.host.accept(&json!({"type": kind, "data": {"what": what}})).await
}

fn bodies(messages: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    messages.iter().map(|sent| (text(&sent["to"]), text(&sent["request"]["text"]["body"]))).collect()
}

#[tokio::test]
async fn one_message_tells_many_and_each_event_says_which() {
    let stage = stage().await;
    let mut ids = Vec::new();
    for what in ["Fire", "Water", "Wind"] {
        ids.push(happens(&stage, "alarm", what).await);
        stage.decision(ids.last().unwrap(), "collected").await;
    }
    wait_until("the digest is sent", SOON, async || !stage.simulator.messages().await.is_empty()).await;
    let sent = bodies(&stage.simulator.messages().await);
    assert_eq!(sent, [(super::ANN.to_owned(), "3 alarms\n- Fire\n- Water\n- Wind".to_owned())]);

    let mut digests = Vec::new();
    for id in &ids {
        let event = stage.host.event(id).await;
        let reason = event["decisions"][0]["reason"].as_str().unwrap();
        let digest = reason.strip_prefix("collected into the digest ").unwrap().split(' ').next().unwrap();
        digests.push(digest.to_owned());
        assert_eq!(event["decisions"][0]["notifications"], json!([]));
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
    let digest = stage.notification(&digests[0], "read").await;
    assert_eq!(digest["reason"], "member of Ops");
    let page = stage.says(&["explain", &digests[0]]);
    assert!(ids.iter().all(|id| page.contains(id.as_str())), "{page}");
    assert!(stage.says(&["rules", "replay", &digests[0]]).contains(": same"));
    assert_eq!(stage.database.count("SELECT count(*) FROM digest").await, 0);
    assert_eq!(stage.database.count("SELECT count(*) FROM digest_item").await, 0);
}

#[tokio::test]
async fn by_person_each_gets_one_of_all_their_groups() {
    let stage = stage().await;
    stage.database.add_person("bob", "15550109002", &["Night"]).await;
    stage.database.query("UPDATE contact SET last_inbound_at = now()", &[]).await;
    let unlinked = "WITH p AS (INSERT INTO person (username, name) VALUES ('zoe', 'Zoe') RETURNING id)
                    INSERT INTO membership (group_id, person_id) SELECT g.id, p.id FROM groups g, p WHERE name = 'Ops'";
    stage.database.query(unlinked, &[]).await;
    let first = happens(&stage, "task", "Wash").await;
    happens(&stage, "task", "Iron").await;
    wait_until("both are told", SOON, async || stage.simulator.messages().await.len() == 2).await;
    let mut sent = bodies(&stage.simulator.messages().await);
    sent.sort();
    let body = "2 alarms\n- Wash\n- Iron".to_owned();
    assert_eq!(sent, [(super::ANN.to_owned(), body.clone()), ("15550109002".to_owned(), body)]);
    let decision = stage.decision(&first, "collected").await;
    assert!(decision["reason"].as_str().unwrap().starts_with("collected into the digests "), "{decision}");
    assert_eq!(decision["notifications"][0]["username"], "zoe");
}

#[tokio::test]
async fn hosts_that_die_neither_lose_nor_double_a_digest() {
    let mut stage = stage().await;
    let settings = [("WHATSAPP_MESSAGES_PER_SECOND", "1000")];
    let rules = &stage.rules.to_owned();
    let _other = Host::start(free_port(), &stage.database, &stage.simulator, rules, &settings);
    let mut posted = 0;
    for round in 0..3 {
        for n in 0..20 {
            happens(&stage, "alarm", &format!("{round}/{n}")).await;
            posted += 1;
        }
        stage.host.kill();
        stage.host.restart();
    }
    let told = async || -> usize {
        let sent = bodies(&stage.simulator.messages().await);
        sent.iter().map(|(_, body)| body.lines().count() - 1).sum()
    };
    wait_until("all are told", SOON + Duration::from_secs(60), async || told().await >= posted).await;
    let mut items: Vec<String> = bodies(&stage.simulator.messages().await)
        .iter()
        .flat_map(|(_, body)| body.lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    items.sort();
    let all = items.len();
    items.dedup();
    assert_eq!((items.len(), all), (posted, posted));
}

#[tokio::test]
async fn what_does_not_go_together_is_refused() {
    let stage = stage().await;
    write_rule(&stage.rules, "alarms/routes.yaml", &ROUTES.replace("2s by group", "2s by month"));
    let output = stage.run(&["rules", "check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("`month`"), "{}", text(&output.stderr));
    let both = ROUTES.replace("  collect: 2s by group\n", "  collect: 2s by group\n  after: 1h\n");
    write_rule(&stage.rules, "alarms/routes.yaml", &both);
    let output = stage.run(&["rules", "check"]);
    assert!(text(&output.stderr).contains("`collect` and `after` cannot be used together"));
}

#[tokio::test]
async fn a_digest_that_cannot_be_read_holds_up_no_other_and_a_long_one_is_cut() {
    let stage = stage().await;
    let alarms: Vec<Value> = (0..300)
        .map(|n| {
            let what = format!("Alarm {n} at site {n} is not good");
            json!({"specversion": "1.0", "type": "alarm", "source": "/t", "id": format!("a-{n}"), "data": {"what": what}})
        })
        .collect();
    let answer =
        stage.host.post(json!(alarms).to_string().into_bytes(), "application/cloudevents-batch+json").await;
    assert_eq!(answer.unwrap().status(), 202);
    let broken = "INSERT INTO digest (id, template, key, decision, due_at)
                  VALUES (gen_random_uuid(), 'alarms', 'broken', '{', now()) RETURNING id::text";
    let broken: String = stage.database.query(broken, &[]).await[0].get(0);
    let reason = "SELECT d.reason FROM decision d JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                  WHERE e.id = $1 AND d.outcome = 'failed'";
    wait_until("it fails", SOON, async || !stage.database.query(reason, &[&broken]).await.is_empty()).await;
    let reason: String = stage.database.query(reason, &[&broken]).await[0].get(0);
    assert!(reason.starts_with("cannot read the digest: EOF"), "{reason}");
    wait_until("the others are told", SOON, async || !stage.simulator.messages().await.is_empty()).await;
    let told = async || {
        let sent = bodies(&stage.simulator.messages().await);
        let counts = sent.iter().map(|(_, body)| body.split(' ').next().unwrap().parse::<u64>().unwrap());
        counts.sum::<u64>()
    };
    wait_until("all 300 are counted", SOON, async || told().await == 300).await;
    let sent = bodies(&stage.simulator.messages().await);
    let cut = sent.iter().filter(|(_, body)| body.lines().last().unwrap().starts_with("… and ")).count();
    assert!(cut > 0, "{sent:?}");
}
