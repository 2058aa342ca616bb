//! Events that tell very many people, and batches that PostgreSQL does not take.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::harness::{SOON, Stage, wait_until};

const FRONT: &str = "---\ndescription: A test\ncategory: utility\nlanguage: en_US\n---\n";
/// More than one page holds.
const CROWD: i64 = 3_000;

/// Whatever an event says is the decision. The group Crowd is large, and messages are sent slowly.
async fn stage() -> Stage {
    let stage = Stage::builder()
        .rules(&[
            ("groups.yaml", "- name: Crowd\n  description: Many\n- name: Few\n  description: Some\n"),
            ("any/templates/note.j2", &format!("{FRONT}Dear {{{{ recipient.name }}}}: {{{{ text }}}}")),
            ("any/templates/many.j2", &format!("{FRONT}{{{{ count }}}} alarms")),
        ])
        .simulator(&["--unlimited", "--unknown-templates"])
        .settings(&[("WHATSAPP_MESSAGES_PER_SECOND", "1")])
        .person("ann", "15550100001", &["Few"])
        .start()
        .await;
    let crowd = "WITH c AS (INSERT INTO contact (wa_id) SELECT (15560000000 + n)::text FROM generate_series(1, $1::bigint) n
                            RETURNING id, wa_id),
                      p AS (INSERT INTO person (username, name, contact_id) SELECT 'p' || wa_id, 'Somebody', id FROM c
                            RETURNING id),
                      g AS (INSERT INTO groups (name) VALUES ('Crowd')
                            ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id)
                 INSERT INTO membership (group_id, person_id) SELECT g.id, p.id FROM g, p";
    stage.database.query(crowd, &[&CROWD]).await;
    stage
}

fn event(id: &str, decision: &Value) -> Value {
    json!({"specversion": "1.0", "type": "any", "id": id, "source": "/t", "data": decision})
}

fn crowd(text: &str) -> Value {
    json!({"template": "note", "groups": ["Crowd"], "context": {"text": text}})
}

fn few(text: &str) -> Value {
    json!({"template": "note", "groups": ["Few"], "context": {"text": text}})
}

impl Stage {
    async fn planned(&self) -> i64 {
        self.database.count("SELECT count(*) FROM notification").await
    }

    /// Nobody is told twice of one event.
    async fn each_once(&self) {
        let twice = "SELECT count(*) FROM (
                         SELECT FROM notification WHERE recipient IS NOT NULL GROUP BY event_lane, event_seq, ordinal, recipient HAVING count(*) > 1) t";
        assert_eq!(self.database.count(twice).await, 0);
    }
}

#[tokio::test]
async fn a_crowd_is_told_page_by_page_while_others_go_on() {
    let stage = stage().await;
    let before = stage.host.resident();
    let text = "x".repeat(500);
    let crowds: Vec<Value> = (0..6).map(|n| event(&format!("crowd-{n}"), &crowd(&text))).collect();
    let answer =
        stage.host.post(json!(crowds).to_string().into_bytes(), "application/cloudevents-batch+json").await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 202, "{:?}", answer.text().await);
    wait_until("the first page is planned", SOON, async || stage.planned().await > 0).await;
    // One of these is in a lane of its own; an event waits for those of its lane only.
    for n in 0..30 {
        stage.host.accept(&event(&format!("few-{n}"), &few("hello"))).await;
    }
    let told = "SELECT count(*) FROM notification WHERE username = 'ann'";
    wait_until("some of the small ones are planned", SOON, async || stage.database.count(told).await > 0)
        .await;
    let planned = stage.planned().await;
    assert!(planned < 6 * CROWD, "the crowds held it up: {planned}");
    wait_until("all are planned", SOON * 8, async || stage.planned().await == 6 * CROWD + 30).await;
    stage.each_once().await;
    assert_eq!(stage.database.count("SELECT count(*) FROM unfinished").await, 0);
    let grown = stage.host.resident().saturating_sub(before);
    assert!(grown < 200, "the host grew by {grown} MiB");
}

#[tokio::test]
async fn a_group_that_is_renamed_between_two_pages_is_told_whole() {
    let stage = stage().await;
    // Ann belongs to a group of the same name as the crowd had; her group is not meant.
    stage.host.accept(&event("crowd", &crowd("hello"))).await;
    wait_until("the first page is planned", SOON, async || stage.planned().await > 0).await;
    assert!(stage.planned().await < CROWD, "all were planned at once");
    stage.database.query("UPDATE groups SET name = 'Many' WHERE name = 'Crowd'", &[]).await;
    stage.database.query("UPDATE groups SET name = 'Crowd' WHERE name = 'Few'", &[]).await;
    let unfinished = "SELECT count(*) FROM unfinished";
    wait_until("nothing is left", SOON * 2, async || stage.database.count(unfinished).await == 0).await;
    assert_eq!(stage.planned().await, CROWD);
    stage.each_once().await;
    assert_eq!(stage.database.count("SELECT count(*) FROM notification WHERE username = 'ann'").await, 0);
}

#[tokio::test]
async fn a_host_that_dies_between_two_pages_tells_everybody_once() {
    let mut stage = stage().await;
    let id = stage.host.accept(&event("crowd", &crowd("hello"))).await;
    for _ in 0..2 {
        let before = stage.planned().await;
        wait_until("a page is planned", SOON, async || stage.planned().await > before).await;
        stage.host.kill();
        stage.host.restart();
    }
    wait_until("all are planned", SOON * 2, async || stage.planned().await == CROWD).await;
    stage.each_once().await;
    let decisions = stage.database.query("SELECT outcome FROM decision", &[]).await;
    assert_eq!((decisions.len(), decisions[0].get(0)), (1, "notify"));
    let unfinished = "SELECT count(*) FROM unfinished";
    wait_until("nothing is left", SOON, async || stage.database.count(unfinished).await == 0).await;
    assert_eq!(stage.host.event(&id).await["decisions"][0]["outcome"], "notify");
}

#[tokio::test]
async fn who_is_named_beside_a_crowd_is_told_once() {
    let stage = stage().await;
    let decision = json!({
        "template": "note", "groups": ["Crowd", "Few", "Nobody"], "context": {"text": "hello"},
        "users": ["p15560000001", "ann", "nobody"],
        "contacts": ["+15560000002", "+15550100099", "+15550100099", "?"],
    });
    let id = stage.host.accept(&event("mixed", &decision)).await;
    // The crowd and ann, somebody outside of it, and two who cannot be reached.
    wait_until("all are planned", SOON * 2, async || stage.planned().await == CROWD + 4).await;
    stage.each_once().await;
    let reason = async |username: &str| {
        let sql = "SELECT reason FROM notification WHERE username = $1";
        stage.database.query(sql, &[&username]).await[0].get::<_, String>(0)
    };
    assert_eq!(reason("p15560000001").await, "member of Crowd, named as user");
    assert_eq!(reason("ann").await, "member of Few, named as user");
    let decision = stage.host.event(&id).await["decisions"][0].clone();
    assert_eq!(decision["reason"], "the group Nobody does not exist");
}

#[tokio::test]
async fn what_a_crowd_collects_goes_into_one_digest_each() {
    let stage = stage().await;
    for (id, by) in [("a", "group"), ("b", "person")] {
        let decision = json!({"template": "many", "groups": ["Crowd"], "collect": format!("1d by {by}")});
        stage.host.accept(&event(id, &decision)).await;
    }
    let digests = "SELECT count(*) FROM digest";
    wait_until("all are collected", SOON * 2, async || stage.database.count(digests).await == CROWD + 1)
        .await;
    assert_eq!(stage.planned().await, 0);
    let outcomes = stage.database.query("SELECT DISTINCT outcome FROM decision", &[]).await;
    assert_eq!((outcomes.len(), outcomes[0].get(0)), (1, "collected"));
}

#[tokio::test]
async fn an_event_that_postgresql_refuses_in_whatever_words_fails_alone() {
    let stage = stage().await;
    stage
        .database
        .query("ALTER TABLE notification ADD CONSTRAINT poison CHECK (message NOT LIKE '%arsenic%')", &[])
        .await;
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      RAISE EXCEPTION 'out of order' USING ERRCODE = 'XX000';
                  END $$";
    stage.database.query(refuse, &[]).await;
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON notification FOR EACH ROW
                   WHEN (NEW.message LIKE '%cyanide%') EXECUTE FUNCTION refuse()";
    stage.database.query(trigger, &[]).await;
    let text = |n: usize| match n {
        7 => "arsenic",
        23 => "cyanide",
        _ => "hello",
    };
    let events: Vec<Value> = (0..40).map(|n| event(&format!("few-{n}"), &few(text(n)))).collect();
    let answer =
        stage.host.post(json!(events).to_string().into_bytes(), "application/cloudevents-batch+json").await;
    assert_eq!(answer.unwrap().status(), 202);
    let decided = "SELECT count(*) FROM decision";
    wait_until("all are decided", SOON, async || stage.database.count(decided).await == 40).await;
    assert_eq!(stage.planned().await, 38);
    let failed =
        "SELECT e.id, d.reason FROM decision d JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                  WHERE d.outcome = 'failed' ORDER BY e.id";
    let failed = stage.database.query(failed, &[]).await;
    let failed: Vec<(&str, &str)> = failed.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(
        matches!(failed[..], [("few-23", cyanide), ("few-7", arsenic)]
            if cyanide.contains("out of order") && arsenic.contains("poison")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn while_the_database_takes_nothing_no_event_fails() {
    let stage = stage().await;
    // As where the disk is full or the log's lock is held: the connection is fine, and every append is refused.
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      RAISE EXCEPTION 'no space left' USING ERRCODE = '53100';
                  END $$";
    stage.database.query(refuse, &[]).await;
    let trigger =
        "CREATE TRIGGER refuse BEFORE INSERT ON decision FOR EACH STATEMENT EXECUTE FUNCTION refuse()";
    stage.database.query(trigger, &[]).await;
    let id = stage.host.accept(&event("few", &few("hello"))).await;
    wait_until("it is tried", SOON, async || stage.host.said().matches("no space left").count() >= 3).await;
    stage.database.query("DROP TRIGGER refuse ON decision", &[]).await;
    wait_until("it is decided", SOON, async || stage.host.event(&id).await["routed"] == true).await;
    assert_eq!(stage.host.event(&id).await["decisions"][0]["outcome"], "notify");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_holds_up_no_other() {
    let stage = stage().await;
    // All in one lane.
    let insert = "INSERT INTO event (lane, id, source, type, time, data, sha256)
                  SELECT 5, id, '/t', 'any', time::timestamptz, data, ''
                  FROM (VALUES ('a', 'now', '{'), ('b', 'infinity', '{}'), ('c', 'now', $1)) AS e (id, time, data)";
    stage.database.query(insert, &[&few("hello").to_string()]).await;
    let outcomes = "SELECT e.id, d.outcome, d.reason FROM decision d JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                    ORDER BY e.seq";
    wait_until("all are decided", SOON, async || stage.database.query(outcomes, &[]).await.len() == 3).await;
    let decided = stage.database.query(outcomes, &[]).await;
    let decided: Vec<(&str, &str)> = decided.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(decided, [("a", "failed"), ("b", "failed"), ("c", "notify")]);
}
